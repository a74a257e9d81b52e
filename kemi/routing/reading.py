"""Reading the numbers of a leg: whose trunk wrote them says how."""

from collections.abc import Sequence

from kemi.identity import identify, user_of
from kemi.numbering.canonicalise import IsExtension, Reader, reader
from kemi.numbering.model import Number, Role, Step
from kemi.numbering.plan import plan_of
from kemi.routing.leg import Leg
from kemi.routing.model import Directory, Tenant, Trunk

__all__ = ["extensions_of", "read_called", "read_calling", "read_number", "reader_of"]

SOS = "urn:service:sos"
"""An emergency call without a number, with or without the service it asks for (RFC 5031)."""


def reader_of(trunk: Trunk, role: Role, tenant: Tenant | None = None) -> Reader:
    """How numbers on a trunk are read. What a subscriber dials follows its tenant's plan and area."""
    if role == "calling":
        return reader(trunk.calling, plan_of(trunk.country), trunk.area_code)
    if tenant is None:
        return reader(trunk.called, plan_of(trunk.country), trunk.area_code)
    return reader(trunk.called, plan_of(tenant.country), tenant.area_code or trunk.area_code)


def extensions_of(tenant: Tenant, directory: Directory) -> IsExtension:
    """The test for extensions of a tenant."""
    return lambda digits: directory.subscriber(tenant.name, digits) is not None


def read_number(
    value: str, trunk: Trunk, role: Role, directory: Directory, tenant: Tenant | None = None
) -> Number:
    """One number, read as `decide` reads it on this trunk for a subscriber of this tenant."""
    dialled = role == "called" and trunk.kind == "mvno"
    is_extension = extensions_of(tenant, directory) if dialled and tenant is not None else None
    dialler = tenant if dialled else None
    return reader_of(trunk, role, dialler).read(value, role, is_extension, dialled=dialled)


def read_calling(leg: Leg, order: Sequence[str], numbers: Reader) -> None:
    """Find out who calls; every header that names somebody is read and kept in `leg.identity`."""
    caller = identify(leg.call.headers, order)
    seen: dict[str, Number] = {}
    for header, text in caller.claims.items():
        number = seen.get(text)
        if number is None:
            number = seen[text] = numbers.read(text, "calling")
        leg.identity[header] = number
    leg.private = caller.private
    leg.calling_header = caller.header
    if caller.header is None:
        leg.calling = numbers.read("", "calling")
        leg.story.tell("calling", "No header of {} says who calls.", ", ".join(order))
    else:
        leg.calling = leg.identity[caller.header]
        leg.story.tell("calling", "{} says {}.", caller.header, _Words(leg.calling))
    if leg.calling.kind == "withheld":
        leg.private = True
    if leg.private:
        leg.story.tell("privacy", "The caller asks not to be shown.")


def read_called(
    leg: Leg,
    header: str,
    numbers: Reader,
    is_extension: IsExtension | None = None,
    *,
    dialled: bool = False,
) -> None:
    """Find out who is called, from the Request-URI or from To. `dialled` as in `canonicalise`."""
    call = leg.call
    if dialled and call.ruri[: len(SOS)].lower() == SOS:
        digits = numbers.general_emergency
        leg.called = Number(call.ruri, None, "emergency", None, digits, (Step("sos", call.ruri, digits),))
    else:
        text = user_of(call.ruri if header == "Request-URI" else call.headers.get(header, ""))
        leg.called = numbers.read(text, "called", is_extension, dialled=dialled)
    leg.identity[header] = leg.called
    leg.called_header = header
    if header != "Request-URI":
        # Not believed here, but the first thing to look at when a call went astray.
        text = user_of(call.ruri)
        if text:
            leg.identity["Request-URI"] = numbers.read(text, "called")
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
