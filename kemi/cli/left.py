"""What left, read back: which numbers stand in the headers that a trunk was sent."""

from kemi.identity import addresses
from kemi.numbering.canonicalise import reader
from kemi.numbering.model import Number, Shape
from kemi.routing.model import Trunk
from kemi.routing.reading import plan_for

NUMBERED = frozenset(
    {
        "Request-URI",
        "From",
        "To",
        "P-Asserted-Identity",
        "P-Preferred-Identity",
        "Remote-Party-ID",
        "Diversion",
        "History-Info",
    }
)
"""What the edge writes numbers in."""

WIDER: tuple[Shape, ...] = ("national_trunk", "international_prefix", "e164")
"""What a number takes that its trunk's shape cannot express (kemi.numbering.present)."""


def read_back(header: str, value: str, trunk: Trunk) -> list[Number | None]:
    """The numbers in a header, read by the one shape that the trunk has for it; None for what is none.

    The shapes are those of now. A number that they do not explain was written verbatim, as it came, or the
    trunk has changed since.
    """
    if header not in NUMBERED:
        return [None]
    shapes = dict.fromkeys((trunk.egress.headers.get(header, trunk.egress.shape), *WIDER))
    numbers = reader(tuple(shapes), plan_for(trunk), trunk.area_code)
    read = (numbers.read(address.user, "called") for address in addresses(value))
    return [None if number.kind == "unknown" else number for number in read]
