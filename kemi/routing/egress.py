"""Out of the edge: which trunks can take a call, and what each of them gets, in its own shape."""

from collections.abc import Iterable
from urllib.parse import quote

from kemi.numbering.model import Number
from kemi.numbering.plan import plan_of
from kemi.numbering.present import write
from kemi.routing.leg import Leg
from kemi.routing.model import Directory, Subscriber, Target, Tenant, Trunk

__all__ = [
    "address",
    "emergency_trunks",
    "escaped",
    "mobile_trunk",
    "number_of",
    "route_trunks",
    "targets",
]

LOOP_GUARD = "fmc-edge"
ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'
"""The From of a caller who is not shown (RFC 3323 section 4.1.1.3)."""

_UNESCAPED = "-_.!~*'()&=+$,;?/"
_DIALABLE = frozenset("0123456789+*#")
_LONGEST = 32
_CALLS_OUT = ("mobile_originated", "outbound", "emergency")


def number_of(canonical: str) -> Number:
    """A number of the directory, which is canonical by definition."""
    return Number(canonical, canonical, "e164", "e164", canonical)


def address(number: Number) -> str | None:
    """A number as the user part of a URI, not shortened; None for what may not stand in one.

    A number of unknown shape goes on as it came where it consists of what can be dialled. Anything else
    was put there by somebody's mistake or malice and stays in the record.
    """
    text = number.value
    if not text or len(text) > _LONGEST or not _DIALABLE.issuperset(text):
        return None
    return escaped(text)


def escaped(user: str) -> str:
    """A text as the user part of a URI (RFC 3261 section 25.1: unreserved and user-unreserved stay)."""
    if user.isascii() and user.removeprefix("+").isalnum():
        return user
    return quote(user, safe=_UNESCAPED, errors="replace")


def route_trunks(directory: Directory, number: str) -> list[Trunk]:
    """The trunks for a number (E.164): all routes of the longest prefix that matches, in order."""
    names: dict[str, None] = {}
    prefix = None
    for route in directory.routes():
        if prefix is None and number.startswith(route.prefix):
            prefix = route.prefix
        if prefix is not None:
            if route.prefix != prefix:
                break
            names.update(dict.fromkeys(route.trunks))
    trunks = (directory.trunk(name) for name in names)
    return [trunk for trunk in trunks if trunk is not None and trunk.peers]


def mobile_trunk(directory: Directory) -> Trunk | None:
    """The trunk behind which the SIMs ring: the first mvno trunk."""
    for trunk in directory.trunks():
        if trunk.kind == "mvno" and trunk.peers:
            return trunk
    return None


def emergency_trunks(directory: Directory, source: str, *, looped: bool) -> list[Trunk]:
    """Every trunk there is: the one the call came from, other mobile networks, the public networks.

    The mobile network knows where the handset is, so it comes first; where it has just been given this
    call by us and gave it back, it is left out.
    """
    trunks = [trunk for trunk in directory.trunks() if trunk.peers and not (looped and trunk.name == source)]
    return sorted(trunks, key=lambda trunk: (trunk.name != source, trunk.kind != "mvno"))


def targets(leg: Leg, trunks: Iterable[Trunk], called: Number) -> tuple[Target, ...]:
    """The call on each trunk, in the trunk's shape."""
    # In a call that came in, and may go out again, the tenant's own party is not the caller.
    caller = leg.subscriber if leg.direction in _CALLS_OUT else None
    return tuple(_target(leg, trunk, called, caller) for trunk in trunks)


def _target(leg: Leg, trunk: Trunk, called: Number, caller: Subscriber | None) -> Target:
    scheme, _, peer = trunk.peers[0].partition(":")
    host = peer.partition(";")[0]
    headers = {"From": ANONYMOUS, "To": f"<sip:{_written(trunk, 'To', called)}@{host}>"}
    # Who asks for help must be called back: an emergency call hides nobody.
    private = leg.private and called.kind != "emergency"
    shown = None if private else _shown(trunk, leg.calling, leg.tenant, caller)
    if shown is not None:
        headers["From"] = f"<sip:{_written(trunk, 'From', shown)}@{leg.host}>"
        asserted = _written(trunk, "P-Asserted-Identity", shown)
        headers["P-Asserted-Identity"] = f"<sip:{asserted}@{leg.host}>"
    elif private and trunk.egress.privacy == "pass":
        headers["Privacy"] = "id"
    if trunk.kind == "mvno":
        headers["Loop-Guard"] = LOOP_GUARD
    uri = f"{scheme}:{_written(trunk, 'Request-URI', called)}@{peer}"
    leg.story.tell(
        "present",
        "{} is shown {} as the caller.",
        trunk.name,
        "nobody" if shown is None else shown.value,
    )
    return Target(uri=uri, headers=headers, trunk=trunk.name)


def _shown(trunk: Trunk, calling: Number, tenant: Tenant | None, caller: Subscriber | None) -> Number | None:
    """The number to present: on a handset who calls, on a public network only what we own there."""
    if trunk.kind == "mvno":
        return calling if address(calling) is not None else None
    for number in (caller and caller.caller_id, tenant and tenant.caller_id):
        if number in trunk.numbers:
            return number_of(number)
    return number_of(trunk.numbers[0]) if trunk.numbers else None


def _written(trunk: Trunk, header: str, number: Number) -> str:
    if number.canonical is None:
        return address(number) or ""
    shape = trunk.egress.headers.get(header, trunk.egress.shape)
    return write(number.canonical, shape, plan_of(trunk.country), trunk.area_code)[0]
