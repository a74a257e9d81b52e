"""A call from the mobile network: one of our SIMs calls, or is called."""

from kemi.numbering.canonicalise import reader
from kemi.numbering.model import Number
from kemi.numbering.plan import plan_of
from kemi.routing.connect import to_emergency, to_outside, to_service, to_subscriber
from kemi.routing.egress import LOOP_GUARD
from kemi.routing.leg import Leg
from kemi.routing.model import Decision, Subscriber, Tenant, Trunk
from kemi.routing.public import not_understood, to_our_number
from kemi.routing.reading import read_called, read_calling

__all__ = ["from_mobile"]


def from_mobile(leg: Leg, trunk: Trunk) -> Decision:
    """Decide on a call from an mvno trunk. Emergency comes before everything that can refuse a call."""
    plan = plan_of(trunk.country)
    read_calling(leg, trunk.identity, reader(trunk.calling, plan, trunk.area_code))
    caller, tenant = _subscriber(leg)
    _read_dialled(leg, trunk, tenant)
    looped = LOOP_GUARD in leg.call.headers.get("Loop-Guard", "")
    if leg.called.kind == "emergency":
        return to_emergency(leg, looped=looped)
    if looped:
        return leg.reject("loop_detected")
    if caller is None:
        return to_our_number(leg, trunk, otherwise="unknown_caller")
    if tenant is None:
        return leg.reject("unknown_tenant")
    return _originated(leg, trunk, tenant, caller)


def _subscriber(leg: Leg) -> tuple[Subscriber | None, Tenant | None]:
    """Who calls, if it is one of ours: only on an mvno trunk a number says so."""
    number = leg.calling.canonical
    caller = None if number is None else leg.directory.subscriber_by_msisdn(number)
    if caller is None:
        leg.story.tell("caller", "The caller is not a subscriber.")
        return None, None
    leg.story.tell("caller", "{} is subscriber {} of {}.", number, caller.extension, caller.tenant)
    leg.subscriber = caller
    leg.tenant = leg.directory.tenant(caller.tenant)
    return caller, leg.tenant


def _read_dialled(leg: Leg, trunk: Trunk, tenant: Tenant | None) -> None:
    """Read what was dialled as the subscriber's tenant dials: its country, its area, its extensions."""
    if tenant is None:
        read = reader(trunk.called, plan_of(trunk.country), trunk.area_code)
        read_called(leg, trunk.called_from, read, emergency=True)
        return
    name = tenant.name
    subscriber = leg.directory.subscriber
    read_called(
        leg,
        trunk.called_from,
        reader(trunk.called, plan_of(tenant.country), tenant.area_code or trunk.area_code),
        lambda digits: subscriber(name, digits) is not None,
        emergency=True,
    )


def _originated(leg: Leg, trunk: Trunk, tenant: Tenant, caller: Subscriber) -> Decision:
    called = leg.called
    leg.direction = "mobile_originated"
    if called.kind == "service":
        return leg.reject("unknown_service")
    colleague = _colleague(leg, tenant, called)
    if colleague is not None:
        leg.direction = "internal"
        leg.story.tell(
            "colleague", "{} is subscriber {} of the same tenant.", called.value, colleague.extension
        )
        if colleague.extension == caller.extension:
            return leg.reject("own_number")
        return to_subscriber(leg, trunk, tenant, "colleague", colleague, caller)
    if called.canonical is None:
        return leg.reject(not_understood(called))
    did = leg.directory.did(called.canonical)
    if did is not None and did.tenant == tenant.name and not did.to.startswith("subscriber:"):
        leg.direction = "internal"
        leg.story.tell("did", "{} is the tenant's own number and leads to {}.", did.number, did.to)
        return to_service(leg, tenant, "did_called", did.number, did.to)
    return to_outside(leg, trunk, tenant, caller, called.canonical)


def _colleague(leg: Leg, tenant: Tenant, called: Number) -> Subscriber | None:
    """The subscriber of the same tenant who is called by extension, msisdn or DID."""
    if called.kind == "extension":
        return leg.directory.subscriber(tenant.name, called.value)
    if called.canonical is None:
        return None
    person = leg.directory.subscriber_by_msisdn(called.canonical)
    if person is None:
        did = leg.directory.did(called.canonical)
        service, _, extension = (did.to if did is not None and did.tenant == tenant.name else "").partition(
            ":"
        )
        person = leg.directory.subscriber(tenant.name, extension) if service == "subscriber" else None
    return person if person is not None and person.tenant == tenant.name else None
