"""What a number is: from the text a trunk wrote to E.164, with every step kept.

A trunk lists the shapes its operator really sends, in order. The first that fits wins; where none fits
the number is unknown and goes on exactly as it came. Nothing is tried beyond the list, because the same
digits mean different numbers to different operators: 84912345678 is Vietnam or Ryazan.

This runs several times for each call, so what a list of shapes means is worked out once (`reader`).
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

from kemi.numbering.country_codes import NSN_LENGTHS
from kemi.numbering.model import Kind, Number, Role, Shape, Step
from kemi.numbering.plan import Plan

__all__ = ["IsExtension", "Reader", "canonicalise", "is_e164", "is_withheld", "reader"]

IsExtension: TypeAlias = Callable[[str], bool]
"""Whether some digits are an extension of the caller's tenant."""

Fit: TypeAlias = Callable[[str, IsExtension | None], str | None]
"""A shape's test: the text that goes on, or None where the text is not of this shape."""

# Longer than any number with all its separators: such a text is not looked into.
LONGEST = 64
# What may replace a number that the caller or the network withholds (RFC 3323, and common practice).
ANONYMOUS = "anonymous"
WITHHELD = frozenset({"", ANONYMOUS, "unavailable", "unknown", "restricted"})
# RFC 3966 section 3 (visual-separator) and what people and address books put in their place: blanks,
# slashes, the hyphens and dashes of Unicode and its minus sign.
SEPARATORS = dict.fromkeys(
    map(
        ord, "-.()/ \t\N{NO-BREAK SPACE}\N{FIGURE SPACE}\N{THIN SPACE}\N{NARROW NO-BREAK SPACE}\N{MINUS SIGN}"
    )
) | dict.fromkeys(range(0x2010, 0x2016))

_LENGTHS = {code: frozenset(n + len(code) for n in lengths) for code, lengths in NSN_LENGTHS.items()}
_NEVER: frozenset[int] = frozenset()
_SERVICE = frozenset("0123456789*#")


def is_e164(digits: str) -> bool:
    """Whether digits (no plus) are an assigned country code and a plausible number of digits after it."""
    # No assigned code begins with another one, so at most one of the three is found.
    lengths = _LENGTHS.get(digits[:1]) or _LENGTHS.get(digits[:2]) or _LENGTHS.get(digits[:3], _NEVER)
    return len(digits) in lengths and digits.isascii() and digits.isdigit()


def is_withheld(text: str) -> bool:
    """Whether a text stands in the place of a number that is withheld."""
    return text.strip().lower() in WITHHELD


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


def _after(prefix: str) -> Fit:
    """An international number behind a prefix."""
    start = len(prefix)

    def fit(text: str, _: IsExtension | None) -> str | None:
        return f"+{text[start:]}" if text.startswith(prefix) and is_e164(text[start:]) else None

    return fit


def _completed(plan: Plan, prefix: str, area_code: str) -> Fit:
    """A national number without what stands before it: `prefix` is removed, `area_code` put in."""
    start, code, first = len(prefix), plan.code, plan.nsn_first
    lengths = frozenset(n + start - len(area_code) for n in plan.nsn_lengths)

    def fit(text: str, _: IsExtension | None) -> str | None:
        if len(text) not in lengths or not text.isdigit() or not text.startswith(prefix):
            return None
        nsn = area_code + text[start:]
        return f"+{code}{nsn}" if nsn[0] in first else None

    return fit


def _rule(shape: Shape, plan: Plan, area_code: str | None) -> tuple[Shape, Kind, Fit] | None:
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
            return shape, "e164", _completed(plan, plan.trunk_prefix, "")
        case "national" if plan.code:
            return shape, "e164", _completed(plan, "", "")
        case "local" if plan.code and area_code:
            return shape, "e164", _completed(plan, "", area_code)
        case "international_prefix" if plan.international_prefix:
            return shape, "e164", _after(plan.international_prefix)
        case "international_00":
            return shape, "e164", _after("00")
        case "extension":
            return shape, "extension", _extension
        case "service":
            return shape, "service", _service
        case _:
            return None


class Reader:
    """Reads the numbers of one trunk and role: its shapes, in order, ready to test.

    `general_emergency` is what is called where somebody asks for help without a number.
    """

    __slots__ = ("_emergency", "_rules", "general_emergency")

    def __init__(self, shapes: Sequence[Shape], plan: Plan, area_code: str | None) -> None:
        rules = (_rule(shape, plan, area_code) for shape in shapes)
        self._rules = tuple(rule for rule in rules if rule is not None)
        self._emergency = frozenset(plan.emergency)
        self.general_emergency = plan.emergency[0]

    def read(
        self, raw: str, role: Role, is_extension: IsExtension | None = None, *, dialled: bool = False
    ) -> Number:
        """As `canonicalise`, with shapes, plan and area code already known."""
        if len(raw) > LONGEST:
            return _unknown(raw)
        text = raw
        trail: tuple[Step, ...] = ()
        if not (raw.isdigit() or (raw[:1] == "+" and raw[1:].isdigit())):
            if role == "calling" and is_withheld(raw):
                return Number(
                    raw, None, "withheld", "withheld", ANONYMOUS, (Step("withheld", raw, ANONYMOUS),)
                )
            text = raw.translate(SEPARATORS)
            if text != raw:
                trail = (Step("separators", raw, text),)
        # isdigit() also says yes to the digits of other scripts.
        if not text.isascii():
            return _unknown(raw)
        if dialled and text in self._emergency:
            return Number(raw, None, "emergency", None, text, (*trail, Step("emergency", text, text)))
        for shape, kind, fit in self._rules:
            value = fit(text, is_extension)
            if value is not None:
                canonical = value if kind == "e164" else None
                return Number(raw, canonical, kind, shape, value, (*trail, Step(shape, text, value)))
        return _unknown(raw)


def _unknown(raw: str) -> Number:
    return Number(raw, None, "unknown", "unknown", raw, (Step("unknown", raw, raw),))


@lru_cache(maxsize=4096)
def reader(shapes: tuple[Shape, ...], plan: Plan, area_code: str | None) -> Reader:
    """The reader of a list of shapes, made once."""
    return Reader(shapes, plan, area_code)


def canonicalise(  # noqa: PLR0917 (all that reading a number depends on, in the order it is asked)
    value: str,
    role: Role,
    shapes: Sequence[Shape],
    plan: Plan,
    area_code: str | None = None,
    is_extension: IsExtension | None = None,
    *,
    dialled: bool = False,
) -> Number:
    """Say what number a text is. Takes any text and never fails.

    Args:
        value: the number as it arrived, without the SIP around it.
        role: who calls or who is called. Only a calling number can be withheld, and it can on every
            trunk, listed or not: those words are no number under any plan.
        shapes: what this trunk sends in this role, in order; the first that fits wins.
        plan: completes what the operator or the subscriber left out.
        area_code: completes `local`; without it `local` never fits.
        is_extension: says which digits are extensions; without it `extension` never fits.
        dialled: a subscriber dialled it: look for the plan's emergency numbers first, take CLIR codes off,
            and know its short numbers. The same digits from a public network are part of something else.
    """
    return reader(tuple(shapes), plan, area_code).read(value, role, is_extension, dialled=dialled)
