"""SIP messages out of TCP segments: put in order by sequence number, framed by Content-Length.

Only streams that speak SIP are held, and of these only what is not yet a message's head: a file may hold
any number of other connections. One direction of a connection is a stream; the other one is another.
"""

import re
from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from kemi.replay.packets import AGE

__all__ = ["Flow", "Heard", "Segment", "Streams"]

Flow: TypeAlias = tuple[bytes, int, bytes, int]
"""Source address and port, target address and port."""

LONGEST_HEAD = 1 << 16
LONGEST_GAP = 1 << 16
MOST_BEHIND = 256
"""Bytes and segments behind a gap that are kept for the case that it is filled."""

_BLANK = b"\r\n\t \0"
_BEGINS = re.compile(rb"[A-Z][!-~]{0,31} [^\n]*\Z", re.IGNORECASE)
_BECOMES = re.compile(rb"[A-Z][!-~]{0,31}(?: [^\n]*)?\Z", re.IGNORECASE)
_FIRST_LINE = re.compile(rb"(?:SIP/2\.0 \d{3}|\S+ \S+ +SIP/2\.0[ \t]*\r?\Z)", re.IGNORECASE)
_HEAD_ENDS = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"^(?:content-length|l)[ \t]*:[ \t]*(\d{1,9})", re.IGNORECASE | re.MULTILINE)


class Segment(NamedTuple):
    """A TCP segment. `number` and `at` are its packet's; `opens`: it has SYN set."""

    flow: Flow
    sequence: int
    opens: bool
    data: bytes
    number: int
    at: int


class Heard(NamedTuple):
    """The head of a message of a stream, with the packet it began in; `whole` False: the rest is missing."""

    flow: Flow
    number: int
    at: int
    data: bytes
    whole: bool


def _begins(data: bytes, unfinished: re.Pattern[bytes] = _BEGINS) -> bool:
    """Whether a SIP message can begin so; `unfinished` is for a first line that has no end yet."""
    line, newline, _ = data.lstrip(_BLANK)[:4096].partition(b"\n")
    return bool(_FIRST_LINE.match(line)) if newline else bool(unfinished.match(line))


class _Stream:
    """One direction of a connection, in step with it up to the sequence number `next`."""

    def __init__(self, flow: Flow, sequence: int) -> None:
        self.flow = flow
        self.next = sequence
        self.seen = 0
        self._head = bytearray()
        self._began = (0, 0)
        self._skip = 0
        self._later: dict[int, Segment] = {}

    @property
    def held(self) -> int:
        """Bytes that are kept."""
        return len(self._head) + sum(len(segment.data) for segment in self._later.values())

    @property
    def idle(self) -> bool:
        """Whether nothing was heard yet: only then a SYN that is sent again changes nothing."""
        return not (self._head or self._skip or self._later)

    def take(self, segment: Segment) -> Iterator[Heard]:
        """Take a segment; gives what became whole."""
        self.seen = segment.at
        ahead = (segment.sequence - self.next + 0x80000000) % 0x100000000 - 0x80000000
        if ahead > 0:
            self._later.setdefault(segment.sequence, segment)
            return
        yield from self._append(segment, -ahead)
        while self._later:
            for sequence, later in list(self._later.items()):
                behind = (self.next - sequence + 0x80000000) % 0x100000000 - 0x80000000
                if behind >= 0:
                    del self._later[sequence]
                    yield from self._append(later, behind)
                    break
            else:
                return

    def waits_in_vain(self, at: int) -> bool:
        """Whether what is missing will not come any more."""
        if not self._later:
            return False
        if len(self._later) > MOST_BEHIND or abs(at - next(iter(self._later.values())).at) > AGE:
            return True
        return sum(len(each.data) for each in self._later.values()) > LONGEST_GAP

    def give_up(self) -> tuple[list[Heard], list[Segment]]:
        """The message that will never be whole, and the segments behind the gap."""
        head = bytes(self._head)
        heard = [Heard(self.flow, *self._began, head, whole=False)] if head.strip(_BLANK) else []
        later = sorted(self._later.values(), key=lambda each: (each.sequence - self.next) % 0x100000000)
        return heard, later

    def _append(self, segment: Segment, known: int) -> Iterator[Heard]:
        fresh = segment.data[known:]
        if not fresh:
            return
        self.next = (self.next + len(fresh)) % 0x100000000
        while fresh:
            if self._skip:
                passed = min(self._skip, len(fresh))
                self._skip -= passed
                fresh = fresh[passed:]
                continue
            if not self._head:
                fresh = fresh.lstrip(_BLANK)
                self._began = (segment.number, segment.at)
                if not fresh:
                    return
            before = len(self._head)
            self._head += fresh
            # The blank line can stand across two segments.
            end = _HEAD_ENDS.search(self._head, max(0, before - 3))
            if end is None:
                return
            head = bytes(self._head[: end.end()])
            fresh = fresh[end.end() - before :]
            self._head.clear()
            length = _LENGTH.search(head)
            self._skip = int(length[1]) if length else 0
            yield Heard(self.flow, *self._began, head, whole=True)

    def speaks_sip(self) -> bool:
        """Whether what is held can still become a SIP message."""
        if not self._head:
            return True
        return len(self._head) <= LONGEST_HEAD and _begins(bytes(self._head[:4096]), _BECOMES)


class Streams:
    """All streams of a capture that may carry SIP; bounded in number, in bytes and in age."""

    def __init__(self, most: int = 4096, most_bytes: int = 64 << 20) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._streams: OrderedDict[Flow, _Stream] = OrderedDict()

    def take(self, segment: Segment) -> Iterator[Heard]:
        """Take a segment of any connection; gives the heads of the messages that it completes."""
        stream = self._streams.get(segment.flow)
        if segment.opens:
            if stream is not None and not stream.idle:
                yield from self._drop(stream)[0]
            self._begin(segment, (segment.sequence + 1) % 0x100000000)
            return
        if not segment.data:
            return
        if stream is None:
            if not _begins(segment.data):
                return
            stream = self._begin(segment, segment.sequence)
        self._streams.move_to_end(segment.flow)
        before = stream.held
        yield from stream.take(segment)
        self._bytes += stream.held - before
        if not stream.speaks_sip():
            self._drop(stream)
        elif stream.waits_in_vain(segment.at):
            heard, later = self._drop(stream)
            yield from heard
            for each in later:
                yield from self.take(each)
        yield from self._bound()

    def _begin(self, segment: Segment, sequence: int) -> _Stream:
        stream = self._streams[segment.flow] = _Stream(segment.flow, sequence)
        return stream

    def _drop(self, stream: _Stream) -> tuple[list[Heard], list[Segment]]:
        del self._streams[stream.flow]
        self._bytes -= stream.held
        return stream.give_up()

    def _bound(self) -> Iterator[Heard]:
        while len(self._streams) > self._most or self._bytes > self._most_bytes:
            yield from self._drop(next(iter(self._streams.values())))[0]

    def rest(self) -> Iterator[Heard]:
        """What never became whole, at the end of the file."""
        while self._streams:
            heard, later = self._drop(next(iter(self._streams.values())))
            yield from heard
            for each in later:
                yield from self.take(each)
