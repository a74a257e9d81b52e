"""Who is calling: from which header, as which text, with what wish for privacy.

    P-Asserted-Identity    =  address *("," address)               RFC 3325 section 9.1: a sip and a tel URI
    P-Preferred-Identity   =  address *("," address)               RFC 3325 section 9.2
    Remote-Party-ID        =  address *(";" rpi-token) *("," ...)  draft-ietf-sip-privacy-04 section 5
    rpi-token              =  "party" "=" ("calling" / "called" / token)
                           /  "privacy" "=" 1#(("full" / "name" / "uri" / "off") ["-" "network"])
                           /  "screen" "=" ("yes" / "no")  /  "id-type" "=" token

What a header says is kept whether or not it is believed: of an unknown peer only From counts, which every
stranger may write (RFC 3325 section 4). `screen` is not looked at: a peer is trusted as a whole, and many of
them write screen=no beside a number that is right.

A phone-context (RFC 3966) is not put before a number: mobile networks name their own domain or country in
it whatever was dialled, and what a text without plus means is what the trunk says.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec

from kemi.identity.diversion import Diverted, claim, diverted
from kemi.identity.privacy import NO_WISHES, hides_caller, hides_number, is_anonymous, wishes_of
from kemi.identity.served import Case, SessionCase, case_of_route, session_case
from kemi.identity.uri import Address, addresses, user_of

__all__ = ["Identity", "identify"]

_RPID = "Remote-Party-ID"
_SERVED = "P-Served-User"
_SINGLE = ("From", _SERVED)
_CALLING = (*_SINGLE, "P-Asserted-Identity", "P-Preferred-Identity", _RPID)
# On these sides P-Served-User names who is called, or who diverted the call (RFC 5502 section 4.2, RFC 8498
# section 1.3).
_NOT_CALLING = frozenset({"term", "orig-cdiv"})
# A digit, after plus and separators.
_NUMBER = re.compile(r"[-+.()\s]*[0-9]", re.ASCII)
_RPI_PRIVACY = frozenset({"full", "name", "uri", "off"})


class Identity(msgspec.Struct, frozen=True, gc=False):
    """Who calls.

    `claims` holds what each header said of the caller and of those who diverted the call, by the header's
    name; of a header with several values the others have their number ("P-Asserted-Identity[2]"). `header`
    is the claim that is taken for the caller and None where none of the trunk's is; `text` is what stood
    there, for numbering to read. `private` says that the caller or the network asks not to show it.

    `case` and `served` are a mobile network's word, None where it is not trusted: the side that it serves,
    originating or terminating, and the text of P-Served-User. `diversions` begins with the newest;
    `first_called` is the oldest that is told, and None where nobody diverted the call.
    """

    header: str | None
    text: str
    private: bool
    claims: Mapping[str, str]
    case: Case | None = None
    served: str | None = None
    diversions: tuple[Diverted, ...] = ()
    first_called: str | None = None


def identify(
    headers: Mapping[str, str],
    order: Sequence[str],
    *,
    trusted: bool = True,
) -> Identity:
    """Choose who speaks: the first header of a trunk's `identity` that names somebody.

    Args:
        headers: by their canonical names, each with its whole value. Without From they are those of a reply
            or a later request, in which Remote-Party-ID may also name the called party.
        order: the headers that may say who calls.
        trusted: the peer is in our trust domain; of another one only From is chosen.
    """
    claims: dict[str, str] = {}
    # Where another value than a header's first speaks for it; "" where none does.
    speaks: dict[str, str] = {}
    presumed = False
    for header, single in _names(tuple(order)):
        value = headers.get(header)
        if not value:
            continue
        if single or ("," not in value and header != _RPID):
            claims[header] = user_of(value)
        elif header == _RPID:
            speaks[header], presumed = _read_rpid(value, claims, request="From" in headers)
        else:
            speaks[header] = _read_list(header, value, claims)

    session = None
    if _SERVED in claims:
        session = session_case(headers[_SERVED])
        if session in _NOT_CALLING:
            speaks[_SERVED] = ""

    chosen, text = None, ""
    for header in order:
        key = speaks.get(header, header)
        said = claims.get(key)
        # From stands in every call and may name nobody; another header that names nobody says nothing.
        if said is not None and (header == "From" or (trusted and said)):
            chosen, text = key, said
            break

    wishes = wishes_of(headers["Privacy"]) if "Privacy" in headers else NO_WISHES
    private = "From" in claims and is_anonymous(claims["From"], headers["From"])
    if wishes or presumed:
        private = hides_caller(wishes, anonymous=private, presumed=presumed)
    diversions: tuple[Diverted, ...] = ()
    if "Diversion" in headers or "History-Info" in headers:
        more, diversions = diverted(headers, wishes)
        claims |= more
    return Identity(
        chosen,
        text,
        private,
        claims,
        _case(session, headers) if trusted else None,
        (claims.get(_SERVED) or None) if trusted else None,
        diversions,
        diversions[-1].text if diversions else None,
    )


@lru_cache(maxsize=256)
def _names(order: tuple[str, ...]) -> tuple[tuple[str, bool], ...]:
    """The headers that say who calls: a trunk's, in its order, and behind them the others.

    With each whether it has one value only.
    """
    names = dict.fromkeys((*order, *_CALLING))
    return tuple((header, header in _SINGLE) for header in names if header in _CALLING)


def _case(session: SessionCase | None, headers: Mapping[str, str]) -> Case | None:
    if session is None:
        return case_of_route(headers["Route"]) if "Route" in headers else None
    return "orig" if session == "orig-cdiv" else session


def _read_list(header: str, value: str, claims: dict[str, str]) -> str:
    """Read all values; give back the claim that is a number, else the first."""
    speaks = ""
    for position, address in enumerate(addresses(value), 1):
        key = claim(header, position)
        claims[key] = address.user
        if not speaks and _NUMBER.match(address.user):
            speaks = key
    return speaks or header


def _read_rpid(value: str, claims: dict[str, str], *, request: bool) -> tuple[str, bool]:
    """Read all values; give back the claim of who speaks, and whether its number is to be hidden."""
    speaks, hidden = "", False
    last = None
    for position, address in enumerate(addresses(value), 1):
        if _is_more_privacy(address):
            # A list without quotes, `privacy=name,uri`, that reads as if another value began.
            hidden = hidden or (last == speaks and hides_number(address.user))
            continue
        last = claim(_RPID, position)
        claims[last] = address.user
        party = address.attributes.get("party", "calling").lower()
        if not speaks and (party == "calling" or (party == "called" and not request)):
            speaks = last
            hidden = hides_number(address.attributes.get("privacy", ""))
    return speaks, hidden


def _is_more_privacy(address: Address) -> bool:
    return not address.scheme and address.user.partition(";")[0].partition("-")[0].lower() in _RPI_PRIVACY
