"""Rewrite rules: what they match, that they match as the expression they look like, and never take long."""

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kemi.numbering.model import Rewrite, Step
from kemi.numbering.rewrite import LONGEST, changes, complaint_of, unknown_places


def after(match: str, replace: str, text: str) -> str | None:
    """What a rule makes of a text; None where it does not apply."""
    (change,) = changes((Rewrite("rule", match, replace),), "called")
    step = change(text)
    assert step is None or (step.rule, step.before) == ("rule", text)
    return None if step is None else step.after


@pytest.mark.parametrize(
    ("match", "replace", "text", "result"),
    [
        ("{caller}#{did}", "{did}", "79161234567#84951234567", "84951234567"),
        ("{caller}#{did}", "{caller}", "1#2#3", "1"),  # a placeholder takes as little as it can
        ("{caller}#{did}", "{did}", "1#2#3", "2#3"),
        ("{caller}#{did}", "{did}", "79161234567", None),
        ("{caller}#{did}", "{did}", "#1", None),  # and one character at least
        ("{caller}#{did}", "{did}", "1#", None),
        ("9900{number}", "{number}", "990089161234567", "89161234567"),
        ("9900{number}", "{number}", "9900", None),
        ("9900{number}", "{number}", "09900123", None),
        ("{number};ext={ext}", "{number}", "84951234567;ext=12", "84951234567"),
        ("{number};phone-context=+7495", "+7495{number}", "1234567;phone-context=+7495", "+74951234567"),
        ("{number};phone-context=+7495", "+7495{number}", "1234567;phone-context=+74951", None),
        ("00{a}", "+{a}", "007", "+7"),
        ("0000000000", "anonymous", "0000000000", "anonymous"),
        ("0000000000", "", "0000000000", ""),
        ("0", "1", "00", None),
        ("{a}{b}", "{b}{a}", "123", "231"),
        ("{a}{b}{c}", "{c}{b}{a}", "1234", "3421"),
        ("{a}{b}", "{b}{a}", "1", None),
        ("1{a}1", "{a}", "111", "1"),
        ("1{a}1", "{a}", "11", None),
        ("12{a}23", "{a}", "1223", None),
        (".{a}", "{a}", "x1", None),  # literal, no expression
        (".*({a})", "{a}", ".*(1)", "1"),
        ("\\{a}", "{a}", "\\1", "1"),
        ("{a}\n", "{a}", "1\n\n", "1\n"),
        ("{a}", "{a}", "1", None),  # nothing changed
        ("{a}", "\\g<a>{a}", "1", "\\g<a>1"),
        ("", "1", "", "1"),
    ],
)
def test_a_rule(match: str, replace: str, text: str, result: str | None) -> None:
    assert after(match, replace, text) == result


@pytest.mark.parametrize(
    ("pattern", "word"),
    [
        ("{", "brace"),
        ("}", "brace"),
        ("{}", "brace"),
        ("{A}", "brace"),
        ("{1a}", "brace"),
        ("{a b}", "brace"),
        ("{{a}}", "brace"),
        ("{a}{b}{c}{d}", "4 placeholders; 3"),
        ("{a}{a}", "twice"),
    ],
)
def test_a_pattern_that_says_nothing_sensible_is_told_and_does_nothing(pattern: str, word: str) -> None:
    assert word in (complaint_of(pattern) or "")
    assert changes((Rewrite("rule", pattern, ""),), "called") == ()
    assert changes((Rewrite("rule", "{a}{b}{c}", pattern),), "called") == ()


def test_a_placeholder_that_match_has_not() -> None:
    rule = Rewrite("rule", "{a}", "{b}{a}{c}")
    assert unknown_places(rule.match, rule.replace) == ["b", "c"]
    assert changes((rule,), "called") == ()


def test_rules_of_a_role_in_order() -> None:
    rules = (Rewrite("1", "a", "b"), Rewrite("2", "a", "c", "calling"), Rewrite("3", "a", "d", "called"))
    assert [change("a") for change in changes(rules, "calling")] == [Step("1", "a", "b"), Step("2", "a", "c")]
    assert [change("a") for change in changes(rules, "called")] == [Step("1", "a", "b"), Step("3", "a", "d")]


def test_what_grows_beyond_measure_is_left_as_it_was() -> None:
    assert after("1{a}", "2" * LONGEST + "{a}", "12") is None
    assert after("1{a}", "2" * (LONGEST - 1) + "{a}", "12") == "2" * (LONGEST - 1) + "2"


def test_the_worst_text_takes_no_time() -> None:
    (change,) = changes((Rewrite("rule", "{a}1{b}1{c}2", "{a}"),), "called")
    text = "1" * LONGEST
    begun = time.perf_counter()
    for _ in range(1000):
        assert change(text) is None
    assert time.perf_counter() - begun < 1  # as an expression: 3 million attempts each


@given(
    st.lists(st.text("01#", max_size=2), min_size=1, max_size=4),
    st.one_of(st.text("01#", max_size=24), st.text(max_size=8)),
)
@example(["", "", "", ""], "\n\n\n")
def test_a_rule_matches_as_the_expression_that_it_looks_like(literals: list[str], text: str) -> None:
    names = "abc"[: len(literals) - 1]
    match = literals[0] + "".join(
        f"{{{name}}}{literal}" for name, literal in zip(names, literals[1:], strict=True)
    )
    found = re.fullmatch("(.+?)".join(map(re.escape, literals)), text, re.DOTALL)
    expected = None if found is None else "<" + "|".join(found.groups()) + ">"
    assert after(match, "<" + "|".join(f"{{{name}}}" for name in names) + ">", text) == expected


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=400))
def test_any_rule_on_any_text(match: str, replace: str, text: str) -> None:
    for change in changes((Rewrite("rule", match, replace),), "calling"):
        step = change(text)
        assert step is None or (step.before == text != step.after and len(step.after) <= LONGEST)
