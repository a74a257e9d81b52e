"""Addresses as RFCs and trunks write them."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kemi.identity import HEADERS, addresses, identify, uri_of, user_of
from kemi.identity.uri import MOST, _user_of_any


@pytest.mark.parametrize(
    ("value", "user"),
    [
        ("sip:+79161234567@ims.example", "+79161234567"),
        ("<sip:+79161234567@ims.example>", "+79161234567"),
        ("<sips:+79161234567@ims.example;user=phone>;tag=a1", "+79161234567"),
        ("SIP:9161234567@192.0.2.1;tag=a1", "9161234567"),
        ("<TEL:9161234567>", "9161234567"),
        ('"Иван" <sip:9161234567@192.0.2.1>;tag=a1', "9161234567"),
        ('"Иван"<sip:9161234567@192.0.2.1>', "9161234567"),
        ("Ivan Petrov <sip:9161234567@192.0.2.1>", "9161234567"),
        ("Petrov, Ivan <sip:9161234567@192.0.2.1>;tag=a1", "9161234567"),
        ('"Petrov, Ivan" <sip:9161234567@192.0.2.1>;tag=a1', "9161234567"),
        ("ООО «Ромашка»: отдел <sip:9161234567@192.0.2.1>", "9161234567"),
        ("sip:1@h <sip:9161234567@192.0.2.1>", "9161234567"),
        ('"Ivan <sip:112@evil>" <sip:9161234567@192.0.2.1>', "9161234567"),
        (r'"a \" <sip:112@evil>" <sip:9161234567@192.0.2.1>', "9161234567"),
        (r'"ends with a backslash \\" <sip:9161234567@192.0.2.1>', "9161234567"),
        ("<sip:%2B79161234567@192.0.2.1>", "+79161234567"),
        ("<sip:%2A98@192.0.2.1>", "*98"),
        ("<sip:%2398@192.0.2.1>", "#98"),
        ("<sip:%zz9@192.0.2.1>", "%zz9"),
        ("<sip:%D0%98@192.0.2.1>", "И"),
        ("<sip:%C8%E2@192.0.2.1>", r"\xc8\xe2"),
        ("<tel:%2B79161234567>", "+79161234567"),
        ("<sip:+79161234567:secret@192.0.2.1>", "+79161234567"),
        ("<sip:+79161234567:@192.0.2.1>", "+79161234567"),
        ("<sip:89161234567;phone-context=+7@192.0.2.1;user=phone>", "89161234567;phone-context=+7"),
        ("sip:89161234567;phone-context=+7@192.0.2.1;user=phone", "89161234567;phone-context=+7"),
        ("<sip:89161234567;phone-context=%2B7:x@192.0.2.1>", "89161234567;phone-context=+7"),
        (
            "<sip:112;phone-context=ims.mnc001.mcc250.3gppnetwork.org@192.0.2.1>",
            "112;phone-context=ims.mnc001.mcc250.3gppnetwork.org",
        ),
        ("<tel:+7-916-123-45-67>", "+7-916-123-45-67"),
        ("<sip:+7(916)123.45.67@192.0.2.1>", "+7(916)123.45.67"),
        ("<sip:8 916 123@192.0.2.1>", "8 916 123"),
        ("tel:89161234567;phone-context=+7", "89161234567;phone-context=+7"),
        ("tel:89161234567;phone-context=+7;tag=a1", "89161234567;phone-context=+7"),
        ("tel:+79161234567;reason=user-busy", "+79161234567"),
        ("<tel:+79161234567;verstat=TN-Validation-Passed>", "+79161234567;verstat=TN-Validation-Passed"),
        ("<tel:+79161234567?Privacy=history>", "+79161234567"),
        ("<sip:+79161234567@ims.example>, <tel:+79161234568>", "+79161234567"),
        ("sip:+79161234567@ims.example, tel:+79161234568", "+79161234567"),
        (", <sip:+79161234567@ims.example>", "+79161234567"),
        ("sip:+74951234567,,101@192.0.2.1", "+74951234567,,101"),
        ("<sip:79161234567#4951234567@192.0.2.1>", "79161234567#4951234567"),
        ("<sip:anonymous@anonymous.invalid>", "anonymous"),
        ("<sip:192.0.2.1:5060>", ""),
        ("<sip:[2001:db8::1]:5060;transport=tcp>", ""),
        ("sip:192.0.2.1", ""),
        # RFC 3261 sections 19.1.3 and 20.20
        ("sip:alice:secretword@atlanta.com;transport=tcp", "alice"),
        ("sips:alice@atlanta.com?subject=project%20x&priority=urgent", "alice"),
        ("sip:+1-212-555-1212:1234@gateway.com;user=phone", "+1-212-555-1212"),
        ("sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com", ""),
        ("sip:alice;day=tuesday@atlanta.com", "alice;day=tuesday"),
        ('"A. G. Bell" <sip:agb@bell-telephone.com> ;tag=a48s', "agb"),
        ("sip:+12125551212@server.phone2net.com;tag=887s", "+12125551212"),
        ("Anonymous <sip:c8oqz84zk7z@privacy.org>;tag=hyh8", "c8oqz84zk7z"),
        # RFC 3966 section 6, RFC 4694, RFC 4904 section 5
        ("tel:+1-201-555-0123", "+1-201-555-0123"),
        ("tel:7042;phone-context=example.com", "7042;phone-context=example.com"),
        ("tel:863-1234;phone-context=+1-914-555", "863-1234;phone-context=+1-914-555"),
        ("tel:+1-202-533-1234;npdi;rn=+1-202-544-0000", "+1-202-533-1234;npdi;rn=+1-202-544-0000"),
        (
            "sip:5550100;phone-context=+1-630;tgrp=TG-1;trunk-context=+1-630@isp.example.net;user=phone",
            "5550100;phone-context=+1-630;tgrp=TG-1;trunk-context=+1-630",
        ),
    ],
)
def test_the_user_of_an_address(value: str, user: str) -> None:
    assert user_of(value) == user


@pytest.mark.parametrize(
    "value",
    [
        "",
        "nonsense",
        "79161234567",
        "79161234567@192.0.2.1",
        "<",
        "<>",
        "sip",
        "sip:",
        "<sip:9161234567@192.0.2.1",
        '"never closed <sip:9161234567@192.0.2.1>',
        "http://example.com/9161234567",
        "urn:service:sos",
        "tel",
        "Петров, Иван",
    ],
)
def test_what_is_no_address_comes_back_whole(value: str) -> None:
    assert user_of(value) == value
    assert uri_of(value) == value


def test_an_address_of_another_scheme_is_carried_whole() -> None:
    (address,) = addresses("<urn:service:sos.police>;x=1")
    assert (address.scheme, address.user, address.attributes) == ("urn", "urn:service:sos.police", {"x": "1"})
    assert addresses("nonsense")[0].scheme == ""


def test_everything_that_an_address_says() -> None:
    (address,) = addresses(
        r'"A \"B\", C" <SIP:+7916;Phone-Context=+7:pw@Host.Example:5060;User=phone;lr'
        r'?Privacy=history&Reason=SIP%3Bcause%3D302>; Tag=a1 ;reason="a;b,\"c\"";flag;Tag=second'
    )
    assert (address.display, address.scheme, address.host) == ('A "B", C', "sip", "host.example")
    assert address.user == "+7916;Phone-Context=+7"
    assert address.params == {"user": "phone", "lr": ""}
    assert address.headers == {"privacy": "history", "reason": "SIP;cause=302"}
    assert address.attributes == {"tag": "a1", "reason": 'a;b,"c"', "flag": ""}


def test_parameters_of_a_tel_uri_are_its_users_and_its_own() -> None:
    (address,) = addresses("<tel:+7916;cause=302;phone-context=x>;index=1")
    assert address.user == "+7916;cause=302;phone-context=x"
    assert address.params == {"cause": "302", "phone-context": "x"}
    assert address.attributes == {"index": "1"}


def test_parameters_behind_a_bare_uri_belong_to_the_header() -> None:
    assert uri_of("sip:1@h;tag=x") == "sip:1@h"
    assert uri_of("<sip:1@h;transport=tcp>;tag=x") == "sip:1@h;transport=tcp"
    (sip,) = addresses("sip:1@h;tag=x")
    assert (sip.attributes, sip.params) == ({"tag": "x"}, {})
    (tel,) = addresses("tel:1;ext=5;tag=x")
    assert (tel.user, tel.attributes) == ("1;ext=5", {"tag": "x"})


@pytest.mark.parametrize(
    ("value", "users"),
    [
        ('"Cullen Jennings" <sip:fluffy@cisco.com>, tel:+14085264000', ["fluffy", "+14085264000"]),
        ("sip:1@h,sip:2@h,tel:3,tel:4", ["1", "2", "3", "4"]),
        ("sip:1@h;tag=x, <sip:2@h>", ["1", "2"]),
        ("sip:host, <sip:2@h>", ["", "2"]),
        ("sip:1@h, Bob <sip:2@h>", ["1", "2"]),
        ('<sip:1@h>;x="a,b", <sip:2@h>', ["1", "2"]),
        ('"a, <sip:9@h>," <sip:1@h>,\t"b" <sip:2@h>', ["1", "2"]),
        ("<sip:1@h>,, ,<sip:2@h>,", ["1", "2"]),
        ("<sip:1,9@h>, <sip:2@h>", ["1,9", "2"]),
        # What cannot be told apart is one.
        ('<sip:1@h>, "open <sip:2@h>', ["1", '"open <sip:2@h>']),
        ('<sip:1@h>;x="open, <sip:2@h>', ["1"]),
        ("", []),
        (" , ,", []),
    ],
)
def test_a_list_of_addresses(value: str, users: list[str]) -> None:
    assert [address.user for address in addresses(value)] == users


def test_a_list_without_end_is_read_so_far() -> None:
    many = ",".join(f"<sip:{n}@h>" for n in range(1000))
    assert [address.user for address in addresses(many)] == [str(n) for n in range(MOST)]
    assert len(addresses(many, 3)) == 3
    (address,) = addresses("<sip:1@h>" + "".join(f";p{n}=1" for n in range(1000)))
    assert len(address.attributes) < 50
    assert user_of("tel:1" + ";ext=1" * 1000).startswith("1;ext=1;ext=1")


values = st.one_of(st.text(max_size=4096), st.text('<>"\\;:@%, sip+7tel=.&?', max_size=200))


@given(values)
def test_any_text_has_a_user_and_addresses(value: str) -> None:
    assert isinstance(user_of(value), str)
    assert isinstance(uri_of(value), str)
    assert len(user_of(value)) <= len(value) or "%" in value
    assert len(addresses(value)) <= MOST


@given(st.text(alphabet='sipteld:<>"@;=%+*#0123456789 \\ab.,', max_size=60))
@example('"<sip:1@a>" <sip:2@b>')
@example("sip:1@a;x=<sip:2@b>")
@example("sip:1@a, b <sip:2@b>")
@example("<sip:1@a")
@example("sip:1@a>")
@example("tel:1>")
@example("<tel:1>")
@example("tel:1,<tel:2>")
@example('"a"b <tel:1>')
@example('"a" "b" <tel:1>')
@example("a <sip:+7@h;user=phone>;tag=1, <sip:2@h>")
def test_short_way_and_long_way_read_the_same_user(value: str) -> None:
    assert user_of(value) == _user_of_any(value)


_HOSTILE = [
    *(
        '"',
        '\\"',
        '"\\',
        "<",
        ">",
        "<>",
        ",",
        ", ",
        " ",
        ";",
        "; ",
        ";=",
        ';a="',
        ';a="\\"',
        "%41",
        "\n",
        "a@",
    ),
    *(
        "<sip:1@h>,",
        '<sip:1@h>"\\",',
        "sip:1@h,",
        "sip:,",
        "tel:1,",
        ', "',
        "sip:",
        "a,sip:",
        '"a" ',
        "SIP;",
        "&",
    ),
]


def _seconds(value: str) -> float:
    headers = dict.fromkeys(HEADERS, value)
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        identify(headers, HEADERS)
        best = min(best, time.process_time() - start)
    return best


@pytest.mark.parametrize("start", ["", "sip:", "tel:1;", '"', "<sip:1@h>;x=", "<sip:1@h?Reason=SIP;"])
def test_hostile_text_costs_in_proportion_to_its_length(start: str) -> None:
    end = ">;index=1, <sip:2@h>;index=2;mp=1"

    def cost(length: int) -> float:
        return sum(_seconds(start + (text * length)[:length] + end) for text in _HOSTILE)

    # 16 times the text: quadratic work would be 256 times the cost.
    assert cost(16384) < 64 * cost(1024)
