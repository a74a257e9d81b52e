"""A leg that a media server sends out: the second half of a call that came through it.

Its X-FMC headers are believed: only media servers can bring them as far as here.
"""

from typing import get_args

from kemi.numbering.canonicalise import reader
from kemi.numbering.plan import plan_of
from kemi.routing import egress, policy
from kemi.routing.connect import to_emergency, to_trunks
from kemi.routing.leg import Leg
from kemi.routing.model import Decision, Direction, Subscriber, Tenant
from kemi.routing.public import not_understood
from kemi.routing.reading import MEDIA_NUMBERS, extensions_of, plan_for, read_called, read_calling
from kemi.routing.writing import AS_IT_CAME, number_of

__all__ = ["from_media"]

IDENTITY = ("P-Asserted-Identity", "From")
_VERBATIM = reader((), plan_of(""), None)
_DIRECTIONS: dict[str, Direction] = {name: name for name in get_args(Direction)}


def from_media(leg: Leg) -> Decision:
    """Decide on a leg from media: an extension rings on its SIM, E.164 leaves by its route."""
    fmc = leg.call.fmc
    direction = None if fmc is None else _DIRECTIONS.get(fmc.direction)
    if fmc is None or direction is None:
        return leg.reject("bad_media_headers")
    leg.direction = direction
    tenant = leg.tenant = leg.directory.tenant(fmc.tenant)
    if tenant is None:
        return leg.reject("unknown_tenant")
    plan = plan_for(tenant)
    # Media passes on what the edge wrote: canonical numbers, and unknown ones verbatim.
    verbatim = f"{AS_IT_CAME}>" in leg.call.headers.get("P-Asserted-Identity", "")
    read_calling(leg, IDENTITY, _VERBATIM if verbatim else MEDIA_NUMBERS, trusted=True)
    read_called(
        leg,
        "Request-URI",
        reader(("e164", "extension"), plan, None),
        extensions_of(tenant, leg.directory),
        dialled=True,
    )
    leg.subscriber = _own_party(leg, tenant, fmc.subscriber)
    if leg.called.kind == "emergency":
        return to_emergency(leg, looped=False)
    if leg.called.kind == "extension":
        return _to_sim(leg, tenant)
    if leg.called.canonical is None:
        return leg.reject(not_understood(leg.called))
    return _to_route(leg, tenant, leg.called.canonical)


def _own_party(leg: Leg, tenant: Tenant, extension: str | None) -> Subscriber | None:
    if extension is None or not (extension.isascii() and extension.isdigit() and len(extension) <= 6):
        return None
    return leg.directory.subscriber(tenant.name, extension)


def _to_sim(leg: Leg, tenant: Tenant) -> Decision:
    person = leg.directory.subscriber(tenant.name, leg.called.value)
    if person is None or person.msisdn is None:
        return leg.reject("no_msisdn")
    if person.suspended:
        return leg.reject("called_suspended")
    trunk = egress.mobile_trunk(leg.directory)
    if trunk is None:
        return leg.reject("no_trunk")
    leg.story.tell("sim", "Subscriber {} has the SIM {}.", person.extension, person.msisdn)
    called = number_of(person.msisdn)
    return to_trunks(leg, "media_leg", [trunk], called)


def _to_route(leg: Leg, tenant: Tenant, number: str) -> Decision:
    if not policy.allowed(number, tenant):
        return leg.reject("destination_not_allowed")
    trunks = egress.route_trunks(leg.directory, number)
    if not trunks:
        return leg.reject("no_route")
    return to_trunks(leg, "media_leg", trunks, leg.called)
