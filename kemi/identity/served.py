"""Whom a mobile network serves with this call, and on which side: P-Served-User and the topmost Route.

    P-Served-User  =  address *(";" served-user-param)
    served-user-param  =  "sescase" "=" ("orig" / "term")            RFC 5502 section 6
                       /  "regstate" "=" ("reg" / "unreg")
                       /  "orig-cdiv"                                RFC 8498 section 6

A network that does not send P-Served-User says `orig` or `term` in the Route that leads to us, as a
parameter of the header or of its URI (3GPP TS 24.229).
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from kemi.identity.uri import addresses

__all__ = ["CASES", "Case", "SessionCase", "case_of_route", "session_case"]

Case: TypeAlias = Literal["orig", "term"]
SessionCase: TypeAlias = Literal["orig", "term", "orig-cdiv"]

CASES: tuple[Case, ...] = ("orig", "term")

# As most networks write it. Read in one step; everything else goes the long way, to the same result.
_PLAIN: Mapping[str, Case] = {
    f";sescase={case}{state}": case for case in CASES for state in ("", ";regstate=reg", ";regstate=unreg")
}


def session_case(value: str) -> SessionCase | None:
    """What P-Served-User says of the session; None where it says nothing, or nothing that is known.

    `orig-cdiv` is the leg after a diversion: the served user is the one who diverted, who called stands in
    P-Asserted-Identity (RFC 8498 section 1.3).
    """
    if '"' not in value and value.count(">") == 1:
        case = _PLAIN.get(value[value.index(">") + 1 :])
        if case is not None:
            return case
    return _session_case_of_any(value)


def _session_case_of_any(value: str) -> SessionCase | None:
    first = addresses(value, 1)
    if not first:
        return None
    attributes = first[0].attributes
    said = attributes.get("sescase", "").lower()
    if said == "orig-cdiv" or "orig-cdiv" in attributes:
        return "orig-cdiv"
    return _case(said)


def case_of_route(value: str) -> Case | None:
    """What the topmost Route says of the session, in the header before in its URI."""
    first = addresses(value, 1)
    return (_flag(first[0].attributes) or _flag(first[0].params)) if first else None


def _flag(parameters: Mapping[str, str]) -> Case | None:
    for name in parameters:
        case = _case(name)
        if case is not None:
            return case
    return None


def _case(text: str) -> Case | None:
    if text == "orig":
        return "orig"
    return "term" if text == "term" else None
