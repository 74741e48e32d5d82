"""Writes signed.hex: advertisements with the trailer of draft-cassen-vrrp-auth-hmac.

Run: python3 signed.py > signed.hex
It shares nothing with the crate. The two HMACs of the published vectors are compared with what is computed.
"""
import hashlib
import hmac

from vectors import addr, ethernet, ipv4, ipv6, pseudo4, pseudo6, v2, v3, filled

KEY = bytes(range(32))
NUMBER = bytes.fromhex("6800000080000000")
PUBLISHED = {
    "draft_ipv4": "1b84bc4e8e43892dc6d98448f8ee2265",
    "draft_ipv6": "c8c56146ebfd66ee10ec4d8186461b78",
}


def trailer(name, source, message):
    covered = bytes([1, 1, 0, 0]) + NUMBER
    family = 4 if len(addr(source)) == 4 else 6
    block = bytes([family, message[0] >> 4, message[1], 0]) + addr(source).ljust(16, b"\0")
    data = block + message[:6] + bytes(2) + message[8:] + covered + bytes(16)
    tag = hmac.new(KEY, data, hashlib.sha256).digest()[:16]
    assert PUBLISHED.get(name, tag.hex()) == tag.hex(), (name, tag.hex())
    return covered + tag


def signed4(name, source, message):
    packet = ipv4(source, "224.0.0.18", message + trailer(name, source, message))
    return ethernet("01:00:5e:00:00:12", "00:00:5e:00:01:33", 0x0800, packet)


def signed6(name, source, to, to_mac, message):
    payload = message + trailer(name, source, message)
    payload = payload[:6] + bytes(2) + payload[8:]
    payload = filled(payload, 6, pseudo6(source, to, len(payload), 112))
    packet = ipv6(source, to, payload, 112, traffic_class=0xC0)
    return ethernet(to_mac, "00:00:5e:00:02:33", 0x86DD, packet)


SRC4, SRC6, LIST4, LIST6 = "198.51.100.10", "fe80::10", ["192.0.2.100"], ["fe80::100"]
P4 = lambda length: pseudo4(SRC4, "224.0.0.18", length)
GROUP6 = ("ff02::12", "33:33:00:00:00:12")
PEER6 = ("fe80::20", "00:00:00:00:00:00")

FRAMES = {
    "draft_ipv4": signed4("draft_ipv4", SRC4, v3(51, 200, 100, LIST4)),
    "draft_ipv6": signed6("draft_ipv6", SRC6, *PEER6, v3(51, 200, 100, LIST6)),
    "v3_pseudo": signed4("v3_pseudo", SRC4, v3(51, 200, 100, LIST4, P4)),
    "v3_ipv6": signed6("v3_ipv6", SRC6, *GROUP6, v3(51, 200, 100, LIST6 + ["2001:db8::7"])),
    "v2_ipv4": signed4("v2_ipv4", SRC4, v2(51, 200, 1, LIST4)),
}

if __name__ == "__main__":
    print("# Written by signed.py from the format of draft-cassen-vrrp-auth-hmac and its vectors.")
    for name, frame in FRAMES.items():
        print(name, frame.hex())
