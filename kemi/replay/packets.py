"""From a frame to what a transport carried: link layers, IPv4 and IPv6, fragments.

Lengths that the headers claim are never trusted beyond what was captured, and checksums are not looked at:
a capture on the sending machine has them from before the network card filled them in.
"""

from collections import OrderedDict
from typing import NamedTuple

__all__ = ["AGE", "TCP", "UDP", "Fragments", "Packet", "Part", "known_link", "network", "packet_of"]

TCP, UDP = 6, 17

AGE = 30_000_000_000
"""Nanoseconds after which nobody waits for the rest of a datagram or stream (RFC 1122 section 3.3.2)."""

_ETHERNET, _SLL, _SLL2 = 1, 113, 276
_FIXED = {0: 4, 108: 4, 12: 0, 14: 0, 101: 0, 228: 0, 229: 0}
"""Link types where IP stands behind so many bytes: BSD loopback and raw IP."""

_TAGS = frozenset({b"\x81\x00", b"\x88\xa8", b"\x91\x00", b"\x92\x00"})
"""Ether types of VLAN tags."""
_IP = frozenset({b"\x08\x00", b"\x86\xdd"})


class Packet(NamedTuple):
    """What IP carried. Addresses are as on the wire; `whole` is False where some of it is missing."""

    protocol: int
    source: bytes
    target: bytes
    payload: bytes
    whole: bool


def known_link(link: int) -> bool:
    """Whether frames of a link type can be read."""
    return link in _FIXED or link in (_ETHERNET, _SLL, _SLL2)


def network(link: int, data: bytes) -> int:
    """Where IP begins in a frame; -1 where it holds none."""
    if link == _ETHERNET:
        kind, at = data[12:14], 14
    elif link == _SLL:
        kind, at = data[14:16], 16
    elif link == _SLL2:
        kind, at = data[0:2], 20
    else:
        return _FIXED.get(link, -1)
    while kind in _TAGS:
        kind = data[at + 2 : at + 4]
        at += 4
    return at if kind in _IP else -1


class Part(NamedTuple):
    """A fragment: what stands `offset` bytes into a datagram, and whether `more` follows."""

    packet: Packet
    identity: bytes
    offset: int
    more: bool


def packet_of(data: bytes, at: int, *, whole: bool) -> Packet | Part | None:
    """Read the IP packet that begins at `at`; `whole`: nothing of the frame was cut off."""
    if at < 0 or len(data) < at + 20:
        return None
    version = data[at] >> 4
    if version == 4:
        return _ipv4(data, at, whole=whole)
    return _ipv6(data, at, whole=whole) if version == 6 and len(data) >= at + 40 else None


def _ipv4(data: bytes, at: int, *, whole: bool) -> Packet | Part | None:
    header = (data[at] & 0x0F) * 4
    if header < 20:
        return None
    # Where the network card cuts large segments the length is 0: all that was captured.
    length = int.from_bytes(data[at + 2 : at + 4]) or len(data) - at
    payload = data[at + header : at + length]
    complete = whole or len(payload) >= length - header
    packet = Packet(data[at + 9], data[at + 12 : at + 16], data[at + 16 : at + 20], payload, complete)
    field = int.from_bytes(data[at + 6 : at + 8])
    more, offset = bool(field & 0x2000), (field & 0x1FFF) * 8
    if not more and not offset:
        return packet
    return Part(packet, data[at + 9 : at + 10] + data[at + 4 : at + 6], offset, more)


_EXTENSIONS = frozenset({0, 43, 60})
"""Hop-by-hop options, routing, destination options: what follows stands behind them."""
_FRAGMENT, _AUTHENTICATION = 44, 51


def _ipv6(data: bytes, at: int, *, whole: bool) -> Packet | Part | None:
    length = int.from_bytes(data[at + 4 : at + 6]) or len(data) - at - 40
    end = at + 40 + length
    complete = whole or len(data) >= end
    source, target = data[at + 8 : at + 24], data[at + 24 : at + 40]
    following, here = data[at + 6], at + 40
    part = None
    while here + 8 <= len(data):
        if following in _EXTENSIONS:
            following, here = data[here], here + 8 + data[here + 1] * 8
        elif following == _AUTHENTICATION:
            following, here = data[here], here + 8 + data[here + 1] * 4
        elif following == _FRAGMENT:
            field = int.from_bytes(data[here + 2 : here + 4])
            part = (data[here + 4 : here + 8], field & 0xFFF8, bool(field & 1))
            following, here = data[here], here + 8
            if part[1]:
                break  # what follows is the middle of something
        else:
            break
    packet = Packet(following, source, target, data[here:end], complete)
    return packet if part is None else Part(packet, *part)


class Fragments:
    """Puts datagrams together from their fragments; holds a bounded number, and none for longer than AGE."""

    def __init__(self, most: int = 256) -> None:
        self._most = most
        self._held: OrderedDict[tuple[bytes, bytes, bytes], _Datagram] = OrderedDict()

    def take(self, part: Part, at: int) -> list[Packet]:
        """Add a fragment at a time: what became whole, and what nobody waits for any more (as not whole)."""
        given = self._late(at)
        key = (part.packet.source, part.packet.target, part.identity)
        datagram = self._held.get(key)
        if datagram is None:
            datagram = self._held[key] = _Datagram(at)
        datagram.add(part)
        packet = datagram.whole()
        if packet is not None:
            del self._held[key]
            given.append(packet)
        elif len(self._held) > self._most:
            given.append(self._held.popitem(last=False)[1].rest())
        return given

    def _late(self, at: int) -> list[Packet]:
        given = []
        while self._held:
            oldest = next(iter(self._held.values()))
            if abs(at - oldest.since) <= AGE:
                break
            given.append(self._held.popitem(last=False)[1].rest())
        return given

    def rest(self) -> list[Packet]:
        """What never became whole, at the end of the file."""
        given = [datagram.rest() for datagram in self._held.values()]
        self._held.clear()
        return given


class _Datagram:
    """The fragments of one datagram."""

    def __init__(self, since: int) -> None:
        self.since = since
        self._parts: dict[int, Packet] = {}
        self._end: int | None = None

    def add(self, part: Part) -> None:
        known = self._parts.get(part.offset)
        if known is None or len(known.payload) < len(part.packet.payload):
            self._parts[part.offset] = part.packet
        if not part.more:
            self._end = part.offset + len(part.packet.payload)

    def _joined(self) -> bytes:
        """What there is from the beginning on without a gap."""
        joined = bytearray()
        for offset, packet in sorted(self._parts.items()):
            if offset > len(joined):
                break
            if offset + len(packet.payload) > len(joined):
                joined[offset:] = packet.payload
        return bytes(joined)

    def whole(self) -> Packet | None:
        if self._end is None or 0 not in self._parts:
            return None
        joined = self._joined()
        if len(joined) < self._end:
            return None
        return self._parts[0]._replace(
            payload=joined[: self._end], whole=all(packet.whole for packet in self._parts.values())
        )

    def rest(self) -> Packet:
        some = next(iter(self._parts.values()))
        return some._replace(payload=self._joined(), whole=False)
