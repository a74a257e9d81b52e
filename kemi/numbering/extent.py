"""Which texts a shape takes, said of all of them at once: for lists in which one takes from another.

The reader (kemi.numbering.canonicalise) tests one text. Every shape of digits is a union of classes, each
"texts that begin so and have so many characters": so it can be decided whether a shape takes all of
another, and how much, without trying any number.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TypeAlias

from kemi.numbering.country_codes import NSN_LENGTHS
from kemi.numbering.model import Shape
from kemi.numbering.plan import Plan
from kemi.numbering.shapes import beginnings

__all__ = ["Extent", "begins_a_number", "common", "extent", "samples", "share", "uncovered", "within"]

Extent: TypeAlias = frozenset[tuple[str, int]]
"""Texts of digits, with or without a plus before them: how they begin, and how many characters they have."""

DIGITS = "0123456789"
FILLING = "1234567890123456"
"""What samples end in: digits that look like a number and are told from each other."""


@lru_cache(maxsize=256)
def extent(shape: Shape, plan: Plan, area_code: str | None) -> Extent:
    """All texts of digits that a shape takes; nothing for shapes that are not told by their digits."""
    match shape:
        case "e164":
            return _numbers_behind("+")
        case "e164_bare":
            return _numbers_behind("")
        case "international_prefix":
            return frozenset[tuple[str, int]]().union(*map(_numbers_behind, plan.international_prefixes))
        case "international_00":
            return _numbers_behind("00")
        case "national_trunk" if plan.trunk_prefix:
            return _classes(beginnings(plan, trunk=True))
        case "national" if plan.code:
            return _classes(beginnings(plan))
        case "local" if plan.code and area_code:
            return _classes(beginnings(plan, area_code))
        case _:
            return frozenset()


@lru_cache(maxsize=64)
def _numbers_behind(prefix: str) -> Extent:
    return frozenset(
        (prefix + code, len(prefix) + len(code) + length)
        for code, lengths in NSN_LENGTHS.items()
        for length in lengths
    )


def _classes(wanted: dict[int, set[tuple[str, int]]]) -> Extent:
    # Where any digit begins a text, a plus does not.
    return frozenset(
        (first, length)
        for length, of in wanted.items()
        for begin, _ in of
        for first in ((begin,) if begin else DIGITS)
    )


def begins_a_number(prefix: str) -> bool:
    """Whether any E.164 number begins with this prefix (plus and digits)."""
    digits = prefix[1:]
    for size in (1, 2, 3):
        lengths = NSN_LENGTHS.get(digits[:size])
        if lengths and len(digits[:size]) == size:
            return len(digits) - size <= max(lengths)
    return len(digits) < 3 and any(code.startswith(digits) for code in NSN_LENGTHS)


def uncovered(begin: str, by: Sequence[str], possible: Callable[[str], bool]) -> str | None:
    """How texts begin that begin with `begin` and with none of `by`; None where there are none.

    `by` is sorted. `possible` says of a beginning whether any text has it.
    """
    if not possible(begin) or any(_holds(by, begin[:size]) for size in range(len(begin) + 1)):
        return None
    return _uncovered(begin, by, possible)


def _uncovered(begin: str, by: Sequence[str], possible: Callable[[str], bool]) -> str | None:
    if not possible(begin):
        return None
    at = bisect_left(by, begin)
    if at == len(by) or not by[at].startswith(begin):
        return begin
    if by[at] == begin:
        return None
    return next(filter(None, (_uncovered(begin + digit, by, possible) for digit in DIGITS)), None)


def _holds(by: Sequence[str], text: str) -> bool:
    at = bisect_left(by, text)
    return at < len(by) and by[at] == text


def within(part: Extent, whole: Extent) -> bool:
    """Whether every text of one is also one of the other."""
    return all(
        uncovered(begin, _of_length(whole, length), _shorter(length)) is None for begin, length in part
    )


@lru_cache(maxsize=4096)
def _of_length(whole: Extent, length: int) -> tuple[str, ...]:
    return tuple(sorted(begin for begin, size in whole if size == length))


def _shorter(length: int) -> Callable[[str], bool]:
    return lambda begin: len(begin) <= length


def common(one: Extent, other: Extent) -> Extent:
    """The texts of both."""
    return frozenset(_common(one, other))


def _common(one: Extent, other: Extent) -> Iterator[tuple[str, int]]:
    for begin, length in one:
        for second in _of_length(other, length):
            if begin.startswith(second) or second.startswith(begin):
                yield max(begin, second, key=len), length


def _count(texts: Extent) -> int:
    counted = 0
    for begin, length in texts:
        # What a shorter beginning takes already is counted there.
        of = _of_length(texts, length)
        if not any(_holds(of, begin[:size]) for size in range(len(begin))):
            counted += 10 ** (length - len(begin))
    return counted


def share(part: Extent, whole: Extent) -> float:
    """How much of the one the other is, when it is a part of it."""
    return _count(part) / _count(whole)


def samples(texts: Extent, most: int) -> list[str]:
    """Some of the texts: those of the largest classes first, no two that begin alike."""
    ordered = sorted(texts, key=lambda each: (len(each[0]) - each[1], each[0]))
    found: dict[str, str] = {}
    for begin, length in ordered:
        text = begin + FILLING[: length - len(begin)]
        found.setdefault(text[:2], text)
        if len(found) == most:
            break
    return list(found.values())
