"""A trunk's own oddities put right before any shape is tried: `caller#DID`, a technical prefix, `;ext=`.

A pattern is literal text with placeholders: `{name}` stands for one or more characters. No more can be said
in it than that, so that anybody can read a rule, and trying one takes no longer than reading the text: it is
no regular expression, which a hostile text could keep busy.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

from kemi.numbering.model import Rewrite, Role, Step

__all__ = ["LONGEST", "MOST_PLACES", "Change", "changes", "complaint_of", "unknown_places"]

Change: TypeAlias = Callable[[str], Step | None]
"""One rule ready to apply: the step it makes of a text, or None where it does not match."""

LONGEST = 255
"""Characters of a text that is looked into, parameters and all (as the DNS allows a name)."""
MOST_PLACES = 3
"""Placeholders of one pattern: more of them nobody can tell what they match."""

_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def complaint_of(pattern: str) -> str | None:
    """What is wrong with a pattern; None where nothing is."""
    names = _PLACE.findall(pattern)
    if set("{}") & set(_PLACE.sub("", pattern)):
        return 'has a brace that is no placeholder; write placeholders like "{number}"'
    if len(names) > MOST_PLACES:
        return f"has {len(names)} placeholders; {MOST_PLACES} at most"
    if len(set(names)) < len(names):
        return "has a placeholder twice; give each its own name"
    return None


def unknown_places(match: str, replace: str) -> list[str]:
    """The placeholders that `replace` uses and `match` does not have."""
    known = set(_PLACE.findall(match))
    return [name for name in _PLACE.findall(replace) if name not in known]


def _places(text: str, literals: Sequence[str]) -> list[str] | None:
    """What stands between the literals where they make up the whole text; None where they do not.

    There is a placeholder between each two literals. The first stands at the beginning and the last at the
    end; the others are taken where they come first, which leaves most room for what follows: where that
    does not match nothing does.
    """
    first, *middle, last = literals
    end = len(text) - len(last)
    if not text.startswith(first) or not text.endswith(last):
        return None
    found = []
    at = len(first)
    for literal in middle:
        begin = text.find(literal, at + 1, end)
        if begin < 0:
            return None
        found.append(text[at:begin])
        at = begin + len(literal)
    if at >= end:
        return None
    found.append(text[at:end])
    return found


def _compiled(rule: Rewrite) -> Change | None:
    """A rule ready to apply; None for one that `complaint_of` or `unknown_places` would refuse."""
    if complaint_of(rule.match) or complaint_of(rule.replace) or unknown_places(rule.match, rule.replace):
        return None
    pieces = _PLACE.split(rule.match)
    literals, names = pieces[::2], pieces[1::2]
    name, match, replace = rule.name, rule.match, rule.replace
    # Without it there is nothing to try, and most texts are without it.
    needed = max(literals, key=len)
    written = _PLACE.split(replace)
    # Where each piece of `replace` comes from: an even one is literal, an odd one a placeholder's index.
    parts = [names.index(piece) if index % 2 else piece for index, piece in enumerate(written)]

    def change(text: str) -> Step | None:
        if needed not in text:
            return None
        if not names:
            after = replace if text == match else text
        else:
            found = _places(text, literals)
            if found is None:
                return None
            after = "".join([part if isinstance(part, str) else found[part] for part in parts])
        return Step(name, text, after) if after != text and len(after) <= LONGEST else None

    return change


@lru_cache(maxsize=1024)
def changes(rules: tuple[Rewrite, ...], role: Role) -> tuple[Change, ...]:
    """The rules for a role, in order, ready to apply. A rule that says nothing sensible is left out."""
    ready = (_compiled(rule) for rule in rules if rule.role in (None, role))
    return tuple(change for change in ready if change is not None)
