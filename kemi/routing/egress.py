"""Out of the edge: which trunks can take a call, and what each of them gets, in its own shape."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from kemi.numbering.canonicalise import SEPARATORS
from kemi.numbering.model import Number, Step
from kemi.routing.leg import Leg
from kemi.routing.model import Directory, Diverted, Target, Trunk
from kemi.routing.writing import ANONYMOUS, Pen, address, asserted, diverting, number_of

__all__ = ["LOOP_GUARD", "emergency_trunks", "mobile_trunk", "route_trunks", "targets"]

LOOP_GUARD = "fmc-edge"

_CALLS_OUT = ("mobile_originated", "outbound", "emergency")
_COMES_IN = ("mobile_terminated", "inbound")

TELLING_DIGITS = 7
"""So many last digits of a number tell whose it is, with whatever before them."""


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
    """The call on each trunk, in the trunk's shape.

    A trunk that would see a withheld number in what passes unread is left out: none may remain.
    """
    # Who asks for help must be called back: an emergency call hides nobody.
    private = leg.private and called.kind != "emergency"
    direct = private and not leg.call.media_up
    found = []
    for trunk in trunks:
        hidden = direct and trunk.egress.privacy == "drop"
        if hidden and _shows(leg):
            leg.story.tell(
                "privacy", "{} is left out: the call itself holds digits of the withheld number.", trunk.name
            )
            continue
        found.append(_target(leg, trunk, called, private=private, masked=hidden))
    return tuple(found)


def _shows(leg: Leg) -> bool:
    """Whether what passes unread holds the number of a caller who is not to be shown."""
    digits = leg.calling.value[-TELLING_DIGITS:]
    if len(digits) < TELLING_DIGITS or not digits.isdigit():
        return False
    carried = leg.call.carried
    # A person writes +7 999 000-02-01, a device %2B7999….
    return digits in carried or digits in unquote(carried).translate(SEPARATORS)


def _same(one: Number, other: Number) -> bool:
    """Whether two numbers may be one; where not both are understood their last digits say so."""
    if one.canonical is not None and other.canonical is not None:
        return one.canonical == other.canonical
    return one.value[-TELLING_DIGITS:] == other.value[-TELLING_DIGITS:]


def _target(leg: Leg, trunk: Trunk, called: Number, *, private: bool, masked: bool) -> Target:
    scheme, _, peer = trunk.peers[0].partition(":")
    host = peer.partition(";")[0]
    caller, pen = _caller(leg, trunk), Pen(trunk)
    shown, calling = caller.number, leg.calling.value
    uri = f"{scheme}:{pen.write('Request-URI', called)}@{peer}"
    headers = {"From": ANONYMOUS, "To": f"<sip:{pen.write('To', called)}@{host}>"}
    if shown is not None and shown.value != calling:
        pen.choose(Step(caller.why, calling, shown.value))
    if shown is None or private:
        pen.trail["From"] = (Step("withheld" if private else caller.why, calling, "anonymous"),)
    else:
        headers["From"] = f"<sip:{pen.write('From', shown)}@{leg.host}>"
    if shown is not None:
        headers.update(asserted(pen, shown, leg.host, private=private))
    elif private and trunk.egress.privacy == "pass":
        headers["Privacy"] = "id"
    diversions = caller.diversions
    if private and trunk.egress.privacy == "drop":
        # Who calls may have diverted the call before: then it is not shown there either.
        diversions = [one for one in diversions if not _same(one.number, leg.calling)]
    if diversions:
        headers.update(diverting(pen, diversions, called, leg.host))
    if trunk.kind == "mvno":
        headers["Loop-Guard"] = LOOP_GUARD
    _tell(leg, trunk, caller, private=private)
    # Which SIM a public number leads to is not for the public network: a media server would stand between.
    masks = trunk.kind == "mvno" and not leg.call.media_up and leg.direction in _COMES_IN
    return Target(uri=uri, headers=headers, trunk=trunk.name, masked=masked, masks=masks, presented=pen.trail)


def _tell(leg: Leg, trunk: Trunk, caller: "_Caller", *, private: bool) -> None:
    shown = "nobody" if caller.number is None else caller.number.value
    if not private:
        leg.story.tell("present", "{} is shown {} as the caller: {}.", trunk.name, shown, caller.why)
    elif trunk.egress.privacy == "pass":
        sentence = "{} is told {}, who is not to be shown: {}."
        leg.story.tell("present", sentence, trunk.name, shown, caller.why)
    else:
        leg.story.tell("present", "{} is shown nobody as the caller: the number is withheld.", trunk.name)


class _Caller(NamedTuple):
    """Whom a trunk is told as the caller, why, and by whom the call was diverted."""

    number: Number | None
    why: str
    diversions: Sequence[Diverted] = ()


def _caller(leg: Leg, trunk: Trunk) -> _Caller:
    """On a handset who really calls; on a public network a number that we own there.

    A call that came from outside and leaves again is a forwarded one: there the original caller may be
    shown, with who diverted the call (the redirecting number that networks check).
    """
    if trunk.kind == "mvno":
        if address(leg.calling) is None:
            return _Caller(None, "no number is known", leg.diversions)
        return _Caller(leg.calling, "a handset sees who calls", leg.diversions)
    number, why = _owned(leg, trunk)
    if not _forwarded(leg):
        return _Caller(number, why)
    named = address(leg.calling) is not None
    # Who diverted a call is told also where the caller has withheld its number from us too.
    if trunk.egress.forwarded == "original" and number is not None and (named or leg.private):
        caller = leg.calling if named else None
        return _Caller(caller, f"forwarded by {number.value}", _diverted_here(leg, number))
    return _Caller(number, why)


def _forwarded(leg: Leg) -> bool:
    """Whether the caller is somebody outside: the call came in, or a SIM diverts it in the mobile network."""
    if leg.direction in _COMES_IN:
        return True
    person, number = leg.subscriber, leg.calling.canonical
    if leg.direction != "mobile_originated" or person is None:
        return False
    # Of whom nothing is known is the SIM itself, unless the network says that the call was diverted.
    return bool(leg.diversions) if number is None else number != person.msisdn


def _diverted_here(leg: Leg, number: Number) -> list[Diverted]:
    """Who diverted the call, with our number as the newest; it stands for the SIM that the network names."""
    sim = None if leg.subscriber is None else leg.subscriber.msisdn
    reason, before = "unconditional", []
    for one in leg.diversions:
        if sim is not None and one.number.canonical == sim:
            reason = one.reason
        elif one.screened:
            # What only a stranger says is no redirecting number of a call that we send out.
            before.append(one)
    return [Diverted(number, reason), *before]


def _owned(leg: Leg, trunk: Trunk) -> tuple[Number | None, str]:
    """The number of ours to present on a public network: one that this trunk owns."""
    # In a call that came in, and may go out again, the tenant's own party is not the caller.
    caller = leg.subscriber if leg.direction in _CALLS_OUT else None
    wishes = []
    if caller is not None and caller.caller_id is not None:
        wishes.append((caller.caller_id, "the subscriber's caller_id"))
    if leg.tenant is not None and leg.tenant.caller_id is not None:
        wishes.append((leg.tenant.caller_id, "the tenant's caller_id"))
    not_owned = ""
    for number, whose in wishes:
        if number in trunk.numbers:
            return number_of(number), whose + not_owned
        not_owned += f"; {whose}, {number}, is not a number of this trunk"
    if trunk.numbers:
        return number_of(trunk.numbers[0]), f"the trunk's first number{not_owned}"
    return None, f"the trunk owns no number{not_owned}"
