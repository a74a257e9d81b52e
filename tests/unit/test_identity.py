"""Whom headers make the caller, what the caller wishes, and whom a mobile network serves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kemi.identity import HEADERS, identify
from kemi.identity.served import _session_case_of_any, session_case

ORDER = ("P-Served-User", "P-Asserted-Identity", "From")
ALL = ("P-Served-User", "P-Asserted-Identity", "Remote-Party-ID", "P-Preferred-Identity", "From")
ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=9802748'


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
    assert identify(headers, ["From"]).text == "1"
    assert served.claims == {"P-Served-User": "3", "P-Asserted-Identity": "2", "From": "1"}


def test_what_the_order_does_not_name_is_kept_too() -> None:
    headers = {
        "Remote-Party-ID": "<sip:4@h>",
        "P-Preferred-Identity": "<sip:5@h>",
        "From": "<sip:1@h>",
        "P-Asserted-Identity": "<sip:2@h>, <tel:3>",
        "P-Served-User": "<sip:6@h>",
        "Diversion": "<sip:7@h>",
        "To": "<sip:8@h>",
        "P-Called-Party-ID": "<sip:9@h>",
        "Privacy": "none",
        "Route": "<sip:10@h>",
        "Loop-Guard": "x",
    }
    caller = identify(headers, ("P-Asserted-Identity",))
    assert list(caller.claims.items()) == [
        ("P-Asserted-Identity", "2"),
        ("P-Asserted-Identity[2]", "3"),
        ("From", "1"),
        ("P-Served-User", "6"),
        ("P-Preferred-Identity", "5"),
        ("Remote-Party-ID", "4"),
        ("Diversion", "7"),
    ]


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("P-Asserted-Identity", "<sip:2@h>"),
        ("P-Preferred-Identity", "<sip:2@h>"),
        ("Remote-Party-ID", "<sip:2@h>;party=calling;screen=yes"),
        ("P-Served-User", "<sip:2@h>;sescase=orig"),
    ],
)
def test_of_a_stranger_only_from_is_believed(header: str, value: str) -> None:
    headers = {"From": "<sip:1@h>", header: value}
    assert identify(headers, ALL).header == header
    stranger = identify(headers, ALL, trusted=False)
    assert (stranger.header, stranger.text) == ("From", "1")
    assert stranger.claims[header] == "2"
    assert (stranger.case, stranger.served) == (None, None)
    nobody = identify(headers, (header,), trusted=False)
    assert (nobody.header, nobody.text) == (None, "")


@pytest.mark.parametrize(
    ("value", "claim", "text"),
    [
        # RFC 3325 section 10.1; of two values the number, which need not be the tel URI.
        (
            '"Cullen Jennings" <sip:fluffy@cisco.com>, tel:+14085264000',
            "P-Asserted-Identity[2]",
            "+14085264000",
        ),
        ("tel:+14085264000, <sip:fluffy@cisco.com>", "P-Asserted-Identity", "+14085264000"),
        ("<sip:+79161234567@h;user=phone>, <tel:+79161234568>", "P-Asserted-Identity", "+79161234567"),
        ("<sip:user1@h>, <tel:+7(916)123-45-67>", "P-Asserted-Identity[2]", "+7(916)123-45-67"),
        ("<sip:a@h>, <sip:(916)@h>", "P-Asserted-Identity[2]", "(916)"),
        ("<sip:h>, <sip:250990000000001@ims>", "P-Asserted-Identity[2]", "250990000000001"),
        ("<sip:alice@h>, <sip:bob@h>", "P-Asserted-Identity", "alice"),
        ('"Petrov, Ivan" <sip:+79161234567@h>', "P-Asserted-Identity", "+79161234567"),
    ],
)
def test_of_two_asserted_values_the_number(value: str, claim: str, text: str) -> None:
    caller = identify({"From": ANONYMOUS, "P-Asserted-Identity": value}, ORDER)
    assert (caller.header, caller.text) == (claim, text)
    assert caller.claims[claim] == text


def test_a_header_without_a_user_names_nobody_but_from_does() -> None:
    headers = {"P-Asserted-Identity": "<sip:pbx.example>", "From": "<sip:1@h>"}
    assert identify(headers, ORDER).header == "From"
    assert identify({"P-Served-User": "<sip:ims.example>", "From": "<sip:1@h>"}, ORDER).served is None
    nobody = identify({"From": "<sip:192.0.2.1>;tag=a"}, ORDER)
    assert (nobody.header, nobody.text, nobody.private) == ("From", "", True)


def test_nobody_says_who_calls() -> None:
    nobody = identify({"P-Asserted-Identity": ""}, ("P-Asserted-Identity",))
    assert (nobody.header, nobody.text, nobody.private) == (None, "", False)
    assert identify({}, ()).claims == {}
    # A header that says nothing of callers may stand in an order by mistake.
    assert identify({"To": "<sip:1@h>"}, ("To", "Privacy")).header is None


@pytest.mark.parametrize(
    ("value", "claim", "private"),
    [
        # draft-ietf-sip-privacy-04 section 5
        (
            '"John Doe" <sip:jdoe@foo.com>;party=calling;id-type=subscriber;privacy=full;screen=yes',
            "Remote-Party-ID",
            True,
        ),
        ("<sip:1@h>", "Remote-Party-ID", False),
        # Asterisk's own words for a number that nobody screened.
        ('"A" <sip:1@h>;party=calling;privacy=off;screen=no', "Remote-Party-ID", False),
        ("<sip:1@h>;privacy=uri", "Remote-Party-ID", True),
        ("<sip:1@h>;privacy=FULL-network", "Remote-Party-ID", True),
        ("<sip:1@h>;privacy=name", "Remote-Party-ID", False),
        ('<sip:1@h>;privacy="name,uri-network"', "Remote-Party-ID", True),
        ("<sip:1@h>;privacy=name,uri;screen=yes", "Remote-Party-ID", True),
        ("<sip:2@h>;party=called;privacy=full, <sip:1@h>;party=Calling", "Remote-Party-ID[2]", False),
        ("<sip:1@h>, <sip:2@h>;privacy=name,uri", "Remote-Party-ID", False),
        ("<sip:2@h>;party=called", "From", False),
        ("<sip:2@h>;party=redirecting", "From", False),
        ("uri", "From", False),
    ],
)
def test_remote_party_id(value: str, claim: str, private: bool) -> None:
    caller = identify({"From": "<sip:9@h>", "Remote-Party-ID": value}, ("Remote-Party-ID", "From"))
    assert (caller.header, caller.private) == (claim, private)


def test_in_a_reply_the_called_party_speaks() -> None:
    order = ("P-Asserted-Identity", "Remote-Party-ID")
    reply = identify({"Remote-Party-ID": "<sip:2@h>;party=called;privacy=full"}, order)
    assert (reply.header, reply.text, reply.private) == ("Remote-Party-ID", "2", True)
    assert identify({"Remote-Party-ID": "<sip:2@h>;party=calling"}, order).text == "2"


@pytest.mark.parametrize(
    ("headers", "private"),
    [
        ({}, False),
        ({"Privacy": "id"}, True),
        ({"Privacy": "Header; ID"}, True),
        ({"Privacy": "id,critical"}, True),
        ({"Privacy": "session; user"}, True),
        ({"Privacy": "user;critical"}, True),
        ({"Privacy": "none"}, False),
        ({"Privacy": "critical"}, False),
        ({"Privacy": "session"}, False),
        ({"Privacy": "history"}, False),
        ({"Privacy": "identity;xid"}, False),
        ({"Privacy": ""}, False),
        ({"Privacy": ";,"}, False),
        ({"Privacy": "none;id"}, True),
        ({"From": ANONYMOUS}, True),
        ({"From": "<sip:restricted@192.0.2.1>"}, True),
        ({"From": "<sip:Anonymous;phone-context=x@192.0.2.1>"}, True),
        ({"From": "<sip:c8oqz84zk7z@anonymous.invalid>;tag=a"}, True),
        ({"From": "<sip:79161234567@Anonymous.Invalid>;tag=a"}, True),
        ({"From": "<sip:192.0.2.1>;tag=a"}, True),
        ({"From": '"Anonymous Ltd" <sip:+79161234567@192.0.2.1>'}, False),
        ({"From": '"Anonymous" <sip:+79161234567@192.0.2.1>'}, False),
        # The caller wants none; but an anonymous From has nothing to show.
        ({"Privacy": "none", "Remote-Party-ID": "<sip:1@h>;privacy=full"}, False),
        ({"Privacy": "none", "From": ANONYMOUS}, True),
        ({"Privacy": "id", "Remote-Party-ID": "<sip:1@h>;privacy=off"}, True),
        ({"Privacy": "critical", "Remote-Party-ID": "<sip:1@h>;privacy=full"}, True),
    ],
)
def test_who_asks_for_privacy(headers: dict[str, str], private: bool) -> None:
    asserted = {"P-Asserted-Identity": "<sip:+79161234567@h>"}
    caller = identify(headers | asserted, ("P-Asserted-Identity",))
    assert caller.private is private
    assert caller.text == "+79161234567"
    # A wish is heard from everybody.
    assert identify(headers | asserted, ("From",), trusted=False).private is private


@pytest.mark.parametrize(
    ("headers", "case", "header"),
    [
        # RFC 5502 section 7.1
        ({"P-Served-User": "<sip:2@h>; sescase=orig; regstate=reg"}, "orig", "P-Served-User"),
        ({"P-Served-User": "<sip:2@h>;sescase=orig;regstate=unreg"}, "orig", "P-Served-User"),
        ({"P-Served-User": "<sip:2@h>;sescase=term;regstate=reg"}, "term", "From"),
        ({"P-Served-User": "<sip:2@h>;regstate=reg;sescase = TERM"}, "term", "From"),
        ({"P-Served-User": '<sip:2@h>;sescase="term"'}, "term", "From"),
        ({"P-Served-User": "sip:2@h;sescase=term"}, "term", "From"),
        ({"P-Served-User": "<sip:2@h;sescase=term>"}, None, "P-Served-User"),
        ({"P-Served-User": "<sip:2@h>"}, None, "P-Served-User"),
        ({"P-Served-User": "<sip:2@h>;sescase=both"}, None, "P-Served-User"),
        # RFC 8498: it names who diverted the call; who calls is asserted.
        ({"P-Served-User": "<sip:2@h>;sescase=orig;regstate=reg;orig-cdiv"}, "orig", "From"),
        ({"P-Served-User": "<sip:2@h>;orig-cdiv"}, "orig", "From"),
        ({"P-Served-User": "<sip:2@h>;sescase=orig-cdiv"}, "orig", "From"),
        # facts/numbering-ru.md: else the top Route, else in its URI
        ({"Route": "<sip:edge.example;lr>;orig"}, "orig", "From"),
        ({"Route": "<sip:edge.example;lr;term>"}, "term", "From"),
        ({"Route": "<sip:edge.example;lr;term>;orig"}, "orig", "From"),
        ({"Route": "<sip:edge.example;lr;ORIG>"}, "orig", "From"),
        ({"Route": "<sip:edge.example;lr>, <sip:scscf.example;orig>"}, None, "From"),
        ({"Route": "<sip:orig@edge.example;lr;origin=1>"}, None, "From"),
        ({"Route": ""}, None, "From"),
        ({"P-Served-User": "<sip:2@h>;sescase=term", "Route": "<sip:edge;lr;orig>"}, "term", "From"),
        ({"P-Served-User": "<sip:2@h>", "Route": "<sip:edge;lr;orig>"}, "orig", "P-Served-User"),
        ({"P-Served-User": "", "Route": "<sip:edge;lr;orig>"}, "orig", "From"),
    ],
)
def test_whom_the_mobile_network_serves(headers: dict[str, str], case: str | None, header: str) -> None:
    caller = identify(headers | {"From": "<sip:1@h>"}, ORDER)
    assert (caller.case, caller.header) == (case, header)
    assert caller.served == ("2" if headers.get("P-Served-User") else None)
    stranger = identify(headers | {"From": "<sip:1@h>"}, ORDER, trusted=False)
    assert (stranger.case, stranger.served, stranger.header) == (None, None, "From")


values = st.one_of(
    st.text(max_size=4096),
    st.text('<>"\\;:@%, sip+7tel', max_size=60),
    st.lists(
        st.sampled_from(
            [
                *("<sip:", "<tel:", "sip:", "+79161234567", "anonymous", "@", "h", ">", '"', ",", ", "),
                *(";sescase=term", ";party=called", ";privacy=full", "?Privacy=history", ";cause=302"),
                *(
                    ";index=1",
                    ";index=1.1",
                    ";mp=1",
                    ";mp=1.1",
                    ";rc=1",
                    "?Reason=SIP%3Bcause%3D486",
                    ";orig",
                ),
            ]
        ),
        max_size=40,
    ).map("".join),
)


@given(
    st.dictionaries(st.sampled_from(HEADERS), values),
    st.lists(st.sampled_from(ALL), unique=True),
    st.booleans(),
)
def test_any_headers_have_an_identity(headers: dict[str, str], order: list[str], trusted: bool) -> None:
    caller = identify(headers, order, trusted=trusted)
    assert caller.text == ("" if caller.header is None else caller.claims[caller.header])
    assert caller.header is None or trusted or caller.header == "From"
    assert {claim.partition("[")[0] for claim in caller.claims} <= headers.keys()
    assert all(caller.claims[one.header] == one.text for one in caller.diversions)
    assert len(caller.diversions) <= 10


@given(values)
def test_short_way_and_long_way_read_the_same_case(value: str) -> None:
    assert session_case(value) == _session_case_of_any(value)
