#!/usr/bin/env python3
"""Drives libvrrp by ctypes, without a header: the ABI is numbers and octets, whatever the language.

usage: abi.py libvrrp.so
"""

import ctypes
import sys
from ctypes import POINTER, Structure, byref, c_size_t, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p

ABI, IPV4, TRANSMIT, STATE_CHANGE, BACKUP, ACTIVE = 2, 4, 1, 5, 1, 2
ERR_NULL, ERR_ABI, NEVER = -1, -2, 2**64 - 1
SECOND = 1_000_000


class Address(Structure):
    _fields_ = [("family", c_uint8), ("octets", c_uint8 * 16)]


class VirtualAddress(Structure):
    _fields_ = [("address", Address), ("prefix_len", c_uint8)]


class Key(Structure):
    _fields_ = [("ifindex", c_uint32), ("vrid", c_uint8), ("family", c_uint8)]


class Peer(Structure):
    _fields_ = [("address", Address), ("priority", c_uint8)]


class Interface(Structure):
    _fields_ = [
        ("size", c_uint32), ("up", c_uint8), ("mac", c_uint8 * 6), ("ipv4", c_uint8 * 4),
        ("ipv6", c_uint8 * 16), ("reserved", c_uint8),
    ]


class Config(Structure):
    _fields_ = [
        ("size", c_uint32), ("version", c_uint8), ("priority", c_uint8),
        ("advert_interval_cs", c_uint16), ("preempt", c_uint8), ("accept", c_uint8),
        ("max_hops", c_uint8), ("mac_mode", c_uint8), ("checksum", c_uint8),
        ("owner_receive", c_uint8), ("auth", c_uint8), ("announce_repeats", c_uint8),
        ("password", c_uint8 * 8), ("preempt_delay_us", c_uint64), ("start_delay_us", c_uint64),
        ("announce_repeat_us", c_uint64), ("announce_refresh_us", c_uint64),
        ("addresses", POINTER(VirtualAddress)), ("addresses_len", c_size_t),
        ("peers", c_void_p), ("peers_len", c_size_t), ("tracks", c_void_p), ("tracks_len", c_size_t),
    ]


class Output(Structure):
    _fields_ = [
        ("size", c_uint32), ("key", Key), ("kind", c_uint8), ("on", c_uint8), ("accept", c_uint8),
        ("frame_kind", c_uint8), ("frame_len", c_uint32), ("ip_offset", c_uint16),
        ("payload_offset", c_uint16), ("mac", c_uint8 * 6), ("address", VirtualAddress),
        ("unicast", Address), ("from_state", c_uint8), ("to_state", c_uint8), ("reason", c_uint8),
        ("peer", Peer),
    ]


lib = ctypes.CDLL(sys.argv[1])
for name in ("vrrp_strerror", "vrrp_version", "vrrp_state_name"):
    getattr(lib, name).restype = ctypes.c_char_p
for name in ("vrrp_storage_size", "vrrp_max_frame_len"):
    getattr(lib, name).restype = c_size_t


class Error(Exception):
    """What the library refused, in its own words."""


def call(name, *args):
    answer = getattr(lib, name)(*args)
    if answer < 0:
        raise Error(lib.vrrp_strerror(answer).decode())
    return answer


class Engine:
    """One host on the wire."""

    def __init__(self, last, priority):
        self.storage = (c_uint64 * (lib.vrrp_storage_size() // 8 + 1))()
        self.handle = c_void_p()
        size = c_size_t(ctypes.sizeof(self.storage))
        call("vrrp_init", self.storage, size, c_uint32(ABI), byref(self.handle))
        state = Interface(ctypes.sizeof(Interface), 1, (2, 0, 0, 0, 0, last), (10, 0, 0, last))
        call("vrrp_set_interface", self.handle, c_uint64(0), c_uint32(1), byref(state))
        config = Config()
        call("vrrp_config_init", byref(config), c_size_t(ctypes.sizeof(config)))
        assert (config.priority, config.advert_interval_cs, config.preempt) == (100, 100, 1)
        service = VirtualAddress(Address(IPV4, (10, 0, 0, 80)), 24)
        config.priority, config.addresses, config.addresses_len = priority, ctypes.pointer(service), 1
        self.key = Key(1, 51, IPV4)
        call("vrrp_insert", self.handle, c_uint64(0), byref(self.key), byref(config))
        call("vrrp_set_enabled", self.handle, c_uint64(0), byref(self.key), 1)
        self.states = []

    def drain(self, now, peer):
        buffer = (c_uint8 * lib.vrrp_max_frame_len())()
        output = Output(ctypes.sizeof(Output))
        while call("vrrp_poll_output", self.handle, buffer, c_size_t(len(buffer)), byref(output)):
            if output.kind == TRANSMIT and peer:
                call("vrrp_handle_frame", peer.handle, c_uint64(now), c_uint32(1), buffer,
                     c_size_t(output.frame_len), None)
            if output.kind == STATE_CHANGE:
                self.states.append((now, lib.vrrp_state_name(output.to_state).decode()))

    def deadline(self):
        deadline = c_uint64()
        call("vrrp_poll_timeout", self.handle, byref(deadline))
        return deadline.value


def run(engines, now, until):
    """Lets the time pass for engines that hear each other."""
    while True:
        for one, other in (engines, engines[::-1]):
            one.drain(now, other)
        engines[0].drain(now, engines[1])
        now = max(now, min(engine.deadline() for engine in engines))
        if now > until:
            return until
        for engine in engines:
            call("vrrp_handle_timeout", engine.handle, c_uint64(now))


left, right = Engine(1, 200), Engine(2, 100)
now = run((left, right), 0, 10 * SECOND)
assert left.states == [(0, "backup"), (3218750, "master")], left.states
assert right.states == [(0, "backup")], right.states
call("vrrp_resign", left.handle, c_uint64(now), byref(left.key))
run((left, right), now, 15 * SECOND)
assert left.states[-1][1] == "backup" and right.states[-1][1] == "master", (left.states, right.states)

handle = c_void_p()
storage = (c_uint64 * 8)()
assert lib.vrrp_init(storage, c_size_t(64), c_uint32(ABI + 1), byref(handle)) == ERR_ABI
assert lib.vrrp_init(None, c_size_t(64), c_uint32(ABI), byref(handle)) == ERR_NULL
try:
    call("vrrp_init", storage, c_size_t(64), c_uint32(ABI), byref(handle))
    sys.exit("64 octets were taken for storage")
except Error as error:
    assert "storage is too small" in str(error), error
print("abi.py: libvrrp", lib.vrrp_version().decode(), "elected and resigned")
