"""From a message and its source to the Call that the edge would have built of it (kemi.edge.request)."""

from collections.abc import Iterator

from kemi.replay.message import Message
from kemi.routing.model import MEDIA, Call, Directory, Fmc, Trunk

__all__ = ["call_of"]

_MEDIA_HEADERS = ("From", "P-Asserted-Identity", "Privacy", "Diversion")
_TRUNK_HEADERS = (
    "From",
    "To",
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "Remote-Party-ID",
    "Diversion",
    "History-Info",
    "Privacy",
)
_MOBILE_HEADERS = ("P-Served-User", "Route", "Loop-Guard")
_MAY_REPEAT = frozenset(
    {
        "P-Asserted-Identity",
        "P-Preferred-Identity",
        "Remote-Party-ID",
        "Privacy",
        "Diversion",
        "History-Info",
        "Loop-Guard",
    }
)
"""Of these every value counts, of the others the first: as at the edge, which a test holds this to."""


def call_of(message: Message, source: str, directory: Directory) -> Call:
    """The INVITE from this source, with a media server that answers."""
    trunk = None if source == MEDIA else directory.trunk(source)
    fmc = None
    if source == MEDIA:
        fmc = Fmc(
            tenant=message.first("x-fmc-tenant") or "",
            direction=message.first("x-fmc-direction") or "",
            subscriber=message.first("x-fmc-subscriber") or None,
            service=message.first("x-fmc-service") or None,
        )
    return Call(source=source, ruri=message.ruri, headers=dict(_headers(message, trunk)), fmc=fmc)


def _headers(message: Message, trunk: Trunk | None) -> Iterator[tuple[str, str]]:
    for name in _wanted(trunk):
        key = name.lower()
        value = message.value(key) if name in _MAY_REPEAT else message.first(key)
        if value is not None:
            yield name, value


def _wanted(trunk: Trunk | None) -> tuple[str, ...]:
    if trunk is None:
        return _MEDIA_HEADERS
    names = dict.fromkeys((*trunk.identity, *_TRUNK_HEADERS))
    if trunk.called_from.startswith("P-"):
        names[trunk.called_from] = None
    if trunk.kind == "mvno":
        names.update(dict.fromkeys(_MOBILE_HEADERS))
    return tuple(names)
