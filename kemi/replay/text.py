"""Text with SIP messages in it: logs, `sngrep` and `ngrep` files, `tcpdump -A`, a mail from an operator.

A message begins with its first line, wherever that stands in the line, and ends before the first line that
cannot belong to its headers. What stands between messages is looked at for time and addresses only.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import BinaryIO

from kemi.replay.raw import Address, Raw

__all__ = ["NoMessagesError", "invites"]

LONGEST_LINE = 1 << 16
MOST_LINES = 2000
"""A head has no more lines than these; Kamailio takes no message of more than 64 kB."""
NEAR = 3
"""So many lines before a message can say when it came, and from where."""

_VERSION = b"SIP/2.0"
# Whatever is between, so that a bad one is shown; and it may stand right behind other bytes (tcpdump -A).
_INVITE = re.compile(rb"INVITE[ \t].*SIP/2\.0[ \t]*\Z", re.IGNORECASE)
_OTHER = re.compile(
    rb"[A-Z]{3,20}[ \t]+[!-~\x80-\xff]+[ \t]+SIP/2\.0[ \t]*\Z|SIP/2\.0[ \t]+[1-6]\d\d\b", re.IGNORECASE
)
# A log's line can begin with the time: no header's name begins with a digit.
_HEADER = re.compile(rb"[A-Z][\w.!%*+`'~-]*[ \t]*:", re.IGNORECASE)

_HOST = r"\[[0-9A-Fa-f:.]+\]|\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:]+(?=\.\d)"
_ADDRESS = rf"({_HOST})(?:[.:](\d{{1,5}}))?"
_TRANSPORT = r"(?:(?:udp|tcp|tls|wss?|sctp)[:/])?"
_ARROW = re.compile(rf"{_ADDRESS}\s*(?:[-=]*>|→)\s*{_TRANSPORT}{_ADDRESS}", re.IGNORECASE)
_FROM_TO = re.compile(rf"\b(from|to)\s+{_TRANSPORT}{_ADDRESS}", re.IGNORECASE)
_TIME = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s?(Z\b|[+-]\d\d:?\d\d\b)?"
)


class NoMessagesError(Exception):
    """There is not one SIP message in the text."""


def invites(file: BinaryIO) -> Iterator[Raw]:
    """The INVITEs of a text. Raises NoMessagesError at its end where no message at all was in it."""
    near: deque[bytes] = deque(maxlen=NEAR)
    message: _Head | None = None
    some = False
    for number, line in enumerate(_lines(file), 1):
        if message is not None:
            if message.take(line):
                continue
            if message.invite is not None:
                yield message.invite
            message = None
            near.clear()
        start = _start(line)
        if start is None:
            if line.strip():
                near.append(line)
            continue
        some = True
        message = _Head(number, line, start, tuple(near))
    if message is not None and message.invite is not None:
        yield message.invite
    if not some:
        raise NoMessagesError


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines without their ends; what is longer than any line of SIP is several."""
    first = True
    while line := file.readline(LONGEST_LINE):
        if first:
            line = line.removeprefix(b"\xef\xbb\xbf")
            first = False
        yield line.rstrip(b"\r\n")


def _start(line: bytes) -> re.Match[bytes] | None:
    """Where a message begins in a line."""
    if _VERSION not in line.upper():
        return None
    return _INVITE.search(line) or _OTHER.search(line)


class _Head:
    """A message whose lines are being collected."""

    def __init__(self, number: int, line: bytes, start: re.Match[bytes], near: Iterable[bytes]) -> None:
        self._number = number
        self._said = line[: start.start()]
        self._near = (*near, self._said)
        self._lines = [line[start.start() :]]
        self._is_invite = start.re is _INVITE
        # What stands before the first line is an indentation, or something else that its line alone has.
        self._indent = self._said if not self._said.strip() else b""

    def take(self, line: bytes) -> bool:
        """Take a line, if it belongs to the head."""
        if not line.strip() or len(self._lines) >= MOST_LINES:
            return False
        if len(self._lines) == 1 and not self._indent:
            # A request line cannot be folded: blanks before the first header stand before all of them.
            self._indent = line[: len(line) - len(line.lstrip(b" \t"))]
        own = line.removeprefix(self._indent)
        folded = own[:1] in (b" ", b"\t") and len(self._lines) > 1
        if not folded and not _HEADER.match(own):
            return False
        self._lines.append(own)
        return True

    @property
    def invite(self) -> Raw | None:
        """The head as an INVITE; None for another message, or where a log only mentions one."""
        if not self._is_invite or (len(self._lines) == 1 and self._said.strip()):
            return None
        source, target = _addresses(self._near)
        data = b"\r\n".join(self._lines) + b"\r\n\r\n"
        return Raw("line", self._number, _moment(self._near), source, target, data)


def _addresses(near: Iterable[bytes]) -> tuple[Address | None, Address | None]:
    for line in reversed(list(near)):
        text = line.decode("ascii", "replace")
        arrow = _ARROW.search(text)
        if arrow:
            return _address(arrow[1], arrow[2]), _address(arrow[3], arrow[4])
        word = _FROM_TO.search(text)
        if word:
            address = _address(word[2], word[3])
            return (address, None) if word[1].lower() == "from" else (None, address)
    return None, None


def _address(host: str, port: str | None) -> Address:
    return host.strip("[]"), int(port) if port else None


def _moment(near: Iterable[bytes]) -> datetime | None:
    for line in reversed(list(near)):
        found = _TIME.search(line.decode("ascii", "replace"))
        if found:
            year, month, day, clock, fraction, zone = found.groups()
            written = f"{year}-{month}-{day}T{clock}.{(fraction or '0')[:6]:0<6}{zone or ''}"
            try:
                return datetime.fromisoformat(written)
            except ValueError:
                return None
    return None
