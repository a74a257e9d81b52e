"""Captures made by hand: SIP in UDP and TCP, in IPv4 and IPv6, in every link layer, in pcap and pcapng."""

import struct
from ipaddress import ip_address

ETHERNET, NULL, RAW, LOOP, SLL, SLL2 = 1, 0, 101, 108, 113, 276
UDP, TCP = 6 + 11, 6
AT = 1_800_000_000_000_000_000
"""2027-01-15T08:00:00Z in nanoseconds."""


def invite(
    *headers: str,
    ruri: str = "sip:+74957654321@192.0.2.1",
    calling: str = "<sip:+79161234567@198.51.100.7>",
    call_id: str = "a@b",
    via: str = "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK1",
    body: str = "",
) -> bytes:
    lines = [
        f"INVITE {ruri} SIP/2.0",
        f"Via: {via}",
        "Max-Forwards: 70",
        f"From: {calling};tag=1",
        f"To: <{ruri}>",
        f"Call-ID: {call_id}",
        "CSeq: 1 INVITE",
        *headers,
        f"Content-Length: {len(body.encode())}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def udp(data: bytes, source: int = 5060, target: int = 5060) -> bytes:
    return struct.pack(">HHHH", source, target, 8 + len(data), 0) + data


def tcp(data: bytes, sequence: int, source: int = 40000, target: int = 5060, flags: int = 0x18) -> bytes:
    return struct.pack(">HHIIBBHHH", source, target, sequence % 2**32, 0, 0x50, flags, 65535, 0, 0) + data


SYN = 2


def ipv4(
    payload: bytes,
    protocol: int = UDP,
    source: str = "198.51.100.7",
    target: str = "192.0.2.1",
    *,
    fragment: int = 0,
    more: bool = False,
    identity: int = 7,
) -> bytes:
    head = struct.pack(
        ">BBHHHBBH", 0x45, 0, 20 + len(payload), identity, fragment // 8 | more << 13, 64, protocol, 0
    )
    return head + ip_address(source).packed + ip_address(target).packed + payload


def ipv6(
    payload: bytes, protocol: int = UDP, source: str = "2001:db8::7", target: str = "2001:db8::1"
) -> bytes:
    head = struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64)
    return head + ip_address(source).packed + ip_address(target).packed + payload


def ipv6_fragment(payload: bytes, offset: int, *, more: bool, protocol: int = UDP) -> bytes:
    return ipv6(struct.pack(">BBHI", protocol, 0, offset | more, 99) + payload, 44)


def in_link(link: int, packet: bytes) -> bytes:
    kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    if link == ETHERNET:
        return bytes(12) + struct.pack(">H", kind) + packet
    if link in (NULL, LOOP):
        return struct.pack("<I" if link == NULL else ">I", 30 if kind == 0x86DD else 2) + packet
    if link == SLL:
        return struct.pack(">HHH8sH", 0, 1, 6, bytes(8), kind) + packet
    if link == SLL2:
        return struct.pack(">HHIHBB8s", kind, 0, 1, 1, 0, 6, bytes(8)) + packet
    return packet


def tagged(packet: bytes) -> bytes:
    """Ethernet with two VLAN tags."""
    return bytes(12) + struct.pack(">HHHH", 0x88A8, 5, 0x8100, 6) + b"\x08\x00" + packet


def pcap(
    *frames: bytes, link: int = ETHERNET, order: str = "<", magic: int = 0xA1B2C3D4, cut: int = 1 << 18
) -> bytes:
    unit = 1000 if magic == 0xA1B2C3D4 else 1
    made = struct.pack(f"{order}IHHIIII", magic, 2, 4, 0, 0, cut, link)
    for number, frame in enumerate(frames):
        seconds, rest = divmod(AT + number * 1_000_000, 1_000_000_000)
        kept = frame[:cut]
        made += struct.pack(f"{order}IIII", seconds, rest // unit, len(kept), len(frame)) + kept
    return made


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(f"{order}I", 12 + len(body))
    return struct.pack(f"{order}I", kind) + length + body + length


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int = ETHERNET, order: str = "<", resolution: int | None = None) -> bytes:
    options = b"" if resolution is None else struct.pack(f"{order}HHBxxxHH", 9, 1, resolution, 0, 0)
    return block(1, struct.pack(f"{order}HHI", link, 0, 0) + options, order)


def enhanced(frame: bytes, index: int = 0, at: int = AT // 1000, order: str = "<") -> bytes:
    head = struct.pack(f"{order}IIIII", index, at >> 32, at & 0xFFFFFFFF, len(frame), len(frame))
    return block(6, head + frame, order)
