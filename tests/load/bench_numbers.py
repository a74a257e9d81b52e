"""How long numbers take beside libphonenumber on the same list: `python -m tests.load.bench --only numbers`.

The list is what two trunks of different operators and the subscribers of one might send: most of it in the
shapes they list, the rest with separators, parameters, oddities that a rule puts right, withheld, or unknown.
The figures are of `canonicalise` as a whole, each with its trail. `phonenumbers.parse` gets the same texts, with
RU as the region: every tenth of them, because it needs half a minute for all. Both take turns over parts of the
list and their CPU time counts, so that what else the machine does falls on both or on none.
"""

import random
import statistics
import time
from collections.abc import Iterator
from typing import TypeAlias

import phonenumbers

from kemi.numbering.canonicalise import canonicalise
from kemi.numbering.model import Rewrite, Role, Shape
from kemi.numbering.plan import RU

NUMBERS, PARTS, EVERY = 1_000_000, 20, 10

Trunk: TypeAlias = tuple[Role, tuple[Shape, ...], bool, tuple[Rewrite, ...]]
"""Who a number is, the shapes listed for it, whether a subscriber dialled it, and the trunk's rules."""

CALLER: Trunk = ("calling", ("national", "national_trunk", "international_prefix"), False, ())
DIALLED: Trunk = (
    "called",
    ("service", "extension", "e164", "national_trunk", "international_prefix", "local"),
    True,
    (),
)
WHOLESALE: Trunk = (
    "calling",
    ("e164", "e164_bare", "international_00"),
    False,
    (Rewrite("caller_and_did", "{caller}#{did}", "{caller}"), Rewrite("office", "9900{number}", "{number}")),
)
# How many of a thousand, on which trunk, and how it is written: N is a digit, M Moscow or a mobile network.
MIX: tuple[tuple[int, Trunk, str], ...] = (
    (180, WHOLESALE, "+7MNNNNNNN"),
    (120, WHOLESALE, "7MNNNNNNN"),
    (40, WHOLESALE, "+49151NNNNNNNN"),
    (20, WHOLESALE, "0049151NNNNNNNN"),
    (20, WHOLESALE, "7MNNNNNNN;phone-context=example.org"),
    (20, WHOLESALE, "7MNNNNNNN#7MNNNNNNN"),
    (10, WHOLESALE, "99007MNNNNNNN"),
    (15, WHOLESALE, "anonymous"),
    (15, WHOLESALE, "89MNNNNNNN0NN"),
    (120, CALLER, "MNNNNNNN"),
    (80, CALLER, "8MNNNNNNN"),
    (20, CALLER, "81049151NNNNNNNN"),
    (15, CALLER, "380671NNNNNN"),
    (5, CALLER, "+89161NNNNNN"),
    (10, CALLER, "810NNNNNNNNNNNNNNNNNNNN"),
    (130, DIALLED, "8MNNNNNNN"),
    (50, DIALLED, "+7MNNNNNNN"),
    (30, DIALLED, "81049151NNNNNNNN"),
    (25, DIALLED, "123NNNN"),
    (30, DIALLED, "20N"),
    (5, DIALLED, "*98"),
    (5, DIALLED, "112"),
    (5, DIALLED, "122"),
    (20, DIALLED, "#31#8MNNNNNNN"),
    (10, DIALLED, "ivan.petrov"),
)
# Written by people: with separators.
SPACED: tuple[tuple[int, Trunk, str], ...] = (
    (20, WHOLESALE, "+7 (M) NNN-NN-NN"),
    (20, CALLER, "8 M NNN NN NN"),
    (20, DIALLED, "8 (M) NNN-NN-NN"),
)


def numbers(count: int) -> list[tuple[str, Trunk]]:
    """The list, in no order but the same in every run."""
    chance = random.Random(1)  # noqa: S311  the same numbers in every run

    def made() -> Iterator[tuple[str, Trunk]]:
        mix = (*MIX, *SPACED)
        for _, trunk, form in chance.choices(mix, weights=[share for share, _, _ in mix], k=count):
            text = form.replace("M", chance.choice(("495", "812", "916", "999")))
            if "N" in text:
                digits = f"{chance.randrange(10**20):020}"
                text = "".join(
                    digits[place % 20] if letter == "N" else letter for place, letter in enumerate(text)
                )
            yield text, trunk

    return list(made())


def is_extension(digits: str) -> bool:
    """As in a tenant with ten subscribers."""
    return digits.startswith("20") and len(digits) == 3


def run(texts: list[tuple[str, Trunk]]) -> float:
    """Seconds for all texts, with the loop around them."""
    begun = time.process_time()
    for text, (role, shapes, dialled, rewrites) in texts:
        canonicalise(text, role, shapes, RU, "495", is_extension, dialled=dialled, rewrites=rewrites)
    return time.process_time() - begun


def median(texts: list[tuple[str, Trunk]]) -> float:
    """Nanoseconds of the median text, with those of reading the clock."""
    clock = time.perf_counter_ns
    taken = []
    for text, (role, shapes, dialled, rewrites) in texts:
        begun = clock()
        canonicalise(text, role, shapes, RU, "495", is_extension, dialled=dialled, rewrites=rewrites)
        taken.append(clock() - begun)
    return statistics.median(taken)


def oracle(texts: list[tuple[str, Trunk]]) -> float:
    """Seconds that phonenumbers takes for all texts."""
    begun = time.process_time()
    for text, _ in texts:
        try:  # noqa: SIM105 (a context manager would be measured too)
            phonenumbers.parse(text, "RU")
        except phonenumbers.NumberParseException:
            pass
    return time.process_time() - begun


def measure(count: int = NUMBERS) -> dict[str, float]:
    """The row of the report: the mean of each, the median of ours, and the median ratio of all parts."""
    texts = numbers(count)
    # Readers, rules and the metadata of phonenumbers are made once for all calls.
    run(texts[: count // PARTS])
    oracle(texts[: count // PARTS : EVERY])
    parts = [texts[begin : begin + count // PARTS] for begin in range(0, count, count // PARTS)]
    rounds = [(run(part) / len(part), oracle(part[::EVERY]) / len(part[::EVERY])) for part in parts]
    ours, theirs = (statistics.fmean(each) * 1e9 for each in zip(*rounds, strict=True))
    return {
        "numbers": count,
        "ns_each": round(ours, 1),
        "p50_ns": round(median(texts), 1),
        "phonenumbers_numbers": count // EVERY,
        "phonenumbers_ns_each": round(theirs, 1),
        "ratio": round(statistics.median(theirs / ours for ours, theirs in rounds), 2),
    }


def words(row: dict[str, float]) -> str:
    """The row as a person reads it."""
    return (
        f"{row['numbers']:,} mixed numbers: {row['ns_each']:.0f} ns each (median {row['p50_ns']:.0f} ns), "
        f"phonenumbers.parse {row['phonenumbers_ns_each']:.0f} ns on {row['phonenumbers_numbers']:,} of them, "
        f"{row['ratio']:.1f} times as long."
    )
