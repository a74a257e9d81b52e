"""What a tenant wants and allows: recording, the notice of it, and where its subscribers may call."""

from typing import Literal

from kemi.routing.model import Direction, Subscriber, Tenant

__all__ = ["allowed", "announced", "recorded"]

_SIDE: dict[Direction, Literal["inbound", "outbound"]] = {
    "mobile_originated": "outbound",
    "outbound": "outbound",
    "mobile_terminated": "inbound",
    "inbound": "inbound",
}
"""Which of the policies' two words covers a direction; an internal call is covered by `all` only."""


def recorded(direction: Direction, tenant: Tenant, *people: Subscriber) -> bool:
    """Whether a call is recorded: only if the policy of each of the tenant's own in it says so.

    A subscriber's policy stands before the tenant's; without one, and for a call to nobody in particular,
    the tenant's holds.
    """
    side = _SIDE.get(direction)
    if side is None and direction != "internal":
        return False
    if not people:
        return tenant.recording in ("all", side)
    for person in people:
        policy = tenant.recording if person.recording is None else person.recording
        if policy not in ("all", side):
            return False
    return True


def announced(direction: Direction, tenant: Tenant) -> bool:
    """Whether a recorded call of this direction begins with the notice."""
    return _SIDE.get(direction) in tenant.announce


def allowed(number: str, tenant: Tenant) -> bool:
    """Whether the tenant's subscribers may call a number (E.164). What is not listed is not allowed."""
    return number.startswith(tenant.outbound_allow)
