"""Reading the numbers of a leg: whose trunk wrote them says how."""

from collections.abc import Sequence

from kemi.identity import identify, user_of
from kemi.numbering.canonicalise import IsExtension, Reader
from kemi.numbering.model import Number, Step
from kemi.routing.leg import Leg

__all__ = ["read_called", "read_calling"]

SOS = "urn:service:sos"
"""An emergency call without a number, with or without the service it asks for (RFC 5031)."""


def read_calling(leg: Leg, order: Sequence[str], reader: Reader) -> None:
    """Find out who calls; every header that names somebody is read and kept in `leg.identity`."""
    caller = identify(leg.call.headers, order)
    seen: dict[str, Number] = {}
    for header, text in caller.claims.items():
        number = seen.get(text)
        if number is None:
            number = seen[text] = reader.read(text, "calling")
        leg.identity[header] = number
    leg.private = caller.private
    if caller.header is None:
        leg.calling = reader.read("", "calling")
        leg.story.tell("calling", "No header of {} says who calls.", ", ".join(order))
    else:
        leg.calling = leg.identity[caller.header]
        leg.story.tell("calling", "{} says {}.", caller.header, _Words(leg.calling))
    if leg.calling.kind == "withheld":
        leg.private = True
    if leg.private:
        leg.story.tell("privacy", "The caller asks not to be shown.")


def read_called(
    leg: Leg, header: str, reader: Reader, is_extension: IsExtension | None = None, *, emergency: bool = False
) -> None:
    """Find out who is called, from the Request-URI or from To. `emergency` as in `canonicalise`."""
    call = leg.call
    if emergency and call.ruri[: len(SOS)].lower() == SOS:
        digits = reader.general_emergency
        leg.called = Number(call.ruri, None, "emergency", None, digits, (Step("sos", call.ruri, digits),))
    else:
        text = user_of(call.ruri if header == "Request-URI" else call.headers.get(header, ""))
        leg.called = reader.read(text, "called", is_extension, emergency=emergency)
    leg.identity[header] = leg.called
    leg.story.tell("called", "{} says {}.", header, _Words(leg.called))


class _Words:
    """A number in the words of a story, put together only where the story is told."""

    __slots__ = ("_number",)

    def __init__(self, number: Number) -> None:
        self._number = number

    def __str__(self) -> str:
        number = self._number
        if number.kind == "unknown":
            return f"{number.raw!r}, which fits no listed shape"
        if number.kind != "e164":
            return f"{number.raw!r}, {number.kind}"
        if number.raw == number.canonical:
            return number.raw
        return f"{number.raw}, which is {number.canonical} ({number.shape})"
