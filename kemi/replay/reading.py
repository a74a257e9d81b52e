"""The INVITEs of a file, whatever kind of file it is: nothing is looked up here, and nothing decided."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address
from typing import BinaryIO

from kemi.replay import capture, text
from kemi.replay.packets import TCP, UDP, Fragments, Packet, Part, known_link, network, packet_of
from kemi.replay.raw import Note, Raw
from kemi.replay.streams import Heard, Segment, Streams

__all__ = ["UnknownFileError", "invites"]

_PACKED = {b"\x1f\x8b": "gunzip", b"\x28\xb5": "unzstd", b"\xfd7": "unxz", b"BZ": "bunzip2", b"PK": "unzip"}
"""How files begin that must be unpacked first, and with what."""

# Kamailio passes over blanks before the request line.
_INVITE = re.compile(rb"[\s\0]{0,64}INVITE[ \t\r\n]", re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UnknownFileError(Exception):
    """The file is no capture and no text with SIP messages; the message says what to do."""


def invites(file: BinaryIO, note: Note) -> Iterator[Raw]:
    """The INVITEs of a capture or a text, in the order they became whole. Raises UnknownFileError.

    `file` is read from where it stands and only forward. `note` is told what of it could not be read.
    """
    first = file.peek(4)[:4] if hasattr(file, "peek") else b""
    if first in capture.MAGICS:
        yield from _Capture(note).invites(file)
        return
    if first[:2] in _PACKED:
        raise UnknownFileError(f"is packed: unpack it first ({_PACKED[first[:2]]})")
    try:
        yield from text.invites(file)
    except text.NoMessagesError:
        raise UnknownFileError(
            "is no pcap or pcapng capture, and there is no SIP message in it: save the messages as text, "
            'each from its first line ("INVITE sip:… SIP/2.0") on'
        ) from None


class _Capture:
    """Reads a capture: frames, packets, fragments, streams."""

    def __init__(self, note: Note) -> None:
        self._note = note
        self._fragments = Fragments()
        self._streams = Streams()
        self._unknown: dict[int, int] = {}

    def invites(self, file: BinaryIO) -> Iterator[Raw]:
        number = at = 0
        for number, at, link, data, whole in capture.frames(file, self._note):
            begins = network(link, data)
            if begins < 0:
                if not known_link(link):
                    self._unknown[link] = self._unknown.get(link, 0) + 1
                continue
            packet = packet_of(data, begins, whole=whole)
            if packet is None:
                continue
            if isinstance(packet, Part):
                for each in self._fragments.take(packet, at):
                    yield from self._transport(each, number, at)
            else:
                yield from self._transport(packet, number, at)
        for each in self._fragments.rest():
            yield from self._transport(each, number, at)
        for heard in self._streams.rest():
            yield from _heard(heard)
        for link, count in sorted(self._unknown.items()):
            self._note(f"{count} packets are of link type {link}, which is not read here")

    def _transport(self, packet: Packet, number: int, at: int) -> Iterator[Raw]:
        protocol, source, target, payload, whole = packet
        if protocol == UDP and len(payload) > 8:
            if _INVITE.match(payload, 8):
                length = int.from_bytes(payload[4:6])
                data = payload[8:length] if length > 8 else payload[8:]
                ports = int.from_bytes(payload[0:2]), int.from_bytes(payload[2:4])
                missing = not whole or len(payload) < length
                yield _raw(number, at, (source, ports[0], target, ports[1]), data, missing=missing)
        elif protocol == TCP and len(payload) >= 20 and whole:
            flow = (source, int.from_bytes(payload[0:2]), target, int.from_bytes(payload[2:4]))
            data = payload[(payload[12] >> 4) * 4 :]
            opens = bool(payload[13] & 2)
            if data or opens:
                segment = Segment(flow, int.from_bytes(payload[4:8]), opens, data, number, at)
                for heard in self._streams.take(segment):
                    yield from _heard(heard)


def _heard(heard: Heard) -> Iterator[Raw]:
    if _INVITE.match(heard.data):
        yield _raw(heard.number, heard.at, heard.flow, heard.data, missing=not heard.whole)


def _raw(number: int, at: int, flow: tuple[bytes, int, bytes, int], data: bytes, *, missing: bool) -> Raw:
    # The body is not needed: what is cut behind the headers is no loss.
    cut = missing and b"\n\r\n" not in data and b"\n\n" not in data
    source, port, target, target_port = flow
    return Raw(
        "packet",
        number,
        _moment(at),
        (_host(source), port),
        (_host(target), target_port),
        data,
        "a part of it is not in the capture" if cut else None,
    )


@lru_cache(maxsize=4096)
def _host(packed: bytes) -> str:
    return str(ip_address(packed))


def _moment(at: int) -> datetime | None:
    """When a packet was captured; None where the capture does not say (simple packets of pcapng)."""
    try:
        return _EPOCH + timedelta(microseconds=at // 1000) if at else None
    except OverflowError:
        return None
