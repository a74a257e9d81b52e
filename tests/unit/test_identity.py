"""Addresses as trunks really write them, and whom they make the caller."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kemi.identity import identify, uri_of, user_of
from kemi.identity.uri import _user_of_any

ORDER = ("P-Served-User", "P-Asserted-Identity", "From")


@pytest.mark.parametrize(
    ("value", "user"),
    [
        ("sip:+79161234567@ims.example", "+79161234567"),
        ("<sip:+79161234567@ims.example>", "+79161234567"),
        ("<sips:+79161234567@ims.example;user=phone>;tag=a1", "+79161234567"),
        ("SIP:9161234567@192.0.2.1;tag=a1", "9161234567"),
        ('"Иван" <sip:9161234567@192.0.2.1>;tag=a1', "9161234567"),
        ("Ivan Petrov <sip:9161234567@192.0.2.1>", "9161234567"),
        ('"Ivan <sip:112@evil>" <sip:9161234567@192.0.2.1>', "9161234567"),
        (r'"a \" <sip:112@evil>" <sip:9161234567@192.0.2.1>', "9161234567"),
        (r'"ends with a backslash \\" <sip:9161234567@192.0.2.1>', "9161234567"),
        ("<sip:%2B79161234567@192.0.2.1>", "+79161234567"),
        ("<sip:%2A98@192.0.2.1>", "*98"),
        ("<sip:%zz9@192.0.2.1>", "%zz9"),
        ("<sip:89161234567;phone-context=+7@192.0.2.1;user=phone>", "89161234567;phone-context=+7"),
        (
            "<sip:112;phone-context=ims.mnc001.mcc250.3gppnetwork.org@192.0.2.1>",
            "112;phone-context=ims.mnc001.mcc250.3gppnetwork.org",
        ),
        ("<sip:+79161234567:secret@192.0.2.1>", "+79161234567"),
        ("<tel:+7-916-123-45-67>", "+7-916-123-45-67"),
        ("tel:89161234567;phone-context=+7", "89161234567;phone-context=+7"),
        ("<sip:+79161234567@ims.example>, <tel:+79161234567>", "+79161234567"),
        ("<sip:79161234567#4951234567@192.0.2.1>", "79161234567#4951234567"),
        ("<sip:anonymous@anonymous.invalid>", "anonymous"),
        ("<sip:192.0.2.1:5060>", ""),
        ("sip:192.0.2.1", ""),
    ],
)
def test_the_user_of_an_address(value: str, user: str) -> None:
    assert user_of(value) == user


@pytest.mark.parametrize(
    "value",
    [
        "",
        "nonsense",
        "<",
        "<>",
        "sip",
        "<sip:9161234567@192.0.2.1",
        '"never closed <sip:9161234567@192.0.2.1>',
        "http://example.com/9161234567",
        "urn:service:sos",
        "tel",
    ],
)
def test_what_is_no_address_comes_back_whole(value: str) -> None:
    assert user_of(value) == value


def test_parameters_behind_a_bare_uri_belong_to_the_header() -> None:
    assert uri_of("sip:1@h;tag=x") == "sip:1@h"
    assert uri_of("<sip:1@h;transport=tcp>;tag=x") == "sip:1@h;transport=tcp"


def test_the_first_header_of_the_trunks_order_says_who_calls() -> None:
    headers = {
        "From": "<sip:1@h>;tag=x",
        "P-Asserted-Identity": "<sip:2@h>",
        "P-Served-User": "<sip:3@h>;sescase=orig;regstate=reg",
    }
    served = identify(headers, ORDER)
    assert (served.header, served.text) == ("P-Served-User", "3")
    asserted = identify(headers, ("P-Asserted-Identity", "From"))
    assert (asserted.header, asserted.text) == ("P-Asserted-Identity", "2")
    assert identify({"From": "<sip:1@h>"}, ORDER).text == "1"
    assert served.claims == {"P-Served-User": "3", "P-Asserted-Identity": "2", "From": "1"}


def test_a_served_user_on_the_terminating_side_is_who_is_called() -> None:
    headers = {"P-Served-User": "<sip:2@h>;regstate=reg;sescase = TERM", "From": "<sip:1@h>"}
    assert identify(headers, ORDER).header == "From"


def test_nobody_says_who_calls() -> None:
    nobody = identify({"P-Asserted-Identity": ""}, ("P-Asserted-Identity",))
    assert (nobody.header, nobody.text, nobody.private) == (None, "", False)


@pytest.mark.parametrize(
    ("headers", "private"),
    [
        ({}, False),
        ({"Privacy": "id"}, True),
        ({"Privacy": "Header; ID"}, True),
        ({"Privacy": "user;critical"}, True),
        ({"Privacy": "none"}, False),
        ({"Privacy": "critical"}, False),
        ({"Privacy": "history"}, False),
        ({"Privacy": ""}, False),
        ({"From": '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=a'}, True),
        ({"From": "<sip:restricted@192.0.2.1>"}, True),
        ({"From": "<sip:c8oqz84zk7z@anonymous.invalid>;tag=a"}, True),
        ({"From": "<sip:192.0.2.1>;tag=a"}, True),
        ({"From": '"Anonymous Ltd" <sip:+79161234567@192.0.2.1>'}, False),
    ],
)
def test_who_asks_for_privacy(headers: dict[str, str], private: bool) -> None:
    asserted = {"P-Asserted-Identity": "<sip:+79161234567@h>"}
    assert identify(headers | asserted, ("P-Asserted-Identity",)).private is private


addresses = st.one_of(st.text(), st.text('<>"\\;:@%, sip+7tel', max_size=40))


@given(addresses)
def test_any_text_has_a_user(value: str) -> None:
    assert isinstance(user_of(value), str)
    assert len(user_of(value)) <= len(value) or "%" in value


@given(
    st.dictionaries(st.sampled_from([*ORDER, "Privacy"]), addresses),
    st.lists(st.sampled_from(ORDER), unique=True),
)
def test_any_headers_have_an_identity(headers: dict[str, str], order: list[str]) -> None:
    caller = identify(headers, order)
    assert caller.header is None or headers[caller.header]


@given(st.text(alphabet='sipteld:<>"@;=%+*#0123456789 \\ab.', max_size=60))
@example('"<sip:1@a>" <sip:2@b>')
@example("sip:1@a;x=<sip:2@b>")
@example("<sip:1@a")
@example("sip:1@a>")
@example("a <sip:+7@h;user=phone>;tag=1, <sip:2@h>")
def test_short_way_and_long_way_read_the_same_user(value):
    assert user_of(value) == _user_of_any(value)
