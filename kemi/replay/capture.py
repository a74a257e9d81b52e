"""Captures: the frames of a pcap or pcapng file, one after the other, whatever the length of the file.

Formats: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng. A file that is still being written, or that
was cut, is read to its last whole packet. Written here and not taken from dpkt (the last release is of
2022): its pcapng reader knows one interface a file, and it has neither fragments nor streams.
"""

from collections.abc import Iterator
from struct import Struct
from typing import BinaryIO, NamedTuple

from kemi.replay.raw import Note

__all__ = ["MAGICS", "Frame", "frames"]

LONGEST = 1 << 20
"""No frame is longer; capturing programs stop at 262,144 bytes."""

_UNITS = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}
"""Nanoseconds in the unit of time, by a pcap file's first word."""
_SECTION = 0x0A0D0D0A
_ORDER = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}

MAGICS = frozenset(
    [magic.to_bytes(4, order) for magic in _UNITS for order in ("little", "big")] + [_SECTION.to_bytes(4)]
)
"""How a capture begins."""


class Frame(NamedTuple):
    """What was captured. `at` is in nanoseconds since 1970; `whole` is False where the capture cut it."""

    number: int
    at: int
    link: int
    data: bytes
    whole: bool


def frames(file: BinaryIO, note: Note) -> Iterator[Frame]:
    """The frames of a capture; `file` begins with one of MAGICS."""
    magic = file.read(4)
    if magic == _SECTION.to_bytes(4):
        yield from _Sections(file, note).frames()
        return
    for order in ("<", ">"):
        unit = _UNITS.get(Struct(f"{order}I").unpack(magic)[0])
        if unit is not None:
            yield from _classic(file, order, unit, note)


def _classic(file: BinaryIO, order: str, unit: int, note: Note) -> Iterator[Frame]:
    head = Struct(f"{order}16xI")
    first = file.read(head.size)
    if len(first) < head.size:
        return
    # The upper bits say how long the frame check sequence is.
    link = head.unpack(first)[0] & 0xFFFF
    record = Struct(f"{order}IIII")
    number = 0
    while len(found := file.read(record.size)) == record.size:
        seconds, fraction, length, original = record.unpack(found)
        if length > LONGEST:
            note(f"broken after packet {number}: the rest was not read")
            return
        data = file.read(length)
        if len(data) < length:
            break
        number += 1
        yield Frame(number, seconds * 1_000_000_000 + fraction * unit, link, data, length >= original)
    if found:
        note(f"ends in the middle of packet {number + 1}")


class _Interface(NamedTuple):
    """An interface of a pcapng section: its link type, and how its time is counted."""

    link: int
    ticks: int
    offset: int


class _BrokenError(Exception):
    """The file cannot be followed any further."""


class _Sections:
    """Reads pcapng blocks; the file stands behind the first word of the first block."""

    def __init__(self, file: BinaryIO, note: Note) -> None:
        self._file = file
        self._note = note
        self._number = 0
        self._order = "<"
        self._word = Struct("<I")
        self._interfaces: list[_Interface] = []

    def frames(self) -> Iterator[Frame]:
        kind: int | None = _SECTION
        try:
            while kind is not None:
                if kind == _SECTION:
                    self._section()
                else:
                    frame = self._block(kind)
                    if frame is not None:
                        yield frame
                kind = self._next()
        except EOFError:
            self._note(f"ends in the middle of a block, after packet {self._number}")
        except _BrokenError:
            self._note(f"broken after packet {self._number}: the rest was not read")

    def _read(self, length: int) -> bytes:
        data = self._file.read(length)
        if len(data) < length:
            raise EOFError
        return data

    def _skip(self, length: int) -> None:
        while length > 0:
            length -= len(self._read(min(length, LONGEST)))

    def _next(self) -> int | None:
        first = self._file.read(4)
        if not first:
            return None
        if len(first) < 4:
            raise EOFError
        kind: int = self._word.unpack(first)[0]
        return kind

    def _length(self, found: bytes) -> int:
        """How much of a block follows its first two words, without the length at its end."""
        length: int = self._word.unpack(found)[0]
        if length < 12 or length % 4:
            raise _BrokenError
        return length - 12

    def _section(self) -> None:
        length, mark = self._read(4), self._read(4)
        if mark not in _ORDER:
            raise _BrokenError
        self._order = _ORDER[mark]
        self._word = Struct(f"{self._order}I")
        self._interfaces = []
        self._skip(self._length(length) - 4)
        self._skip(4)

    def _block(self, kind: int) -> Frame | None:
        length = self._length(self._read(4))
        frame = None
        if kind in (1, 2, 3, 6) and length <= LONGEST:
            frame = self._known(kind, self._read(length))
        else:
            self._skip(length)
        self._skip(4)
        return frame

    def _known(self, kind: int, body: bytes) -> Frame | None:
        if kind == 1:
            self._interface(body)
            return None
        self._number += 1
        if kind == 3:
            return self._simple(body)
        # An enhanced packet (6), or its predecessor (2), which also counts drops in its first word.
        head = Struct(f"{self._order}{'IIIII' if kind == 6 else 'HxxIIII'}")
        if len(body) < head.size:
            return None
        index, high, low, length, original = head.unpack_from(body)
        if index >= len(self._interfaces):
            return None
        link, ticks, offset = self._interfaces[index]
        at = (high << 32 | low) * 1_000_000_000 // ticks + offset * 1_000_000_000
        data = body[head.size : head.size + length]
        return Frame(self._number, at, link, data, length >= original)

    def _simple(self, body: bytes) -> Frame | None:
        if len(body) < 4 or not self._interfaces:
            return None
        original = self._word.unpack_from(body)[0]
        data = body[4 : 4 + original]
        return Frame(self._number, 0, self._interfaces[0].link, data, len(data) >= original)

    def _interface(self, body: bytes) -> None:
        link, ticks, offset = 0, 1_000_000, 0
        if len(body) >= 8:
            link = Struct(f"{self._order}H").unpack_from(body)[0]
        option = Struct(f"{self._order}HH")
        at = 8
        while at + 4 <= len(body):
            code, length = option.unpack_from(body, at)
            value = body[at + 4 : at + 4 + length]
            at += 4 + (length + 3) // 4 * 4
            if code == 9 and len(value) == 1:
                # if_tsresol: a power of ten, or of two where the top bit is set.
                power = value[0] & 0x7F
                ticks = 1 << power if value[0] & 0x80 else 10**power
            elif code == 14 and len(value) == 8:
                offset = Struct(f"{self._order}q").unpack(value)[0]
        self._interfaces.append(_Interface(link, ticks, offset))
