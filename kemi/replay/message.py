r"""A SIP request as text: what Kamailio reads of an INVITE, and what the edge asks of it.

Read as Kamailio's parser does (src/core/parser): blank lines before the request line, names in any case, in
their short form and with blanks before the colon, lines that end in LF alone, values folded over lines,
headers that came several times joined by ", ". Bytes that are no UTF-8 become \xNN, as at the edge.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

__all__ = ["Message", "UnreadableError", "Via", "parse"]

SHORT: Mapping[str, str] = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
    "c": "content-type",
    "e": "content-encoding",
    "k": "supported",
    "s": "subject",
    "b": "referred-by",
    "r": "refer-to",
    "o": "event",
    "u": "allow-events",
    "x": "session-expires",
}
"""Short forms of header names (RFC 3261 section 7.3.3 and the registry of header fields)."""

_REQUEST = re.compile(r"([^ \t\r\n]+)[ \t]+([^ \t\r\n]+)[ \t]+SIP/2\.0[ \t]*\r?\Z", re.IGNORECASE)
_HEADER = re.compile(r"([^\s:]+)[ \t]*:[ \t]*(.*)\Z", re.DOTALL)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_TAG = re.compile(r";\s*tag\s*=\s*[^\s;,]", re.IGNORECASE)
_VIA = re.compile(
    r"SIP\s*/\s*2\.0\s*/\s*\w+\s+(\[[^\]]*\]|[^\s:;,]+)(?:\s*:\s*(\d{1,5}))?([^,]*)", re.IGNORECASE
)
_PARAMETER = re.compile(r";\s*(\w+)\s*=\s*(\[[^\]]*\]|[^\s;,]+)")

SHOWN = 40
"""Characters of a line that a complaint repeats."""


class UnreadableError(Exception):
    """Kamailio would not take this for a request either; the message says why."""


class Via(NamedTuple):
    """Who sent a request: its own word, and what the next one saw (RFC 3261 section 18.2.1, RFC 3581)."""

    host: str
    port: int | None
    branch: str


class Message(msgspec.Struct, frozen=True):
    """A request; `headers` are in the order they came, by their long names in small letters."""

    method: str
    ruri: str
    headers: tuple[tuple[str, str], ...]

    def value(self, name: str) -> str | None:
        """The whole value of a header, None where there is none."""
        values = [value for each, value in self.headers if each == name]
        return ", ".join(values) if values else None

    def first(self, name: str) -> str | None:
        """The value of the first header of a name."""
        return next((value for each, value in self.headers if each == name), None)

    @property
    def within_dialog(self) -> bool:
        """Whether To has a tag."""
        return has_tag(self.first("to") or "")

    @property
    def via(self) -> Via | None:
        """The topmost Via."""
        found = _VIA.match(self.first("via") or "")
        if not found:
            return None
        parameters = {name.lower(): value for name, value in _PARAMETER.findall(found[3])}
        host = str(parameters.get("received", found[1])).strip("[]")
        port = parameters.get("rport", "")
        if not port.isascii() or not port.isdigit() or len(port) > 5:
            port = found[2] or ""
        return Via(host, int(port) if port else None, parameters.get("branch", ""))


def has_tag(value: str) -> bool:
    """Whether an address has a tag: of the header, not of the URI in brackets."""
    bare = _QUOTED.sub("", value)
    return bool(_TAG.search(bare.rpartition(">")[2]))


def parse(data: bytes) -> Message:
    """Read a request. Raises UnreadableError."""
    text = data.lstrip(b"\r\n\0\t ").decode("utf-8", "backslashreplace")
    lines = text.split("\n")
    request = _REQUEST.match(lines[0])
    if not request:
        raise UnreadableError(f"the request line is not METHOD URI SIP/2.0: {_shown(lines[0])}")
    headers: list[tuple[str, str]] = []
    for number, ended in enumerate(lines[1:], 2):
        line = ended.rstrip("\r")
        if not line:
            break
        if line[0] in " \t" and headers:
            name, value = headers[-1]
            headers[-1] = (name, f"{value} {line.strip()}".strip())
            continue
        header = _HEADER.match(line)
        if not header:
            raise UnreadableError(f"line {number} is no header: {_shown(line)}")
        name = header[1].lower()
        headers.append((SHORT.get(name, name), header[2].strip()))
    if not headers:
        raise UnreadableError("there is no header")
    return Message(request[1].upper(), request[2], tuple(headers))


def _shown(line: str) -> str:
    line = line.strip()
    return repr(line if len(line) <= SHOWN else f"{line[:SHOWN]}…")
