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
Kind: TypeAlias = Literal["e164", "extension", "service", "emergency", "short", "withheld", "unknown"]
Role: TypeAlias = Literal["calling", "called"]


class Step(msgspec.Struct, frozen=True, gc=False):
    """One change of a number: the rule that applied, the text before it and after it."""

    rule: str
    before: str
    after: str


class Rewrite(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """A trunk's own oddity, put right before any shape is tried: `match` to `replace`, in text of `role`.

    `{name}` in `match` stands for one or more characters and in `replace` for what it matched; all else is
    literal. `match` covers the whole text. `role` None: calling and called numbers. `name` is the rule in
    the trail.
    """

    name: str
    match: str
    replace: str
    role: Role | None = None


class Number(msgspec.Struct, frozen=True, gc=False):
    """A number as it arrived and as it is understood.

    `canonical` is E.164 with plus (ITU-T E.164) and None for every other kind. `value` is what goes on:
    the canonical form, the digits of an extension, service code, short or emergency number, and for an
    unknown number the text exactly as it came. `shape` is None for an emergency number, which is recognised
    before any shape, and for a short number (a public service of the plan), recognised where none fits.
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
