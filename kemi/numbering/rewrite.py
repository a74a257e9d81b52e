"""A trunk's own oddities put right before any shape is tried: `caller#DID`, a technical prefix, `;ext=`.

A pattern is literal text with placeholders: `{name}` stands for one or more characters. No more can be said
in it than that, so that anybody can read a rule and none can be made that takes long to try.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

from kemi.numbering.model import Rewrite, Role, Step

__all__ = ["Change", "changes", "complaint_of"]

Change: TypeAlias = Callable[[str], Step | None]
"""One rule ready to apply: the step it makes of a text, or None where it does not match."""

_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
MOST_PLACES = 3
"""Placeholders of one pattern: trying it takes at most a number's length to this power."""


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


def unknown_places(rule: Rewrite) -> list[str]:
    """The placeholders that `replace` uses and `match` does not have."""
    known = set(_PLACE.findall(rule.match))
    return [name for name in _PLACE.findall(rule.replace) if name not in known]


def _compiled(rule: Rewrite) -> Change:
    pieces = _PLACE.split(rule.match)
    pattern = re.compile(
        "".join(f"(?P<{piece}>.+?)" if index % 2 else re.escape(piece) for index, piece in enumerate(pieces)),
        re.DOTALL,
    )
    template = rule.replace

    def change(text: str) -> Step | None:
        found = pattern.fullmatch(text)
        if found is None:
            return None
        return Step(rule.name, text, _PLACE.sub(lambda place: found[place[1]], template))

    return change


@lru_cache(maxsize=1024)
def changes(rules: Sequence[Rewrite], role: Role) -> tuple[Change, ...]:
    """The rules for a role, in order, ready to apply."""
    return tuple(_compiled(rule) for rule in rules if rule.role in (None, role))
