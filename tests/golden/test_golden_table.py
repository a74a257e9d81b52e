"""The golden table: what arrives on a trunk, what is kept of it and what leaves. table/README.md says how to read it.

image/enter python tests/golden/test_golden_table.py                   what is wrong today
image/enter python tests/golden/test_golden_table.py uris 7            what the code makes of row 7 of uris.yaml
"""

import sys
from collections import Counter

import pytest
import yaml
from golden_rows import FILES, Row, actual, all_rows, differences, expected, rows

ROWS = list(all_rows())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.place)
def test_a_row_of_the_table(row: Row) -> None:
    found = differences(row)
    assert not found, "\n".join([f"{row.theme}.yaml, row {row.number}: {row.given['why']}", *found])


def test_every_row_says_why_and_expects_something() -> None:
    for row in ROWS:
        assert row.given["why"], row.place
        told = expected(row)
        assert told["out"] is not None or told["record"], row.place
    twice = [place for place, times in Counter(row.place for row in ROWS).items() if times > 1]
    assert not twice


def test_there_are_rows_enough() -> None:
    assert len(ROWS) >= 300


TRAPS = {
    "812 against the trunk prefix, ten digits": "8121234567",
    "812 against the trunk prefix, eleven digits": "88121234567",
    "863 against the trunk prefix": "8631234567",
    "Vietnam without plus": "84912345678",
    "Berlin without plus": "4930123456",
    "Ukraine without plus": "380671234567",
    "a German mobile without plus": "4915123456789",
    "a mistyped mobile": "+89161234567",
    "112": "112",
    "112 behind a trunk prefix": "8112",
    "112 behind a plus": "+112",
    "112 behind a zero": "0112",
    "01 to 04": "01",
    "Kazakhstan, 7": "87271234567",
    "Kazakhstan, 6": "86121234567",
    "8-800": "88001234567",
    "+7 800": "+78001234567",
    "804": "88041234567",
    "810": "8104915123456789",
    "8~10": "8~104930123456",
    "00": "004930123456",
    "caller#DID": "9161234567%234951234567",
    "21 digits": "791612345674951234567",
    "23 digits": "10020030040079161234567",
    "12 digits": "789161234567",
    "a local number": "1112233",
    "a withheld word": "unavailable",
    "separators": "8%20(916)%20123-45-67",
}
"""What numbering-ru.md warns of, and how it stands in a row."""


@pytest.mark.parametrize("text", TRAPS.values(), ids=TRAPS)
def test_every_trap_is_in_the_table(text: str) -> None:
    assert any(text in row.given["in"].values() for row in ROWS)


if __name__ == "__main__":
    match sys.argv[1:]:
        case [theme, *numbers]:
            path = next(path for path in FILES if path.stem == theme)
            for row in rows(path):
                if not numbers or str(row.number) in numbers:
                    shown = {"why": row.given["why"], "in": row.given["in"], **actual(row)}
                    print(yaml.safe_dump([shown], allow_unicode=True, sort_keys=False, width=110))  # noqa: T201
        case _:
            for row in all_rows("wrong_today"):
                print(row.place, *(differences(row) or ["is right now: move it to rows"]), sep="\n  ")  # noqa: T201
