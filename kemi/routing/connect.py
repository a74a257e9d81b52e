"""Through a media server, or around all of them when none answers."""

from collections.abc import Sequence

from kemi.numbering.model import Number
from kemi.routing import egress, policy
from kemi.routing.leg import Leg
from kemi.routing.model import Decision, Subscriber, Target, Tenant, Trunk
from kemi.routing.reasons import Accepted
from kemi.routing.writing import Pen, asserted, diverting, number_of

__all__ = ["to_emergency", "to_outside", "to_service", "to_short_number", "to_subscriber", "to_trunks"]

BREAKOUT = ("media_down",)


def to_subscriber(
    leg: Leg, ingress: Trunk, tenant: Tenant, reason: Accepted, person: Subscriber, *colleagues: Subscriber
) -> Decision:
    """Ring a subscriber. `colleagues` are others of the tenant in the call, whose policy counts too."""
    leg.subscriber = person
    trunk = egress.mobile_trunk(leg.directory)
    if person.msisdn is None:
        return leg.reject("no_msisdn")
    if person.suspended:
        return leg.reject("called_suspended")
    if trunk is None:
        return leg.reject("no_trunk")
    if not leg.call.media_up:
        return _around(leg, ingress, reason, [trunk], number_of(person.msisdn))
    return _through(leg, tenant, reason, person.extension, "dial", person, *colleagues)


def to_outside(leg: Leg, ingress: Trunk, tenant: Tenant, caller: Subscriber, number: str) -> Decision:
    """A subscriber calls the public network."""
    if not policy.allowed(number, tenant):
        return leg.reject("destination_not_allowed")
    trunks = egress.route_trunks(leg.directory, number)
    if not trunks:
        return leg.reject("no_route")
    if not leg.call.media_up:
        return _around(leg, ingress, "outside_number", trunks, leg.called)
    return _through(leg, tenant, "outside_number", number, "dial", caller)


def to_service(leg: Leg, tenant: Tenant, reason: Accepted, number: str, service: str) -> Decision:
    """An IVR, a queue or a voicemail box: only a media server has them."""
    if not leg.call.media_up:
        return leg.reject("media_down")
    return _through(leg, tenant, reason, number, service)


def to_emergency(leg: Leg, *, looped: bool) -> Decision:
    """Past everything, to the first trunk that takes the call."""
    leg.direction = "emergency"
    leg.story.tell(
        "emergency", "{} is an emergency number: no media server, no limits, no recording.", leg.called.value
    )
    trunks = egress.emergency_trunks(leg.directory, leg.call.source, looped=looped)
    if not trunks:
        return leg.reject("loop_detected" if looped else "no_trunk")
    return leg.accept("trunk", "emergency", egress.targets(leg, trunks, leg.called))


def to_short_number(leg: Leg, trunk: Trunk) -> Decision:
    """A public service of the country, like 122: the handset's own network knows where it leads."""
    leg.story.tell(
        "short", "{} is a public service: the mobile network it came from leads there.", leg.called.value
    )
    return to_trunks(leg, "short_number", [trunk], leg.called)


def to_trunks(
    leg: Leg,
    reason: Accepted,
    trunks: Sequence[Trunk],
    called: Number,
    degraded: tuple[str, ...] = (),
) -> Decision:
    """To the first of these trunks that takes the call."""
    targets = egress.targets(leg, trunks, called)
    if not targets:
        return leg.reject("number_would_show")
    return leg.accept("trunk", reason, targets, degraded=degraded)


def _around(
    leg: Leg,
    ingress: Trunk,
    reason: Accepted,
    trunks: Sequence[Trunk],
    called: Number,
) -> Decision:
    if ingress.on_media_down != "breakout":
        leg.story.tell("media_down", "{} asks to refuse calls that cannot go through media.", ingress.name)
        return leg.reject("media_down")
    leg.story.tell("media_down", "No media server answers: the call is connected without services.")
    return to_trunks(leg, reason, trunks, called, BREAKOUT)


def _through(
    leg: Leg, tenant: Tenant, reason: Accepted, user: str, service: str, *people: Subscriber
) -> Decision:
    record = policy.recorded(leg.direction, tenant, *people)
    announce = record and policy.announced(leg.direction, tenant)
    leg.story.tell(
        "record",
        "The call is {}recorded and {}announced.",
        "" if record else "not ",
        "" if announce else "not ",
    )
    headers = {
        "X-FMC-Tenant": tenant.name,
        "X-FMC-Service": service,
        "X-FMC-Direction": leg.direction,
        "X-FMC-Record": "yes" if record else "no",
        "X-FMC-Announce": "yes" if announce else "no",
    }
    if leg.subscriber is not None:
        headers["X-FMC-Subscriber"] = leg.subscriber.extension
    pen = Pen(None)
    headers.update(asserted(pen, leg.calling, leg.host, private=leg.private))
    if leg.private:
        headers["Privacy"] = "id"
    if leg.diversions:
        headers.update(diverting(pen, leg.diversions, leg.called, leg.host))
    target = Target(uri=f"sip:{user}@media", headers=headers)
    return leg.accept("media", reason, (target,), service=service, record=record, announce=announce)
