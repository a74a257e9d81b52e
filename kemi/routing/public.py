"""A call from outside to one of our numbers: a SIM's msisdn or a DID."""

from kemi.numbering.model import Number
from kemi.routing.connect import to_service, to_subscriber
from kemi.routing.leg import Leg
from kemi.routing.model import Decision, Did, Subscriber, Trunk
from kemi.routing.reading import read_called, read_calling, reader_of
from kemi.routing.reasons import Rejected
from kemi.routing.writing import address

__all__ = ["from_public", "not_understood", "to_our_number"]


def from_public(leg: Leg, trunk: Trunk) -> Decision:
    """Decide on a call from a carrier trunk.

    Whoever calls here is an outside caller, also where the number is a subscriber's: anybody on the
    public network can write any number.
    """
    read_calling(leg, trunk.identity, reader_of(trunk, "calling"), trusted=trunk.trusted)
    leg.story.tell("caller", "On a public network every caller is an outside caller.")
    read_called(leg, trunk.called_from, reader_of(trunk, "called"))
    if leg.called.canonical is None:
        return leg.reject(not_understood(leg.called))
    return to_our_number(leg, trunk, otherwise="unknown_number")


def not_understood(called: Number) -> Rejected:
    """Why a called number without a canonical form is refused."""
    return "not_a_number" if address(called) is None and called.value else "unknown_shape"


def to_our_number(leg: Leg, trunk: Trunk, *, otherwise: Rejected) -> Decision:
    """Connect an outside caller with whom the called number belongs to, or refuse as `otherwise` says."""
    number = leg.called.canonical
    if number is None:
        return leg.reject(otherwise)
    person = leg.directory.subscriber_by_msisdn(number)
    if person is not None:
        return _to_sim(leg, trunk, person)
    did = leg.directory.did(number)
    if did is not None:
        return _to_did(leg, trunk, did)
    return leg.reject(otherwise)


def _to_sim(leg: Leg, trunk: Trunk, person: Subscriber) -> Decision:
    leg.direction = "mobile_terminated"
    leg.story.tell("number", "{} is the SIM of {} of {}.", person.msisdn, person.extension, person.tenant)
    tenant = leg.tenant = leg.directory.tenant(person.tenant)
    if tenant is None:
        return leg.reject("unknown_tenant")
    return to_subscriber(leg, trunk, tenant, "sim_called", person)


def _to_did(leg: Leg, trunk: Trunk, did: Did) -> Decision:
    leg.direction = "inbound"
    leg.story.tell("number", "{} is a number of {} and leads to {}.", did.number, did.tenant, did.to)
    tenant = leg.tenant = leg.directory.tenant(did.tenant)
    if tenant is None:
        return leg.reject("unknown_tenant")
    service, _, name = did.to.partition(":")
    if service != "subscriber":
        return to_service(leg, tenant, "did_called", did.number, did.to)
    person = leg.directory.subscriber(tenant.name, name)
    if person is None:
        return leg.reject("did_leads_nowhere")
    return to_subscriber(leg, trunk, tenant, "did_called", person)
