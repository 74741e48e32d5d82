"""Writes vectors.hex: frames put together field by field from the formats of the RFCs.

Run: python3 vectors.py > vectors.hex
It shares nothing with the crate. Each checksum is added up word by word as RFC 1071 says.
"""
from ipaddress import ip_address


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def addr(text):
    return ip_address(text).packed


def checksum(data):
    total = 0
    for i in range(0, len(data), 2):
        total += data[i] * 256 + data[i + 1]
    while total > 0xFFFF:
        total = total % 0x10000 + total // 0x10000
    return (0xFFFF - total).to_bytes(2, "big")


def filled(data, at, pseudo=b""):
    """`data` with the checksum at offset `at`, over `pseudo` and itself."""
    return data[:at] + checksum(pseudo + data) + data[at + 2:]


def ethernet(to, source, ethertype, payload):
    return mac(to) + mac(source) + ethertype.to_bytes(2, "big") + payload


def ipv4(source, to, payload, ttl=255):
    length = (20 + len(payload)).to_bytes(2, "big")
    header = b"\x45\xc0" + length + bytes(4) + bytes([ttl, 112]) + bytes(2) + addr(source) + addr(to)
    return filled(header, 10) + payload


def ipv6(source, to, payload, next_header, hop_limit=255, traffic_class=0):
    head = (6 << 28 | traffic_class << 20).to_bytes(4, "big")
    return head + len(payload).to_bytes(2, "big") + bytes([next_header, hop_limit]) + addr(source) + addr(to) + payload


def pseudo4(source, to, length):
    return addr(source) + addr(to) + bytes([0, 112]) + length.to_bytes(2, "big")


def pseudo6(source, to, length, next_header):
    return addr(source) + addr(to) + length.to_bytes(4, "big") + bytes([0, 0, 0, next_header])


def v2(vrid, priority, seconds, addresses, password=None):
    body = bytes([0x21, vrid, priority, len(addresses), 0 if password is None else 1, seconds, 0, 0])
    body += b"".join(map(addr, addresses)) + (password or b"").ljust(8, b"\0")
    return filled(body, 6)


def v3(vrid, priority, centis, addresses, pseudo=lambda length: b""):
    body = bytes([0x31, vrid, priority, len(addresses)]) + centis.to_bytes(2, "big") + bytes(2)
    body += b"".join(map(addr, addresses))
    return filled(body, 6, pseudo(len(body)))


def group4(vrid, source, message):
    return ethernet("01:00:5e:00:00:12", f"00:00:5e:00:01:{vrid:02x}", 0x0800, ipv4(source, "224.0.0.18", message))


def group6(vrid, source, message):
    packet = ipv6(source, "ff02::12", message, 112, traffic_class=0xC0)
    return ethernet("33:33:00:00:00:12", f"00:00:5e:00:02:{vrid:02x}", 0x86DD, packet)


def arp(to, operation, sha, spa, tha, tpa):
    head = bytes([0, 1, 8, 0, 6, 4, 0, operation])
    return ethernet(to, sha, 0x0806, head + mac(sha) + addr(spa) + mac(tha) + addr(tpa))


def nd(to_mac, from_mac, source, to, kind, flags, target, option):
    message = bytes([kind, 0, 0, 0, flags, 0, 0, 0]) + addr(target) + option
    message = filled(message, 2, pseudo6(source, to, len(message), 58))
    return ethernet(to_mac, from_mac, 0x86DD, ipv6(source, to, message, 58))


def link_layer(kind, text):
    return bytes([kind, 1]) + mac(text)


VMAC = "00:00:5e:00:02:07"
ASKER = "02:00:00:00:00:0b"
SRC4, SRC6 = "198.51.100.1", "fe80::1"
P4 = lambda length: pseudo4(SRC4, "224.0.0.18", length)
P6 = lambda length: pseudo6(SRC6, "ff02::12", length, 112)
SOLICITED = "ff02::1:ff00:7"

FRAMES = {
    "v2_none": group4(7, SRC4, v2(7, 100, 1, ["198.51.100.7"])),
    "v2_password": group4(7, SRC4, v2(7, 200, 3, ["198.51.100.7", "198.51.100.8"], b"eightoct")),
    "v2_stop": group4(7, SRC4, v2(7, 0, 1, ["198.51.100.7"], b"pw")),
    "v3_plain": group4(7, SRC4, v3(7, 100, 100, ["198.51.100.7"])),
    "v3_pseudo": group4(7, SRC4, v3(7, 100, 100, ["198.51.100.7"], P4)),
    "v3_stop": group4(7, SRC4, v3(7, 0, 4095, ["198.51.100.7"])),
    "v3_255_addresses": group4(255, SRC4, v3(255, 255, 1, [f"203.0.113.{i}" for i in range(1, 256)])),
    "v3_ipv6": group6(7, SRC6, v3(7, 254, 10, ["fe80::7", "2001:db8::7"], P6)),
    "v3_ipv6_255_addresses": group6(7, SRC6, v3(7, 100, 100, ["fe80::7"] + [f"2001:db8::{i:x}" for i in range(1, 255)], P6)),
    "garp": arp("ff:ff:ff:ff:ff:ff", 1, "00:00:5e:00:01:07", "198.51.100.7", "00:00:5e:00:01:07", "198.51.100.7"),
    "arp_request": arp("ff:ff:ff:ff:ff:ff", 1, ASKER, "198.51.100.9", "00:00:00:00:00:00", "198.51.100.7"),
    "arp_reply": arp(ASKER, 2, "00:00:5e:00:01:07", "198.51.100.7", ASKER, "198.51.100.9"),
    "arp_probe": arp("ff:ff:ff:ff:ff:ff", 1, ASKER, "0.0.0.0", "00:00:00:00:00:00", "198.51.100.7"),
    "arp_probe_reply": arp(ASKER, 2, "00:00:5e:00:01:07", "198.51.100.7", ASKER, "0.0.0.0"),
    "na": nd("33:33:00:00:00:01", VMAC, "2001:db8::7", "ff02::1", 136, 0xA0, "2001:db8::7", link_layer(2, VMAC)),
    "ns": nd("33:33:ff:00:00:07", ASKER, "fe80::b", SOLICITED, 135, 0, "2001:db8::7", link_layer(1, ASKER)),
    "ns_without_option": nd(VMAC, ASKER, "fe80::b", "2001:db8::7", 135, 0, "2001:db8::7", b""),
    "na_reply": nd(ASKER, VMAC, "2001:db8::7", "fe80::b", 136, 0xE0, "2001:db8::7", link_layer(2, VMAC)),
    "ns_dad": nd("33:33:ff:00:00:07", ASKER, "::", SOLICITED, 135, 0, "2001:db8::7", b""),
    # Each of these breaks one rule of RFC 4861 section 7.1.1, its checksum being right.
    "bad_ns_dad_with_option": nd("33:33:ff:00:00:07", ASKER, "::", SOLICITED, 135, 0, "2001:db8::7", link_layer(1, ASKER)),
    "bad_ns_dad_to_unicast": nd(VMAC, ASKER, "::", "2001:db8::7", 135, 0, "2001:db8::7", b""),
    "bad_ns_target_multicast": nd("33:33:ff:00:00:07", ASKER, "fe80::b", SOLICITED, 135, 0, "ff02::1", link_layer(1, ASKER)),
    "bad_ns_option_length_zero": nd("33:33:ff:00:00:07", ASKER, "fe80::b", SOLICITED, 135, 0, "2001:db8::7", bytes([1, 0]) + bytes(6)),
    "bad_ns_option_beyond_end": nd("33:33:ff:00:00:07", ASKER, "fe80::b", SOLICITED, 135, 0, "2001:db8::7", bytes([1, 2]) + bytes(6)),
    "bad_ns_source_multicast": nd("33:33:ff:00:00:07", ASKER, "ff02::5", SOLICITED, 135, 0, "2001:db8::7", b""),
    "ns_group_source_option": nd("33:33:ff:00:00:07", ASKER, "fe80::b", SOLICITED, 135, 0, "2001:db8::7", link_layer(1, "ff:ff:ff:ff:ff:ff")),
    "ns_two_options": nd("33:33:ff:00:00:07", ASKER, "fe80::b", SOLICITED, 135, 0, "2001:db8::7", bytes([14, 2]) + bytes(14) + link_layer(1, ASKER)),
}
FRAMES["bad_ns_hop_limit"] = FRAMES["ns"][:21] + b"\xfe" + FRAMES["ns"][22:]

if __name__ == "__main__":
    print("# Written by vectors.py from the formats of the RFCs.")
    for name, frame in FRAMES.items():
        print(name, frame.hex())
