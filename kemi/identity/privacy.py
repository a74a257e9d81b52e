"""What callers and networks ask not to be shown: Privacy, Remote-Party-ID, an anonymous From.

    Privacy  =  priv-value *(";" priv-value)
    priv-value  =  "header" / "session" / "user" / "none" / "critical"      RFC 3323 section 4.2
                /  "id"                                                     RFC 3325 section 9.3
                /  "history"                                                RFC 7044 section 10.1

A value that is not known asks for nothing, `critical` only says how serious the others are, and `session`
hides where the media goes, not who speaks.
"""

import re

from kemi.numbering.canonicalise import is_withheld

__all__ = ["NO_WISHES", "hides_caller", "hides_diverters", "hides_number", "is_anonymous", "wishes_of"]

NO_WISHES: frozenset[str] = frozenset()
_CALLER = frozenset({"id", "user", "header"})
_DIVERTERS = frozenset({"history", "header"})
# draft-ietf-sip-privacy-04 section 5.1, RFC 5806: "full" is both name and URI. `-network` says that it was
# the network's wish.
_NUMBER = frozenset({"full", "uri"})
_BETWEEN = re.compile(r"[\s,;]+")


def wishes_of(privacy: str | None) -> frozenset[str]:
    """The values of a Privacy header. Some write commas between them, or blanks."""
    return frozenset(_BETWEEN.split(privacy.lower())) if privacy else NO_WISHES


def is_anonymous(user: str, value: str) -> bool:
    """Whether an address stands in the place of one that is withheld: RFC 3323 section 4.1.1.3.

    The name before @anonymous.invalid may be anything. `user` is the user part of the address `value`.
    """
    # A number that begins as one does is no word for a withheld one: the common case in one step.
    if not ("0" <= user[:1] <= "9" or user[:1] == "+") and is_withheld(user.partition(";")[0]):
        return True
    return "@anonymous.invalid" in value.lower()


def hides_caller(wishes: frozenset[str], *, anonymous: bool, presumed: bool) -> bool:
    """Whether the caller must not be shown.

    `anonymous`: From names nobody; `presumed`: a network asks for it in Remote-Party-ID. An explicit `none`
    says that the caller wants no privacy, whatever a network presumes; but where From names nobody there is
    nothing to show. `none` beside a wish is a contradiction: the wish counts.
    """
    if not wishes.isdisjoint(_CALLER):
        return True
    return anonymous or (presumed and "none" not in wishes)


def hides_diverters(wishes: frozenset[str]) -> bool:
    """Whether nobody who diverted the call may be shown (RFC 7044 section 10.1.2, RFC 7544 section 3.2)."""
    return not wishes.isdisjoint(_DIVERTERS)


def hides_number(privacy: str) -> bool:
    """Whether a `privacy` parameter asks to hide the number; `name` asks to hide the display name alone."""
    words = (word.partition("-")[0] for word in _BETWEEN.split(privacy.lower()))
    return not _NUMBER.isdisjoint(words)
