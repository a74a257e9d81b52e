"""Read an initial INVITE: from Kamailio's pseudo-variables to a Call."""

from collections.abc import Iterable
from typing import TypeAlias

import KSR

from kemi.routing.headers import MAY_REPEAT, headers_of
from kemi.routing.model import MEDIA, Call, Directory, Fmc

_MOST = 10
"""Occurrences of one header that are read; an honest call has fewer."""

# What kamailio/routes/ strip or write anew; everything else of a message passes unread.
_NOT_CARRIED = frozenset(
    {
        "contact",
        "m",
        "p-asserted-identity",
        "p-preferred-identity",
        "p-served-user",
        "p-called-party-id",
        "p-access-network-info",
        "cellular-network-info",
        "p-charging-vector",
        "p-associated-uri",
        "identity",
        "y",
        "remote-party-id",
        "diversion",
        "history-info",
        "privacy",
        "loop-guard",
        "route",
    }
)
_ADDRESSED = frozenset({"from", "f", "to", "t"})
"""Of these routing writes the URI; their parameters stay."""


def text(variable: str) -> str | None:
    r"""A pseudo-variable as text; None where the message has none.

    SIP is UTF-8 (RFC 3261 section 25.1), but an old PBX writes its display names in Windows-1251: bytes that
    are no UTF-8 are carried as \xNN. KSR itself raises for them.
    """
    try:
        value: str | None = KSR.pv.get(variable)
    except UnicodeDecodeError as error:
        return error.object.decode("utf-8", "backslashreplace")
    return value


Wanted: TypeAlias = tuple[tuple[str, str, bool], ...]
"""Headers to read: name, pseudo-variable, and whether it may come several times."""


def wanted(names: Iterable[str]) -> Wanted:
    """Prepare names for `read_headers`: each one costs 0.2 to 0.4 µs a call."""
    return tuple((name, f"$hdr({name})", name in MAY_REPEAT) for name in names)


_CONNECTED = wanted(("P-Asserted-Identity", "Remote-Party-ID", "Privacy"))


def read_headers(headers: Wanted) -> dict[str, str]:
    """The headers that the message at hand has, each with its whole value."""
    found = {}
    for name, variable, repeats in headers:
        value = text(variable)
        if value is not None:
            found[name] = _with_others(name, value) if repeats else value
    return found


def connected_headers() -> dict[str, str]:
    """What the reply or the later request at hand says of its sender."""
    return read_headers(_CONNECTED)


def _with_others(name: str, value: str) -> str:
    """Join the values of a header that came several times (RFC 3261 section 7.3.1)."""
    for index in range(1, _MOST):
        another = text(f"$(hdr({name})[{index}])")
        if another is None:
            break
        value += ", " + another
    return value


def carried() -> str:
    """What the far side is sent of this INVITE unread: headers, parameters of From and To, the body."""
    lines = iter((text("$mb") or "").lstrip("\r\n").split("\n"))
    next(lines)
    kept = []
    name = ""
    for line in lines:
        # A lone line feed ends a line for Kamailio too.
        field = line.rstrip("\r")
        if not field:
            break
        if field[0] not in " \t":
            name = field.partition(":")[0].rstrip().lower()
        if name in _ADDRESSED:
            kept.append(field.rpartition(">")[2] if ">" in field else field.partition(";")[2])
        elif name not in _NOT_CARRIED and not name.startswith("x-fmc-"):
            kept.append(field)
    return "\n".join([*kept, *lines])


class Reader:
    """Builds Calls; remembers for each trunk which headers matter, until the directory changes."""

    def __init__(self) -> None:
        self._revision = -1
        self._wanted: dict[str, Wanted] = {}

    def _headers(self, source: str, directory: Directory) -> dict[str, str]:
        if directory.revision != self._revision:
            self._wanted.clear()
            self._revision = directory.revision
        headers = self._wanted.get(source)
        if headers is None:
            trunk = None if source == MEDIA else directory.trunk(source)
            headers = self._wanted[source] = wanted(headers_of(trunk))
        return read_headers(headers)

    def read(self, source: str, directory: Directory, *, media_up: bool) -> Call:
        """Give the INVITE at hand as a value."""
        fmc = None
        if source == MEDIA:
            fmc = Fmc(
                tenant=text("$hdr(X-FMC-Tenant)") or "",
                direction=text("$hdr(X-FMC-Direction)") or "",
                subscriber=text("$hdr(X-FMC-Subscriber)") or None,
                service=text("$hdr(X-FMC-Service)") or None,
            )
        return Call(
            source=source,
            # As it was received: by the time that no media server answers, $ru says what media was sent.
            ruri=text("$ou") or "",
            headers=self._headers(source, directory),
            fmc=fmc,
            media_up=media_up,
            carried="" if media_up else carried(),
        )
