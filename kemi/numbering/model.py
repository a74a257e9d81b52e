"""Values of numbering: what a number was, what it is, and every step between."""

from typing import Literal, TypeAlias

import msgspec

Shape: TypeAlias = Literal[
    "e164",
    "e164_bare",
    "national_trunk",
    "national",
    "local",
    "international_prefix",
    "international_00",
    "extension",
    "service",
    "withheld",
    "unknown",
]
Kind: TypeAlias = Literal["e164", "extension", "service", "emergency", "withheld", "unknown"]
Role: TypeAlias = Literal["calling", "called"]


class Step(msgspec.Struct, frozen=True, gc=False):
    """One change of a number: the rule that applied, the text before it and after it."""

    rule: str
    before: str
    after: str


class Number(msgspec.Struct, frozen=True, gc=False):
    """A number as it arrived and as it is understood.

    `canonical` is E.164 with plus (ITU-T E.164) and None for every other kind. `value` is what goes on:
    the canonical form, the digits of an extension, service code or emergency number, and for an unknown
    number the text exactly as it came. `shape` is None for an emergency number, which is recognised
    before any shape.
    """

    raw: str
    canonical: str | None
    kind: Kind
    shape: Shape | None
    value: str
    trail: tuple[Step, ...] = ()


class Written(msgspec.Struct, frozen=True, gc=False):
    """A canonical number written in the shape of the trunk it leaves on."""

    raw: str
    written: str
    shape: Shape
    trail: tuple[Step, ...] = ()
