"""What a number is: from the text a trunk wrote to E.164, with every step kept.

A trunk lists the shapes its operator really sends, in order. The first that fits wins; where none fits
the number is unknown and goes on exactly as it came. Nothing is tried beyond the list, because the same
digits mean different numbers to different operators: 84912345678 is Vietnam or Ryazan.

Before the shapes come the trunk's own rewrite rules, then what stands around every number: parameters of the
URI's user part, separators, and the codes that show or hide the caller.

This runs several times for each call, so what a list of shapes means is worked out once (`reader`), and a
text of digits goes straight to the shapes.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

from kemi.numbering.model import Number, Rewrite, Role, Shape, Step
from kemi.numbering.plan import Plan
from kemi.numbering.rewrite import LONGEST, Change, changes
from kemi.numbering.shapes import IsExtension, is_e164, rule

__all__ = ["IsExtension", "Reader", "canonicalise", "is_e164", "is_withheld", "reader"]

_Steps: TypeAlias = tuple[str, tuple[Step, ...]]
"""A text, and what led to it."""

# Characters of a number itself: more than any has, and few enough to test without a thought.
LONGEST_NUMBER = 64
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
# Dialled before a number: identification restriction (CLIR) of this call on or off (3GPP TS 22.030). Alone
# they are service codes.
CLIR: Mapping[str, str] = {"#31#": "clir_invoke", "*31#": "clir_suppress"}


def is_withheld(text: str) -> bool:
    """Whether a text stands in the place of a number that is withheld."""
    return text.strip().lower() in WITHHELD


class Reader:
    """Reads the numbers of one trunk and role: its rules and shapes, in order, ready to test.

    `general_emergency` is what is called where somebody asks for help without a number.
    """

    __slots__ = ("_emergency", "_rewrites", "_rules", "_short", "general_emergency")

    def __init__(
        self,
        shapes: Sequence[Shape],
        plan: Plan,
        area_code: str | None,
        rewrites: Sequence[Rewrite] = (),
        role: Role | None = None,
    ) -> None:
        rules = (rule(shape, plan, area_code) for shape in shapes)
        self._rules = tuple(each for each in rules if each is not None)
        roles: tuple[Role, ...] = ("calling", "called")
        rewriting = {each: changes(tuple(rewrites), role or each) for each in roles}
        self._rewrites = rewriting if any(rewriting.values()) else None
        self._emergency = frozenset(plan.emergency)
        self._short = frozenset(plan.short)
        self.general_emergency = plan.emergency[0]

    def read(
        self, raw: str, role: Role, is_extension: IsExtension | None = None, *, dialled: bool = False
    ) -> Number:
        """As `canonicalise`, with all that a trunk knows already known."""
        if len(raw) > LONGEST:
            return _unknown(raw, raw, ())
        text = raw
        trail: tuple[Step, ...] = ()
        plain = raw.isdigit() or (raw[:1] == "+" and raw[1:].isdigit())
        if not plain and role == "calling" and is_withheld(raw):
            return _withheld(raw, raw, ())
        if self._rewrites:
            if dialled:
                # No rule of a trunk keeps anybody from help.
                text, trail = _bare(*_without_parameters(raw, ()), dialled=True)
                if text in self._emergency:
                    return Number(raw, None, "emergency", None, text, (*trail, Step("emergency", text, text)))
            text, trail = _rewritten(raw, self._rewrites[role])
        if trail or not plain:
            text, trail = _without_parameters(text, trail)
            if trail and role == "calling" and is_withheld(text):
                return _withheld(raw, text, trail)
            text, trail = _bare(text, trail, dialled=dialled)
        # isdigit() also says yes to the digits of other scripts.
        if len(text) > LONGEST_NUMBER or not text.isascii():
            return _unknown(raw, text, trail)
        if dialled and text in self._emergency:
            return Number(raw, None, "emergency", None, text, (*trail, Step("emergency", text, text)))
        for shape, kind, fit in self._rules:
            value = fit(text, is_extension)
            if value is not None:
                canonical = value if kind == "e164" else None
                return Number(raw, canonical, kind, shape, value, (*trail, Step(shape, text, value)))
        if dialled and text in self._short:
            return Number(raw, None, "short", None, text, (*trail, Step("short", text, text)))
        return _unknown(raw, text, trail)


def _rewritten(raw: str, rewrites: Sequence[Change]) -> _Steps:
    """A text after the rules of its trunk."""
    text = raw
    trail: list[Step] = []
    for change in rewrites:
        step = change(text)
        if step is not None:
            trail.append(step)
            text = step.after
    return text, tuple(trail)


def _without_parameters(text: str, trail: tuple[Step, ...]) -> _Steps:
    """A text without the parameters of a telephone number (RFC 3966; RFC 4694 npdi, rn; RFC 4904 tgrp).

    They say how to route, or what to dial afterwards; a context is the network's own name as often as a
    prefix. Where one means digits, a rule of the trunk says so.
    """
    number, found, _ = text.partition(";")
    return (number, (*trail, Step("parameters", text, number))) if found else (text, trail)


def _bare(text: str, trail: tuple[Step, ...], *, dialled: bool) -> _Steps:
    """A text without separators and, where it was dialled, without the code that hides or shows who calls."""
    bare = text.translate(SEPARATORS)
    if bare != text:
        trail = (*trail, Step("separators", text, bare))
    code = bare[:4]
    if dialled and code in CLIR and len(bare) > 4:
        return bare[4:], (*trail, Step(CLIR[code], bare, bare[4:]))
    return bare, trail


def _withheld(raw: str, text: str, trail: tuple[Step, ...]) -> Number:
    return Number(raw, None, "withheld", "withheld", ANONYMOUS, (*trail, Step("withheld", text, ANONYMOUS)))


def _unknown(raw: str, text: str, trail: tuple[Step, ...]) -> Number:
    """A number that nothing fits: it goes on as it came, whatever was tried on it."""
    return Number(raw, None, "unknown", "unknown", raw, (*trail, Step("unknown", text, raw)))


@lru_cache(maxsize=4096)
def reader(
    shapes: tuple[Shape, ...],
    plan: Plan,
    area_code: str | None,
    rewrites: tuple[Rewrite, ...] = (),
    role: Role | None = None,
) -> Reader:
    """The reader of a list of shapes, made once.

    `role`: whose rules of `rewrites` hold; None: those of the role that is read.
    """
    return Reader(shapes, plan, area_code, rewrites, role)


def canonicalise(  # noqa: PLR0917 (all that reading a number depends on, in the order it is asked)
    value: str,
    role: Role,
    shapes: Sequence[Shape],
    plan: Plan,
    area_code: str | None = None,
    is_extension: IsExtension | None = None,
    *,
    dialled: bool = False,
    rewrites: Sequence[Rewrite] = (),
) -> Number:
    """Say what number a text is. Takes any text and never fails.

    Args:
        value: the number as it arrived: the user part of a URI, escapes decoded, parameters and all.
        role: who calls or who is called. Only a calling number can be withheld, and it can on every
            trunk, listed or not: those words are no number under any plan.
        shapes: what this trunk sends in this role, in order; the first that fits wins.
        plan: completes what the operator or the subscriber left out.
        area_code: completes `local`; without it `local` never fits.
        is_extension: says which digits are extensions; without it `extension` never fits.
        dialled: a subscriber dialled it: look for the plan's emergency numbers first, take CLIR codes off,
            and know its short numbers. The same digits from a public network are part of something else.
        rewrites: the trunk's rules, tried in order before all else, each at most once.
    """
    return reader(tuple(shapes), plan, area_code, tuple(rewrites)).read(
        value, role, is_extension, dialled=dialled
    )
