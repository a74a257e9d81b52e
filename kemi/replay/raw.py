"""What is found in a file before anybody has looked inside: the bytes of an INVITE, and where they stood."""

from collections.abc import Callable
from datetime import datetime
from typing import Literal, NamedTuple, TypeAlias

__all__ = ["Address", "Note", "Raw"]

Address: TypeAlias = tuple[str, int | None]
"""A host as text and a port, None where it is not known."""

Note: TypeAlias = Callable[[str], None]
"""Takes a remark on the file as a whole: what of it could not be read, and why."""


class Raw(NamedTuple):
    """An INVITE's bytes. `place` counts packets or lines from 1; `cut` says why it is not the whole of it."""

    where: Literal["packet", "line"]
    place: int
    at: datetime | None
    source: Address | None
    target: Address | None
    data: bytes
    cut: str | None = None
