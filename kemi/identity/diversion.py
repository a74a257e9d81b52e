"""By whom a call was diverted before it came here: Diversion and History-Info, as one list.

    Diversion     =  address *(";" parameter) *("," ...)             RFC 5806: the newest stands first
    parameter     =  "reason" "=" (token / quoted)  /  "counter" "=" 1*2DIGIT
                  /  "privacy" "=" ("full" / "name" / "uri" / "off")  /  "screen" "=" ("yes" / "no")

    History-Info  =  "<" targeted-to-URI ">" ";index=" index *(";" parameter) *("," ...)
    index         =  1*DIGIT *("." 1*DIGIT)                          RFC 7044: a tree, the oldest first
    parameter     =  ("mp" / "rc" / "np") "=" index                  another user; the same; unchanged
    of the URI    =  ";cause=" status                                RFC 4458: why the call came to it
                  /  "?Privacy=history" / "?Reason=SIP%3Bcause%3D" status

History-Info is read from the present target back to the root: what was tried and failed beside that way did
not lead here. A target with a cause, or with mp, was diverted to, by the entry that mp names; where there
is no mp, by the entry before it (RFC 7544 section 6). Entries of proxies and of a user's own devices (rc,
np) diverted nothing.

Where both headers are there (RFC 7544 sections 3.4 and 7.4) they mostly tell the same, because a network
translated one into the other. History-Info is taken if it names all that Diversion names, Diversion if it
alone names all; else what only Diversion tells is newer than all of History-Info, because the network that
wrote it did not know History-Info. A number that is private in one is private.
"""

import re
from collections.abc import Mapping, Sequence

import msgspec

from kemi.identity.privacy import hides_diverters, is_anonymous, wishes_of
from kemi.identity.uri import MOST, Address, addresses

__all__ = ["CAUSES", "REASONS", "Diverted", "diverted"]

REASONS = frozenset(
    {
        "unknown",
        "user-busy",
        "no-answer",
        "unavailable",
        "unconditional",
        "time-of-day",
        "do-not-disturb",
        "deflection",
        "follow-me",
        "out-of-service",
        "away",
    }
)
"""The reasons of RFC 5806; whatever else stands there is "unknown"."""

CAUSES: Mapping[str, str] = {
    "302": "unconditional",
    "404": "unknown",
    "408": "no-answer",
    "480": "deflection",
    "486": "user-busy",
    "487": "deflection",
    "503": "unavailable",
}
"""RFC 4458 causes as reasons of RFC 5806 (RFC 7544 section 6)."""

# A History-Info grows by one or two entries with each hop, and its newest stand last.
_MOST_READ = 60
_MOST_KEPT = 20
_HIDDEN = frozenset({"full", "uri", "name"})
# RFC 7044 knows "history" alone, RFC 4244 also "header" and "session"; the others can only mean the same.
_HIDDEN_ENTRY = frozenset({"history", "header", "session", "id", "user"})
_REASON = re.compile(r"\bSIP\s{0,8};[^,]{0,64}?\bcause\s{0,8}=\s{0,8}(\d{3})\b", re.IGNORECASE | re.ASCII)
_NOT_OF_A_NUMBER = re.compile(r"[-+.()\s]")


class Diverted(msgspec.Struct, frozen=True, gc=False):
    """Who diverted the call.

    `text` is for numbering to read; `reason` is one of REASONS; `private`: must not be shown to whom may not
    be shown a private caller; `header` is the claim that says so, as "Diversion[2]". `counter` is how many
    diversions it stands for, `screened` False where it says that nobody has checked it (RFC 5806 section 4).
    """

    text: str
    reason: str
    private: bool
    header: str
    counter: int = 1
    screened: bool = True


def diverted(
    headers: Mapping[str, str], wishes: frozenset[str]
) -> tuple[dict[str, str], tuple[Diverted, ...]]:
    """What each entry of both headers says, and who diverted the call, the newest first."""
    claims: dict[str, str] = {}
    hidden = hides_diverters(wishes)
    old = headers.get("Diversion")
    new = headers.get("History-Info")
    of_diversion = _of_diversion(old, claims, hidden=hidden) if old else ()
    of_history = _of_history(new, claims, hidden=hidden) if new else ()
    if not (of_diversion and of_history):
        return claims, (of_diversion or of_history)[:MOST]
    return claims, _both(of_diversion, of_history)[:MOST]


def claim(header: str, position: int) -> str:
    """The name of a value of a header: the first has the header's, the others a number."""
    return f"{header}[{position}]" if position > 1 else header


def _of_diversion(value: str, claims: dict[str, str], *, hidden: bool) -> tuple[Diverted, ...]:
    found = []
    for position, address in enumerate(addresses(value), 1):
        if not address.user:
            continue
        key = claim("Diversion", position)
        claims[key] = address.user
        reason = address.attributes.get("reason", "").lower()
        private = (
            hidden
            or address.attributes.get("privacy", "").lower() in _HIDDEN
            or is_anonymous(address.user, f"@{address.host}")
        )
        counter = address.attributes.get("counter", "")
        times = int(counter) if counter.isascii() and counter.isdigit() and len(counter) <= 2 else 1
        if reason not in REASONS:
            reason = "unknown"
        screened = address.attributes.get("screen", "").lower() != "no"
        found.append(Diverted(address.user, reason, private, key, max(times, 1), screened))
    return tuple(found)


def _of_history(value: str, claims: dict[str, str], *, hidden: bool) -> tuple[Diverted, ...]:
    entries = addresses(value, _MOST_READ)
    skipped = max(0, len(entries) - _MOST_KEPT)
    entries = entries[skipped:]
    for position, address in enumerate(entries, skipped + 1):
        if address.user:
            claims[claim("History-Info", position)] = address.user
    places = {address.attributes.get("index", ""): place for place, address in enumerate(entries)}
    found = []
    at = len(entries) - 1
    while at > 0:
        entry = entries[at]
        mapped = entry.attributes.get("mp")
        before = _before(entries, places, at)
        if mapped is not None and places.get(mapped) != before:
            # Who diverted is not told (any more).
            at = before
            continue
        diverting = entries[before]
        reason = _reason(entry, diverting)
        if reason is not None and diverting.user:
            private = hidden or _asks_privacy(diverting)
            key = claim("History-Info", skipped + before + 1)
            found.append(Diverted(diverting.user, reason, private, key))
        at = before
    return tuple(found)


def _before(entries: Sequence[Address], places: Mapping[str, int], at: int) -> int:
    """The entry that led to this one, always one that stands before it."""
    attributes = entries[at].attributes
    for parameter in ("mp", "rc", "np"):
        place = places.get(attributes.get(parameter, ""), at)
        if place < at:
            return place
    if entries[at].params.get("cause") in CAUSES:
        return at - 1
    index = attributes.get("index", "")
    while index:
        index = index.rpartition(".")[0]
        place = places.get(index, at)
        if place < at:
            return place
    return at - 1


def _reason(entry: Address, diverting: Address) -> str | None:
    """Why the call was diverted to this entry; None where it was not."""
    reason = CAUSES.get(entry.params.get("cause", ""))
    if reason is not None:
        return reason
    # Retargeting that says no cause: the response that led to it may stand at who diverted (RFC 7044, and
    # RFC 4244, which knew no mp, rc and np).
    told = _REASON.search(diverting.headers.get("reason", ""))
    if "mp" in entry.attributes:
        return CAUSES.get(told[1], "unknown") if told else "unknown"
    if told is None or "rc" in entry.attributes or "np" in entry.attributes:
        return None
    return CAUSES.get(told[1])


def _asks_privacy(entry: Address) -> bool:
    # As a URI parameter it stood in the examples of RFC 6044.
    wishes = wishes_of(entry.headers.get("privacy") or entry.params.get("privacy"))
    return not wishes.isdisjoint(_HIDDEN_ENTRY) or is_anonymous(entry.user, f"@{entry.host}")


def _both(old: Sequence[Diverted], new: Sequence[Diverted]) -> tuple[Diverted, ...]:
    of_old = {_digits(one.text) for one in old}
    of_new = {_digits(one.text) for one in new}
    if of_old <= of_new:
        chosen = tuple(new)
    elif of_new <= of_old:
        chosen = tuple(old)
    else:
        chosen = (*(one for one in old if _digits(one.text) not in of_new), *new)
    hidden = {_digits(one.text) for one in (*old, *new) if one.private}
    return tuple(
        one if one.private or _digits(one.text) not in hidden else msgspec.structs.replace(one, private=True)
        for one in chosen
    )


def _digits(text: str) -> str:
    """A text to compare within one message, where one network may write one number in two ways."""
    return _NOT_OF_A_NUMBER.sub("", text.partition(";")[0]).lower()
