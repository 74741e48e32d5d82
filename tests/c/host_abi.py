#!/usr/bin/env python3
"""Becomes master and hands over, in Python by ctypes: the host port without a header.

usage: host_abi.py libvrrp.so (needs root, for a network of its own)
"""

import ctypes
import os
import select
import subprocess
import sys
import tempfile
import time
from ctypes import Structure, byref, c_char, c_size_t, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p

ABI, NAME_SIZE, TEXT_SIZE, MAX_ADDRESSES = 2, 16, 512, 64
STATE_CHANGE, INITIALIZE, BACKUP, ACTIVE = 1, 0, 1, 2
ERR_CONFIG = -40
CLONE_NEWNET = 0x40000000


class Address(Structure):
    _fields_ = [("family", c_uint8), ("octets", c_uint8 * 16)]


class VirtualAddress(Structure):
    _fields_ = [("address", Address), ("prefix_len", c_uint8)]


class Peer(Structure):
    _fields_ = [("address", Address), ("priority", c_uint8)]


class Id(Structure):
    _fields_ = [("interface", c_char * NAME_SIZE), ("vrid", c_uint8), ("family", c_uint8)]


class Options(Structure):
    _fields_ = [("size", c_uint32), ("runtime_dir", ctypes.c_char_p), ("config_name", ctypes.c_char_p)]


class Event(Structure):
    _fields_ = [
        ("size", c_uint32), ("kind", c_uint8), ("weight", c_uint8), ("from_state", c_uint8),
        ("to_state", c_uint8), ("reason", c_uint8), ("up", c_uint8), ("id", Id), ("peer", Peer),
        ("drop_reason", c_uint16), ("our_interval_cs", c_uint16), ("their_interval_cs", c_uint16),
        ("addresses_len", c_uint16), ("their_addresses_len", c_uint16), ("count", c_uint64),
        ("late_us", c_uint64), ("addresses", VirtualAddress * MAX_ADDRESSES),
        ("their_addresses", Address * MAX_ADDRESSES), ("text", c_char * TEXT_SIZE),
    ]


lib = ctypes.CDLL(sys.argv[1])
lib.vrrp_strerror.restype = ctypes.c_char_p
assert ctypes.sizeof(Event) == 2824, ctypes.sizeof(Event)
host = c_void_p()
message = ctypes.create_string_buffer(1000)
states = []


def call(name, *args):
    answer = getattr(lib, name)(host, *args)
    if answer < 0:
        raise RuntimeError(lib.vrrp_strerror(answer).decode())
    return answer


def open_text(text, directory):
    options = Options(ctypes.sizeof(Options), directory.encode(), b"script")
    return lib.vrrp_host_open_config(c_uint32(ABI), text, c_size_t(len(text)), byref(options),
                                     byref(host), message, c_size_t(len(message)))


def run(until, what):
    """Steps until `until` holds."""
    poller = select.poll()
    poller.register(call("vrrp_host_fd"), select.POLLIN)
    event = Event(ctypes.sizeof(Event))
    end = time.monotonic() + 60
    while not until():
        assert time.monotonic() < end, f"waited in vain: {what}"
        call("vrrp_host_step")
        while call("vrrp_host_next_event", byref(event)):
            if event.kind == STATE_CHANGE:
                assert (event.id.interface, event.id.vrid) == (b"eth0", 7)
                assert list(event.addresses[0].address.octets[:4]) == [10, 0, 0, 80]
                states.append(event.to_state)
        poller.poll(100)


def ip(*words):
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(CLONE_NEWNET) != 0:
    sys.exit(f"this test needs root: {os.strerror(ctypes.get_errno())}")
ip("link", "add", "eth0", "type", "veth", "peer", "name", "wire")
for name in ("lo", "wire", "eth0"):
    ip("link", "set", name, "up")
ip("address", "add", "10.0.0.1/24", "dev", "eth0")

with tempfile.TemporaryDirectory() as directory:
    assert open_text(b"[VRID]\nserverid = 7\npriority = 0\n", directory) == ERR_CONFIG
    assert "script:3: priority: expected a number from 1 to 255" in message.value.decode(), message.value
    assert not host.value
    text = b"[VRID]\nserverid = 7\ninterface = eth0\naddr = 10.0.0.80/24\nadvertinterval = 0.1\n"
    assert open_text(text, directory) == 0, message.value
    run(lambda: ACTIVE in states, "it becomes master")
    assert "10.0.0.80/24" in ip("address")
    call("vrrp_host_shutdown")
    run(lambda: call("vrrp_host_is_stopped") == 1, "it stops")
    assert states == [BACKUP, ACTIVE, INITIALIZE], states
    call("vrrp_host_close")
    assert "10.0.0.80" not in ip("address")
    assert os.listdir(directory) == []
print("host_abi.py: was master and handed over")
