"""From a message and its source to the Call that the edge would have built of it (kemi.edge.request)."""

from collections.abc import Iterator

from kemi.replay.message import Message
from kemi.routing.headers import MAY_REPEAT, headers_of
from kemi.routing.model import MEDIA, Call, Directory, Fmc, Trunk

__all__ = ["call_of"]


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
    for name in headers_of(trunk):
        key = name.lower()
        value = message.value(key) if name in MAY_REPEAT else message.first(key)
        if value is not None:
            yield name, value
