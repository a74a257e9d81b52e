"""What an unknown number looks like, for counting: digits and letters by kind, never the number itself.

A form is a label of a metric and a word in a log. So it says enough to see what an operator has begun to
send (`8ddddddddd`), tells nobody's number, and is one for all numbers that are written alike.
"""

from kemi.numbering.rewrite import LONGEST

__all__ = ["LONGEST_FORM", "form"]

LONGEST_FORM = 24
"""Characters of a form: the longest oddity seen from an operator has 23 digits."""
EMPTY = "empty"

_KEPT = frozenset("+*#-.()/ @_=&")


def form(text: str) -> str:
    """The form of a text.

    The first digit stays, the others become `d`. Letters become one `a` however many they are, and all that
    is neither digit, letter nor usual punctuation one `?`. Parameters are left out, but not their `;`. What
    is too long ends in `~`.
    """
    if not text:
        return EMPTY
    made: list[str] = []
    digits = False
    for character in text[:LONGEST]:
        if character.isascii() and character.isdigit():
            sign = "d" if digits else character
            digits = True
        elif character.isalpha():
            sign = "a"
        elif character == ";":
            made.append(";")
            break
        else:
            sign = character if character in _KEPT else "?"
        if sign in ("a", "?") and made and made[-1] == sign:
            continue
        made.append(sign)
        if len(made) > LONGEST_FORM:
            break
    return "".join(made) if len(made) <= LONGEST_FORM else f"{''.join(made[: LONGEST_FORM - 1])}~"
