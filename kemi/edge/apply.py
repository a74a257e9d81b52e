"""Carry a Decision out: set what the native routes relay with, or refuse the call."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import KSR
import msgspec

from kemi.routing.model import Decision, Target

TO_MEDIA = 1
TO_TRUNK = 2
EMERGENCY = 3
REFUSED = -1
"""What the entry points return to routes/invite.cfg; 0 would end the script."""

PHRASES = {
    403: "Forbidden",
    404: "Not Found",
    480: "Temporarily Unavailable",
    482: "Loop Detected",
    484: "Address Incomplete",
    486: "Busy Here",
    488: "Not Acceptable Here",
    501: "Not Implemented",
    503: "Service Unavailable",
}

STRAIGHT = 0
"""In place of a trunk's dispatcher set: send to the target's own URI, whatever probing says of it."""


class Attempt(msgspec.Struct, frozen=True):
    """One target that is still to be tried, and whether straight."""

    target: Target
    straight: bool = False


_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(list[Attempt]).decode


def _header_lines(headers: Mapping[str, str]) -> str:
    # No header, no line: a line that is empty would end the headers.
    return "\r\n".join(map(": ".join, headers.items())) + "\r\n" if headers else ""


def _uri(name_addr: str) -> str:
    """Take the URI out of a name-addr that routing wrote: there is exactly one pair of angle brackets."""
    return name_addr[name_addr.find("<") + 1 : name_addr.rfind(">")]


class Ids(NamedTuple):
    """What transaction and dialog keep of a leg, none of it with a space in it.

    `egress` is "" for media, `source` a trunk or MEDIA; `called` is the number that was called, canonical,
    "" where it is not known.
    """

    call: str
    leg: str
    egress: str
    source: str
    called: str

    @classmethod
    def read(cls) -> "Ids":
        """The ids that an earlier route left with this transaction."""
        return cls(*KSR.pv.gete("$avp(call)").split(" "))


def to_media(decision: Decision, ids: Ids) -> int:
    """Leave Request-URI and X-FMC headers for RELAY_MEDIA."""
    target = decision.targets[0]
    KSR.pv.sets("$ru", target.uri)
    KSR.pv.sets("$avp(call)", " ".join(ids))
    KSR.pv.sets("$avp(headers)", f"X-FMC-Call: {ids.call}\r\n" + _header_lines(target.headers))
    return TO_MEDIA


def to_trunks(decision: Decision, ids: Ids, set_of: Callable[[str], int]) -> int:
    """Leave the first target for RELAY_TRUNK, and the others with the transaction."""
    attempts = [Attempt(target) for target in decision.targets]
    masked = _masked(attempts[0].target)
    if masked:
        KSR.pv.seti("$avp(masked)", masked)
    if decision.direction != "emergency":
        return next_of(attempts, ids, set_of)
    # Probing may be wrong, and an emergency call has nothing to lose: when no trunk that is up took it, each
    # is tried once more, straight.
    attempts += [Attempt(target, straight=True) for target in decision.targets]
    next_of(attempts, ids, set_of)
    return EMERGENCY


def next_of(attempts: Sequence[Attempt], ids: Ids, set_of: Callable[[str], int]) -> int:
    """Leave what RELAY_TRUNK and the branch need of the first attempt; keep the others for later.

    They are kept with the transaction, because a later route may run in another worker.
    """
    first, rest = attempts[0], attempts[1:]
    if rest:
        KSR.pv.sets("$(avp(targets)[*])", _encode(rest).decode())
    else:
        KSR.pv.unset("$(avp(targets)[*])")
    target = first.target
    headers = dict(target.headers)
    caller = headers.pop("From")
    callee = headers.pop("To")
    trunk = target.trunk or ""
    KSR.pv.sets("$ru", target.uri)
    KSR.pv.seti("$avp(set)", STRAIGHT if first.straight else set_of(trunk))
    KSR.pv.sets("$avp(call)", f"{ids.call} {ids.leg} {trunk} {ids.source} {ids.called}")
    KSR.pv.sets("$avp(from)", _uri(caller))
    KSR.pv.sets("$avp(to)", _uri(callee))
    KSR.pv.sets("$avp(headers)", _header_lines(headers))
    return TO_TRUNK


def after(attempts: Sequence[Attempt], ids: Ids, set_of: Callable[[str], int]) -> int:
    """The same for another trunk than before, whose caller may or may not be masked."""
    KSR.pv.seti("$avp(masked)", _masked(attempts[0].target))
    return next_of(attempts, ids, set_of)


def _masked(target: Target) -> int:
    """Whose Contact stays here: 0 nobody's, 1 the caller's, 2 the called side's, 3 both."""
    return target.masked + 2 * target.masks


def append(headers: Mapping[str, str]) -> None:
    """Add headers to the reply or request at hand."""
    if headers:
        KSR.hdr.append(_header_lines(headers))


def kept() -> list[Attempt]:
    """Give back what `next_of` kept."""
    encoded = KSR.pv.get("$avp(targets)")
    return _decode(encoded) if encoded else []


def refuse(status: int) -> int:
    """Answer the INVITE's transaction; a leg that is tracked already has its event from this status."""
    KSR.pv.sets("$dlg_var(status)", str(status))
    KSR.tm.t_reply(status, PHRASES.get(status, "Call Refused"))
    return REFUSED
