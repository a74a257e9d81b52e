"""A reader for classic pcap files of Ethernet-framed loopback: IPv4 with UDP, and whatever else has no ports.

Format: https://www.ietf.org/archive/id/draft-gharris-opsawg-pcap-01.html. A file that is still being
written reads to its last whole packet.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from demo.sip import Address

MICROSECONDS, NANOSECONDS = 0xA1B2C3D4, 0xA1B23C4D
ETHERNET = 1
ETHERTYPE_IPV4 = 0x0800
UDP = 17


@dataclass(frozen=True, slots=True)
class Packet:
    """One IPv4 packet; `at` is seconds since the epoch, ports are 0 for what is not UDP."""

    at: float
    protocol: int
    source: Address
    target: Address
    payload: bytes


def read_pcap(path: Path) -> Iterator[Packet]:
    """Give the packets of a capture in the order they were captured; ValueError for another format."""
    data = path.read_bytes()
    if len(data) < 24:
        return
    order = "<" if data[0] in {MICROSECONDS & 0xFF, NANOSECONDS & 0xFF} else ">"
    magic, link = struct.unpack_from(f"{order}I16xI", data)
    if magic not in {MICROSECONDS, NANOSECONDS} or link != ETHERNET:
        raise ValueError(f"{path}: a classic pcap file with Ethernet frames expected")
    unit = 1e-9 if magic == NANOSECONDS else 1e-6
    offset = 24
    while offset + 16 <= len(data):
        seconds, fraction, length = struct.unpack_from(f"{order}III", data, offset)
        offset += 16
        frame = data[offset : offset + length]
        if len(frame) < length:
            return
        offset += length
        packet = _ipv4(seconds + fraction * unit, frame)
        if packet:
            yield packet


def _ipv4(at: float, frame: bytes) -> Packet | None:
    """Take an Ethernet frame apart. Fragments do not occur on loopback, whose MTU is 65536."""
    if len(frame) < 34 or frame[12:14] != ETHERTYPE_IPV4.to_bytes(2):
        return None
    header = 4 * (frame[14] & 0x0F)
    (total,) = struct.unpack_from(">H", frame, 16)
    protocol = frame[23]
    source, target = (".".join(map(str, frame[start : start + 4])) for start in (26, 30))
    content = frame[14 + header : 14 + total]
    if protocol != UDP:
        return Packet(at, protocol, (source, 0), (target, 0), content)
    from_port, to_port = struct.unpack_from(">HH", content)
    return Packet(at, protocol, (source, from_port), (target, to_port), content[8:])
