"""Forms of unknown numbers: what they show, and that they stay small and tell no number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kemi.numbering.form import EMPTY, LONGEST_FORM, form


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8912345678", "8ddddddddd"),
        ("+89161234567", "+8dddddddddd"),
        ("8 (916) 123-45-67", "8 (ddd) ddd-dd-dd"),
        ("79161234567#4951234567", "7dddddddddd#dddddddddd"),
        ("491512345678", "4ddddddddddd"),
        ("81089161234567890123456", "8" + "d" * 22),
        ("8" * 24, "8" + "d" * 23),
        ("8" * 25, "8" + "d" * 22 + "~"),
        ("79161234567;phone-context=+7", "7dddddddddd;"),
        (";tgrp=a", ";"),
        ("ivan.petrov", "a.a"),
        ("ivan201", "a2dd"),
        ("201ivan201", "2ddaddd"),
        ("офис", "a"),
        ("٣٤", "?"),
        ("\u00a0\u2011\x00", "?"),
        ("*98", "*9d"),
        ("", EMPTY),
    ],
)
def test_a_form(text: str, expected: str) -> None:
    assert form(text) == expected


@given(st.one_of(st.text(), st.text("0123456789+-abж\u00a0;%", max_size=4096)))
def test_a_form_is_small_and_tells_no_number(text: str) -> None:
    made = form(text)
    assert 1 <= len(made) <= LONGEST_FORM
    assert made == EMPTY or set(made) <= set("0123456789da?+*#-.()/ @_=&;~")
    assert sum(character.isdigit() for character in made) <= 1
    assert "aa" not in made
    assert "??" not in made


@given(st.text("0123456789", min_size=2, max_size=30), st.text("0123456789", min_size=30, max_size=30))
def test_numbers_written_alike_have_one_form(digits: str, others: str) -> None:
    assert form(digits) == form(digits[0] + others[: len(digits) - 1])
