"""A call from the mobile network: one of our SIMs calls, or is called."""

from kemi.identity import Identity
from kemi.routing.connect import to_emergency, to_outside, to_service, to_short_number, to_subscriber
from kemi.routing.egress import LOOP_GUARD
from kemi.routing.leg import Leg
from kemi.routing.model import Decision, Did, Subscriber, Tenant, Trunk
from kemi.routing.public import not_understood, to_our_number
from kemi.routing.reading import extensions_of, read_called, read_calling, reader_of

__all__ = ["from_mobile"]


def from_mobile(leg: Leg, trunk: Trunk) -> Decision:
    """Decide on a call from an mvno trunk. Emergency comes before everything that can refuse a call."""
    said = read_calling(leg, trunk.identity, reader_of(trunk, "calling"), trusted=trunk.trusted)
    caller, tenant = _subscriber(leg, trunk, said)
    # What was dialled is read as the tenant dials: its country, its area, its extensions.
    is_extension = None if tenant is None else extensions_of(tenant, leg.directory)
    read_called(leg, trunk.called_from, reader_of(trunk, "called", tenant), is_extension, dialled=True)
    looped = LOOP_GUARD in leg.call.headers.get("Loop-Guard", "")
    if leg.called.kind == "emergency":
        return to_emergency(leg, looped=looped)
    if looped:
        return leg.reject("loop_detected")
    if said.case == "term":
        return _terminated(leg, trunk, said)
    if caller is None:
        if said.case == "orig":
            return leg.reject("unknown_caller")
        return to_our_number(leg, trunk, otherwise="unknown_caller")
    if tenant is None:
        return leg.reject("unknown_tenant")
    return _originated(leg, trunk, tenant, caller)


def _terminated(leg: Leg, trunk: Trunk, said: Identity) -> Decision:
    """The network says that it serves the called side (RFC 5502): the served user is who is called."""
    leg.subscriber = leg.tenant = None
    if said.served:
        leg.called = reader_of(trunk, "calling").read(said.served, "called")
        leg.called_header = "P-Served-User"
        leg.story.tell("served", "The network serves the called side: P-Served-User names who is called.")
    return to_our_number(leg, trunk, otherwise="unknown_number")


def _subscriber(leg: Leg, trunk: Trunk, said: Identity) -> tuple[Subscriber | None, Tenant | None]:
    """Whose call it is, if one of ours: only a mobile network that we trust can say so.

    That is who calls, or who diverted the call in the mobile network: then P-Served-User is not the caller
    (RFC 8498).
    """
    if not trunk.trusted:
        leg.story.tell("caller", "{} is not trusted: no caller there is a subscriber.", trunk.name)
        return None, None
    number = leg.calling.canonical
    if said.case == "orig" and said.served and leg.calling_header != "P-Served-User":
        number = reader_of(trunk, "calling").read(said.served, "calling").canonical
    caller = None if number is None else leg.directory.subscriber_by_msisdn(number)
    if caller is None:
        leg.story.tell("caller", "The caller is not a subscriber.")
        return None, None
    leg.story.tell("caller", "{} is subscriber {} of {}.", number, caller.extension, caller.tenant)
    leg.subscriber = caller
    leg.tenant = leg.directory.tenant(caller.tenant)
    return caller, leg.tenant


def _originated(leg: Leg, trunk: Trunk, tenant: Tenant, caller: Subscriber) -> Decision:
    """A subscriber calls: a colleague, a number of the tenant, or the outside."""
    leg.direction = "mobile_originated"
    if caller.suspended:
        return leg.reject("suspended")
    called = leg.called
    _restrict(leg, caller)
    if called.kind == "extension":
        colleague = leg.directory.subscriber(tenant.name, called.value)
        return _to_colleague(leg, trunk, tenant, caller, colleague)
    if called.kind == "service":
        return leg.reject("unknown_service")
    if called.kind == "short":
        return to_short_number(leg, trunk)
    if called.canonical is None:
        return leg.reject(not_understood(called))
    person = leg.directory.subscriber_by_msisdn(called.canonical)
    if person is not None and person.tenant == tenant.name:
        return _to_colleague(leg, trunk, tenant, caller, person)
    did = leg.directory.did(called.canonical)
    if did is not None and did.tenant == tenant.name:
        return _to_own_did(leg, trunk, tenant, caller, did)
    return to_outside(leg, trunk, tenant, caller, called.canonical)


def _restrict(leg: Leg, caller: Subscriber) -> None:
    """Calling line identification restriction: what was dialled counts, else how the subscriber is set."""
    # Who is diverted by this SIM has not asked for what its subscriber did.
    if caller.clir and not leg.private and leg.calling.canonical == caller.msisdn:
        leg.private = True
        leg.story.tell("clir", "Subscriber {} withholds its number.", caller.extension)
    for step in leg.called.trail:
        if step.rule == "clir_invoke":
            leg.private = True
            leg.story.tell("clir", "#31# was dialled: the number is withheld in this call.")
        elif step.rule == "clir_suppress":
            leg.private = False
            leg.story.tell("clir", "*31# was dialled: the number is shown in this call.")


def _to_colleague(
    leg: Leg, trunk: Trunk, tenant: Tenant, caller: Subscriber, colleague: Subscriber | None
) -> Decision:
    leg.direction = "internal"
    if colleague is None:
        return leg.reject("unknown_number")
    leg.story.tell("colleague", "{} is subscriber {}.", leg.called.value, colleague.extension)
    if colleague.extension == caller.extension:
        return leg.reject("own_number")
    return to_subscriber(leg, trunk, tenant, "colleague", colleague, caller)


def _to_own_did(leg: Leg, trunk: Trunk, tenant: Tenant, caller: Subscriber, did: Did) -> Decision:
    """A call to a number of the tenant from within: it need not go out and come back."""
    leg.direction = "internal"
    leg.story.tell("number", "{} is the tenant's own number and leads to {}.", did.number, did.to)
    service, _, name = did.to.partition(":")
    if service != "subscriber":
        return to_service(leg, tenant, "did_called", did.number, did.to)
    person = leg.directory.subscriber(tenant.name, name)
    if person is None:
        return leg.reject("did_leads_nowhere")
    return _to_colleague(leg, trunk, tenant, caller, person)
