"""What `fmcctl explain` and `fmcctl number` are made of."""

import json
from typing import get_args

import pytest
from company import COMPANY, HOST, LANDLINE, MVNO, directory
from hypothesis import given
from hypothesis import strategies as st

from kemi.identity import user_of
from kemi.routing.explain import call_from, explain
from kemi.routing.reading import read_number
from kemi.routing.reasons import REJECTIONS, Rejected

LEG = {
    "action",
    "status",
    "reason",
    "direction",
    "tenant",
    "calling",
    "called",
    "service",
    "record",
    "announce",
    "targets",
    "steps",
}
NUMBER = {"raw", "canonical", "kind", "shape", "trail"}


def test_a_call_through_media_has_two_legs_of_plain_values() -> None:
    explained = explain(call_from("mvno-main", "79990000201", "89161234567"), directory(), HOST)
    assert json.loads(json.dumps(explained)) == explained
    first, second = explained["legs"]
    for leg in (first, second):
        assert leg.keys() >= LEG
        assert leg["calling"].keys() >= NUMBER
        assert all(step.keys() == {"step", "why"} for step in leg["steps"])
    assert first["called"]["trail"] == [
        {"rule": "national_trunk", "before": "89161234567", "after": "+79161234567"}
    ]
    assert first["targets"][0].keys() == {"uri", "headers"}
    assert second["targets"][0].keys() == {"trunk", "uri", "headers", "presented"}
    assert second["targets"][0]["trunk"] == "wholesale"


@pytest.mark.parametrize(
    ("trunk", "calling", "called"),
    [
        ("legacy-landline", "9161234567", "4951234567"),  # an IVR: whom it dials is not known yet
        ("mvno-main", "79990000201", "112"),
        ("wholesale", "+79161234567", "+79160000000"),
    ],
)
def test_a_call_that_media_does_not_dial_on_has_one_leg(trunk: str, calling: str, called: str) -> None:
    assert len(explain(call_from(trunk, calling, called), directory(), HOST)["legs"]) == 1


def test_a_withheld_caller_stays_withheld_on_the_second_leg() -> None:
    call = call_from("wholesale", "+79161234567", "+79990000201", {"privacy": "id"})
    first, second = explain(call, directory(), HOST)["legs"]
    assert "+79161234567" in first["targets"][0]["headers"]["P-Asserted-Identity"]
    assert second["targets"][0]["headers"]["From"] == '"Anonymous" <sip:anonymous@anonymous.invalid>'
    assert second["targets"][0]["headers"]["Privacy"] == "id"


def test_headers_are_known_by_any_case_and_replace_from_and_to() -> None:
    call = call_from("wholesale", "1", "2", {"p-asserted-identity": "<sip:3@h>", "FROM": "<sip:4@h>"})
    assert call.headers == {"From": "<sip:4@h>", "To": "<sip:2@edge>", "P-Asserted-Identity": "<sip:3@h>"}


def test_whole_addresses_are_taken_as_they_are() -> None:
    call = call_from("wholesale", '"A" <sip:1@h>;tag=x', "tel:+79161234567")
    assert (call.headers["From"], call.ruri) == ('"A" <sip:1@h>;tag=x', "tel:+79161234567")


numbers = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).filter(
    lambda text: "<" not in text and ":" not in text and ";" not in text
)


@given(numbers)
def test_any_number_arrives_as_it_was_given(text: str) -> None:
    call = call_from("wholesale", text, text)
    assert user_of(call.headers["From"]) == text
    assert user_of(call.ruri) == text


def test_a_number_alone_is_read_as_decide_reads_it() -> None:
    where = directory()
    assert read_number("9161234567", LANDLINE, "calling", where).canonical == "+79161234567"
    assert read_number("202", MVNO, "called", where, COMPANY).kind == "extension"
    assert read_number("202", MVNO, "called", where).kind == "unknown"
    assert read_number("1112233", MVNO, "called", where, COMPANY).canonical == "+74951112233"
    assert read_number("112", MVNO, "called", where).kind == "emergency"
    assert read_number("112", LANDLINE, "called", where, COMPANY).kind == "unknown"


def test_the_reasons_are_a_closed_set() -> None:
    assert set(REJECTIONS) == set(get_args(Rejected))
    assert all(400 <= rejection.status < 700 for rejection in REJECTIONS.values())
