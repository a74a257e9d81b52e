"""Reading the numbers of a leg: whose trunk wrote them says how."""

from collections.abc import Sequence

from kemi.identity import Identity, identify, user_of
from kemi.numbering.canonicalise import IsExtension, Reader, reader
from kemi.numbering.model import Number, Role, Step
from kemi.numbering.plan import Plan, plan_of
from kemi.routing.leg import Leg
from kemi.routing.model import Directory, Diverted, Tenant, Trunk

__all__ = [
    "MEDIA_NUMBERS",
    "extensions_of",
    "plan_for",
    "read_called",
    "read_calling",
    "read_number",
    "reader_of",
]

SOS = "urn:service:sos"
"""An emergency call without a number, with or without the service it asks for (RFC 5031)."""


MEDIA_NUMBERS = reader(("e164",), plan_of(""), None)
"""How media servers write who calls: as the edge wrote it, canonical, and unknown numbers verbatim."""

_CALLED = ("Request-URI", "To", "P-Called-Party-ID")


def plan_for(owner: Trunk | Tenant) -> Plan:
    """The dial plan of a trunk or a tenant: its country's, with its own prefixes."""
    own = owner.prefixes
    return plan_of(owner.country) if own is None else plan_of(owner.country, own.trunk, own.international)


def reader_of(trunk: Trunk, role: Role, tenant: Tenant | None = None) -> Reader:
    """How numbers on a trunk are read. What a subscriber dials follows its tenant's plan and area."""
    if role == "calling":
        return reader(trunk.calling, plan_for(trunk), trunk.area_code, trunk.rewrites, role)
    if tenant is None:
        return reader(trunk.called, plan_for(trunk), trunk.area_code, trunk.rewrites, role)
    area_code = tenant.area_code or trunk.area_code
    return reader(trunk.called, plan_for(tenant), area_code, trunk.rewrites, role)


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


def read_calling(leg: Leg, order: Sequence[str], numbers: Reader, *, trusted: bool) -> Identity:
    """Find out who calls; every header that names somebody is read and kept in `leg.identity`."""
    caller = identify(leg.call.headers, order, trusted=trusted)
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
    if caller.diversions:
        leg.diversions = tuple(
            Diverted(leg.identity[one.header], one.reason, one.private, one.counter, trusted and one.screened)
            for one in caller.diversions
        )
        for one in leg.diversions:
            leg.story.tell("diverted", "{} diverted the call ({}).", _Words(one.number), one.reason)
    return caller


def read_called(
    leg: Leg,
    header: str,
    numbers: Reader,
    is_extension: IsExtension | None = None,
    *,
    dialled: bool = False,
) -> None:
    """Find out who is called, from the header that the trunk says it in. `dialled` as in `canonicalise`."""
    call = leg.call
    text = ""
    if dialled and header != "Request-URI" and _for_help(numbers, user_of(call.ruri)):
        header = "Request-URI"
    if dialled and call.ruri[: len(SOS)].lower() == SOS:
        digits = numbers.general_emergency
        leg.called = Number(call.ruri, None, "emergency", None, digits, (Step("sos", call.ruri, digits),))
    else:
        text = user_of(call.ruri if header == "Request-URI" else call.headers.get(header, ""))
        leg.called = numbers.read(text, "called", is_extension, dialled=dialled)
    leg.called_header = header
    leg.identity[header] = leg.called
    # The others are not believed here, but the first thing to look at when a call went astray.
    for other in _CALLED:
        if other != header:
            said = user_of(call.ruri if other == "Request-URI" else call.headers.get(other, ""))
            if said:
                same = said == text
                leg.identity[other] = leg.called if same else numbers.read(said, "called", is_extension)
    leg.story.tell("called", "{} says {}.", header, _Words(leg.called))


def _for_help(numbers: Reader, text: str) -> bool:
    """Whether somebody dialled an emergency number, wherever the trunk says who is called."""
    return numbers.read(text, "called", dialled=True).kind == "emergency"


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
