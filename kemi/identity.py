"""Who is calling: from which header, as which text, with what wish for privacy.

The grammar that is read here (RFC 3261 section 25.1, RFC 3966 section 3), as far as numbers need it:

    name-addr   =  [ display-name ] "<" addr-spec ">"      display-name may be quoted and hold < and >
    addr-spec   =  ("sip:" | "sips:") user [":" password] "@" host *(";" parameter)
                /  "tel:" number *(";" parameter)
    user        =  number *(";" parameter)                 percent-encoded

Nothing is refused: a value that is no such address is given back as it came, so that it can be carried,
shown and counted. A phone-context (RFC 3966) is not put before a number: mobile networks name their own
domain or country in it whatever was dialled, and what a text without plus means is what the trunk says.
"""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

import msgspec

from kemi.numbering.canonicalise import is_withheld

__all__ = ["Identity", "identify", "uri_of", "user_of"]

# RFC 3323 section 4.2 and RFC 3325 section 9.3; `critical` alone asks for nothing.
_PRIVATE = frozenset({"id", "user", "header"})


class Identity(msgspec.Struct, frozen=True, gc=False):
    """Who calls.

    `header` is the one that said so and None where none of the trunk's did; `text` is what stood there,
    for numbering to read. `private` says that the caller or the network asks not to show it. `claims`
    holds what each header said that was looked at.
    """

    header: str | None
    text: str
    private: bool
    claims: Mapping[str, str]


def uri_of(value: str) -> str:
    """The addr-spec of the first address in a header's value; the value itself where there is none."""
    start = 0
    if value.lstrip()[:1] == '"':
        start = _after_quotes(value)
    left = value.find("<", start)
    if left >= 0:
        right = value.find(">", left)
        return value[left + 1 : right] if right >= 0 else value
    # Without angle brackets every parameter is the header's, not the URI's (RFC 3261 section 20).
    return value.partition(";")[0].strip() if start == 0 else value


def _after_quotes(value: str) -> int:
    """Where a quoted display name ends; the end of the value where its quotes are not closed."""
    at = value.index('"') + 1
    while at < len(value):
        if value[at] == '"':
            return at + 1
        at += 2 if value[at] == "\\" else 1
    return len(value)


# Nearly every address on the wire is one of these: a plain number in angle brackets, or a bare URI. Read in
# one step; everything else goes the long way, to the same result.
_PLAIN = re.compile(r'(?:[^<"]*<sips?:([0-9+*#]{1,32})@[^<>]*>|sips?:([0-9+*#]{1,32})@[^<>"]*\Z)')


def user_of(value: str) -> str:
    """The user part of an address, decoded, without parameters and password.

    "" where the URI has only a host. What is no sip, sips or tel URI comes back whole.
    """
    plain = _PLAIN.match(value)
    return plain[plain.lastindex or 0] if plain else _user_of_any(value)


def _user_of_any(value: str) -> str:
    uri = uri_of(value)
    scheme, colon, rest = uri.partition(":")
    scheme = scheme.lower()
    if not colon:
        return value
    if scheme in ("sip", "sips"):
        user, at, _ = rest.partition("@")
        if not at:
            return ""
    elif scheme == "tel":
        user = rest
    else:
        return value
    user = user.partition(";")[0].partition(":")[0]
    return unquote(user) if "%" in user else user


def _asks_privacy(headers: Mapping[str, str], sender: str | None) -> bool:
    """Whether Privacy (RFC 3323) or an anonymous From asks not to show the caller; `sender`: From's user."""
    privacy = headers.get("Privacy")
    if privacy is not None:
        wishes = privacy.lower().replace(",", ";").split(";")
        if not _PRIVATE.isdisjoint(wish.strip() for wish in wishes):
            return True
    if sender is None:
        return False
    header = headers["From"].lower()
    return is_withheld(sender) or (
        "@anonymous.invalid" in header and uri_of(header).endswith("@anonymous.invalid")
    )


def _says_who_calls(header: str, value: str) -> bool:
    # On the terminating side P-Served-User names the one who is called (RFC 5502 section 4.2).
    return header != "P-Served-User" or "sescase=term" not in value.lower().replace(" ", "")


def identify(headers: Mapping[str, str], order: Sequence[str]) -> Identity:
    """Choose the caller: the first header of a trunk's `identity` that is there."""
    chosen = None
    claims = {}
    for header in order:
        value = headers.get(header)
        if value:
            claims[header] = user_of(value)
            if chosen is None and _says_who_calls(header, value):
                chosen = header
    sender = claims.get("From")
    if sender is None and headers.get("From"):
        sender = claims["From"] = user_of(headers["From"])
    return Identity(
        header=chosen,
        text="" if chosen is None else claims[chosen],
        private=_asks_privacy(headers, sender),
        claims=claims,
    )
