"""The shapes: what each takes, given the dial plan and the area code of who wrote it (docs/numbers.md)."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from kemi.numbering.country_codes import NSN_LENGTHS
from kemi.numbering.model import Kind, Shape
from kemi.numbering.plan import Plan

__all__ = ["Fit", "IsExtension", "beginnings", "is_e164", "rule"]

IsExtension: TypeAlias = Callable[[str], bool]
"""Whether some digits are an extension of the caller's tenant."""

Fit: TypeAlias = Callable[[str, IsExtension | None], str | None]
"""A shape's test: the text that goes on, or None where the text is not of this shape."""

_LENGTHS = {code: frozenset(n + len(code) for n in lengths) for code, lengths in NSN_LENGTHS.items()}
_NEVER: frozenset[int] = frozenset()
_SERVICE = frozenset("0123456789*#")


def is_e164(digits: str) -> bool:
    """Whether digits (no plus) are an assigned country code and a plausible number of digits after it."""
    # No assigned code begins with another one, so at most one of the three is found.
    lengths = _LENGTHS.get(digits[:1]) or _LENGTHS.get(digits[:2]) or _LENGTHS.get(digits[:3], _NEVER)
    return len(digits) in lengths and digits.isascii() and digits.isdigit()


def _e164(text: str, _: IsExtension | None) -> str | None:
    return text if text[:1] == "+" and is_e164(text[1:]) else None


def _e164_bare(text: str, _: IsExtension | None) -> str | None:
    return f"+{text}" if is_e164(text) else None


def _extension(text: str, is_extension: IsExtension | None) -> str | None:
    if is_extension is None or not (2 <= len(text) <= 6 and text.isdigit()):
        return None
    return text if is_extension(text) else None


def _service(text: str, _: IsExtension | None) -> str | None:
    return text if text[:1] in ("*", "#") and _SERVICE.issuperset(text) else None


def _after(prefixes: Sequence[str]) -> Fit:
    """An international number behind a prefix."""
    if len(prefixes) > 1:
        fits = [_after((prefix,)) for prefix in prefixes]
        return lambda text, _: next(filter(None, (fit(text, None) for fit in fits)), None)
    prefix = prefixes[0]
    start = len(prefix)

    def fit(text: str, _: IsExtension | None) -> str | None:
        return f"+{text[start:]}" if text.startswith(prefix) and is_e164(text[start:]) else None

    return fit


def beginnings(plan: Plan, area_code: str = "", *, trunk: bool = False) -> dict[int, set[tuple[str, int]]]:
    """How numbers without their country code are written: all that can follow from the plan.

    How many digits a text has, to how those begin that fit and where the number starts in them. A number
    stands behind a trunk prefix (`trunk`), or with `area_code` left out, or neither.
    """
    wanted: dict[int, set[tuple[str, int]]] = {}
    for one in plan.nsn:
        prefix = "" if not trunk else plan.trunk_prefix if one.trunk_prefix is None else one.trunk_prefix
        begin = [text for text in (_left(begin, area_code) for begin in one.begin) if text is not None]
        for length in one.lengths:
            if length > len(area_code) and (prefix or not trunk):
                of = wanted.setdefault(length - len(area_code) + len(prefix), set())
                of.update((prefix + text, len(prefix)) for text in begin)
    return wanted


def _national(plan: Plan, area_code: str = "", *, trunk: bool = False) -> Fit:
    """A number without its country code: behind a trunk prefix, or with `area_code` left out, or neither."""
    wanted = beginnings(plan, area_code, trunk=trunk)
    tests = {length: _by_beginning(of) for length, of in wanted.items()}
    code = f"+{plan.code}{area_code}"

    def fit(text: str, _: IsExtension | None) -> str | None:
        for length, begin, start in tests.get(len(text), ()):
            if text[:length] in begin and text.isdigit():
                return f"{code}{text[start:]}"
        return None

    return fit


def _left(begin: str, area_code: str) -> str | None:
    """How a number begins where its area code is left out; None where it is none of this area."""
    if area_code.startswith(begin):
        return ""
    return begin[len(area_code) :] if begin.startswith(area_code) else None


def _by_beginning(of: set[tuple[str, int]]) -> tuple[tuple[int, frozenset[str], int], ...]:
    """Beginnings of texts as what to look up: how many characters, among which, where the number starts."""
    sizes = sorted({(len(begin), start) for begin, start in of}, reverse=True)
    return tuple(
        (size, frozenset(begin for begin, at in of if (len(begin), at) == (size, start)), start)
        for size, start in sizes
    )


def rule(shape: Shape, plan: Plan, area_code: str | None) -> tuple[Shape, Kind, Fit] | None:
    """What to test for a shape; None where it can never fit.

    `withheld` and `unknown` need no rule: the first is recognised on every trunk, the second is what
    remains.
    """
    match shape:
        case "e164":
            return shape, "e164", _e164
        case "e164_bare":
            return shape, "e164", _e164_bare
        case "national_trunk" if plan.trunk_prefix:
            return shape, "e164", _national(plan, trunk=True)
        case "national" if plan.code:
            return shape, "e164", _national(plan)
        case "local" if plan.code and area_code:
            return shape, "e164", _national(plan, area_code)
        case "international_prefix" if plan.international_prefixes:
            return shape, "e164", _after(plan.international_prefixes)
        case "international_00":
            return shape, "e164", _after(("00",))
        case "extension":
            return shape, "extension", _extension
        case "service":
            return shape, "service", _service
        case _:
            return None
