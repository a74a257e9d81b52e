"""Which headers of an INVITE a decision and its record need: the edge and replay read the same ones."""

from kemi.routing.model import Trunk

__all__ = ["MAY_REPEAT", "MEDIA_HEADERS", "MOBILE_HEADERS", "TRUNK_HEADERS", "headers_of"]

MEDIA_HEADERS = ("From", "P-Asserted-Identity", "Privacy", "Diversion")
TRUNK_HEADERS = (
    "From",
    "To",
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "Remote-Party-ID",
    "Diversion",
    "History-Info",
    "Privacy",
)
"""Read whether or not this trunk's decision uses them: what arrived is in the record (kemi.identity)."""
MOBILE_HEADERS = ("P-Served-User", "Route", "Loop-Guard")

MAY_REPEAT = frozenset(
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
"""Of these every value counts, of the others the first."""


def headers_of(trunk: Trunk | None) -> tuple[str, ...]:
    """The headers to read of a call from this trunk, or from a media server (None)."""
    if trunk is None:
        return MEDIA_HEADERS
    names = dict.fromkeys((*trunk.identity, *TRUNK_HEADERS))
    if trunk.called_from.startswith("P-"):
        names[trunk.called_from] = None
    if trunk.kind == "mvno":
        names.update(dict.fromkeys(MOBILE_HEADERS))
    return tuple(names)
