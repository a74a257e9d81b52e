"""By whom a call was diverted: Diversion and History-Info as one list."""

import pytest

from kemi.identity import CAUSES, REASONS, identify


def who(headers: dict[str, str]) -> list[tuple[str, str, bool]]:
    return [(one.text, one.reason, one.private) for one in identify(headers, ("From",)).diversions]


# RFC 7544 section 7.1, folded lines joined: the same call in both headers.
DIVERSION = (
    "<sip:user3@h>;reason=unconditional;counter=1; privacy=off, "
    "<sip:user2@h>;reason=user-busy;counter=1; privacy=full, "
    "<sip:user1@h>;reason=no-answer;counter=1; privacy=off"
)
HISTORY = (
    "<sip:user1@h?Privacy=none>;index=1, "
    "<sip:user2@h; cause=408?Privacy=history>;index=1.1;mp=1, "
    "<sip:user3@h; cause=486?Privacy=none>;index=1.1.1;mp=1.1, "
    "<sip:last@h;cause=302>;index=1.1.1.1;mp=1.1.1"
)
THREE = [
    ("user3", "unconditional", False),
    ("user2", "user-busy", True),
    ("user1", "no-answer", False),
]


def test_both_headers_of_rfc_7544_tell_the_same() -> None:
    assert who({"Diversion": DIVERSION}) == THREE
    assert who({"History-Info": HISTORY}) == THREE
    both = {"Diversion": DIVERSION, "History-Info": HISTORY}
    assert who(both) == THREE
    assert {one.header.partition("[")[0] for one in identify(both, ()).diversions} == {"History-Info"}


def test_every_entry_is_a_claim_and_says_which_header_it_was() -> None:
    caller = identify({"Diversion": DIVERSION, "History-Info": HISTORY}, ())
    assert caller.claims == {
        "Diversion": "user3",
        "Diversion[2]": "user2",
        "Diversion[3]": "user1",
        "History-Info": "user1",
        "History-Info[2]": "user2",
        "History-Info[3]": "user3",
        "History-Info[4]": "last",
    }
    assert [one.header for one in caller.diversions] == [
        "History-Info[3]",
        "History-Info[2]",
        "History-Info",
    ]
    assert caller.first_called == "user1"


@pytest.mark.parametrize(
    ("value", "diverters"),
    [
        ("<sip:+74951234567@h>", [("+74951234567", "unknown", False)]),
        ("<tel:+74951234567>;reason=Deflection;counter=1", [("+74951234567", "deflection", False)]),
        # Bare, against the grammar, as some gateways write it.
        ("tel:+74951234567;reason=no-answer", [("+74951234567", "no-answer", False)]),
        ("sip:84951234567@h;reason=away;privacy=uri", [("84951234567", "away", True)]),
        ('<sip:1@h>;reason="user-busy";privacy="full"', [("1", "user-busy", True)]),
        ("<sip:1@h>;reason=mailbox;privacy=name", [("1", "unknown", True)]),
        ("<sip:1@h>;reason=time-of-day;screen=yes;counter=3", [("1", "time-of-day", False)]),
        ("<sip:anonymous@anonymous.invalid>;privacy=off", [("anonymous", "unknown", True)]),
        ("<sip:gateway.example>;reason=unconditional", []),
        ("nonsense", [("nonsense", "unknown", False)]),
        ("", []),
    ],
)
def test_diversion(value: str, diverters: list[tuple[str, str, bool]]) -> None:
    assert who({"Diversion": value}) == diverters


@pytest.mark.parametrize(
    ("value", "diverters"),
    [
        # RFC 7544 section 7.2
        (
            (
                "<sip:user1@h?Privacy=history>;index=1, <sip:user2@h;cause=302?Privacy=none>;index=1.1;mp=1, "
                "<sip:last@h;cause=486>;index=1.1.1;mp=1.1"
            ),
            [("user2", "user-busy", False), ("user1", "unconditional", True)],
        ),
        # RFC 7544 section 7.3: proxies diverted nothing, and a gap in the tree
        (
            (
                "<sip:proxyP1>;index=1, <sip:userB@h>;index=1.1;rc=1, <sip:proxyP2;cause=302>;index=1.1.1;mp=1.1, "
                "<sip:userC@h?Privacy=history>;index=1.1.1.0.1, "
                "<sip:userD@h;cause=408?Privacy=none>;index=1.1.1.0.1.1;mp=1.1.1.0.1, "
                "<sip:userE@h;cause=404>;index=1.1.1.0.1.1.1;mp=1.1.1.0.1.1"
            ),
            [
                ("userD", "unknown", False),
                ("userC", "no-answer", True),
                ("userB", "unconditional", False),
            ],
        ),
        # RFC 7044 appendix: bob redirects, his office is busy, and only his home is on the way here
        (
            (
                "<sip:bob@example.com>;index=1, <sip:bob@192.0.2.5?Reason=SIP%3Bcause%3D302>;index=1.2;rc=1, "
                "<sip:office@example.com?Reason=SIP%3Bcause%3D486>;index=1.2.1;mp=1.2, "
                "<sip:home@example.com>;index=1.2.2;mp=1.2"
            ),
            [("bob", "unconditional", False)],
        ),
        # RFC 4244: neither mp nor rc; the response stands at who diverted, its cause perhaps in Q.850 too
        (
            (
                "<sip:1@h?Reason=Q.850%3Bcause%3D17%2CSIP%3Bcause%3D486%3Btext%3D%22Busy%22>;index=1, "
                "<sip:2@h>;index=1.1"
            ),
            [("1", "user-busy", False)],
        ),
        (
            "<sip:1@h?Reason=SIP%3Bcause%3D302>;index=1, <sip:2@h>;index=2",
            [("1", "unconditional", False)],
        ),
        ("<sip:1@h?Reason=Q.850%3Bcause%3D302>;index=1, <sip:2@h>;index=1.1", []),
        ("<sip:1@h?Reason=SIP%3Bcause%3D302>;index=1, <sip:1@device>;index=1.1;rc=1", []),
        # RFC 6044 wrote privacy as a parameter; no mp: the entry before
        (
            "<sip:1@h;privacy=history>;index=1, <sip:2@h;cause=302>;index=1.1",
            [("1", "unconditional", True)],
        ),
        # 3GPP: the number is in a tel URI, the cause among its parameters
        (
            "<tel:+74951234567>;index=1, <sip:+79161234567@ims;user=phone;cause=503>;index=1.1;mp=1",
            [("+74951234567", "unavailable", False)],
        ),
        (
            "<tel:1>;index=1, <tel:2;cause=302?Privacy=history>;index=1.1;mp=1",
            [("1", "unconditional", False)],
        ),
        ("<sip:1@h>;index=1, <sip:2@h>;index=1.1;mp=1", [("1", "unknown", False)]),
        ("<sip:1@h>;index=1, <sip:2@h;cause=300>;index=1.1", []),
        ("<sip:1@h>;index=1, <sip:1@h>;index=1.1;np=1", []),
        # Who diverted was taken out: nobody else is named in that place.
        ("<sip:1@h>;index=1, <sip:2@h;cause=302>;index=1.1.1;mp=1.1", []),
        ("<sip:1@h>;index=1;mp=1, <sip:2@h;cause=302>;index=1;mp=2", []),
        ("<sip:gw.example>;index=1, <sip:2@h;cause=302>;index=1.1;mp=1", []),
        ("<sip:anonymous@anonymous.invalid>;index=1, <sip:2@h;cause=302>;index=1.1;mp=1", None),
        ("<sip:1@h>;index=1", []),
        ("<sip:1@h>, <sip:2@h;cause=408>", [("1", "no-answer", False)]),
    ],
)
def test_history_info(value: str, diverters: list[tuple[str, str, bool]] | None) -> None:
    assert who({"History-Info": value}) == (
        [("anonymous", "unconditional", True)] if diverters is None else diverters
    )


@pytest.mark.parametrize(("cause", "reason"), sorted(CAUSES.items()))
def test_every_cause_has_a_reason(cause: str, reason: str) -> None:
    assert reason in REASONS
    history = f"<sip:1@h>;index=1, <sip:2@h;cause={cause}>;index=1.1;mp=1"
    assert who({"History-Info": history}) == [("1", reason, False)]


def test_what_only_diversion_tells_is_newer() -> None:
    history = "<sip:+7495@h>;index=1, <sip:7812@h;cause=302>;index=1.1;mp=1"
    # RFC 7544 section 7.3: a network that knows only Diversion went on after the first one translated.
    longer = "<sip:7812@h>;reason=away, <sip:7495@h>;reason=follow-me"
    assert who({"History-Info": history, "Diversion": longer}) == [
        ("7812", "away", False),
        ("7495", "follow-me", False),
    ]
    other = "<sip:7812@h>;reason=away"
    assert who({"History-Info": history, "Diversion": other}) == [
        ("7812", "away", False),
        ("+7495", "unconditional", False),
    ]
    same = "<sip:7(495)@h>;reason=unknown"
    assert who({"History-Info": history, "Diversion": same}) == [("+7495", "unconditional", False)]


def test_what_is_private_in_one_header_is_private() -> None:
    history = "<sip:1@h>;index=1, <sip:2@h;cause=302>;index=1.1;mp=1"
    assert who({"History-Info": history, "Diversion": "<sip:1@h>;privacy=full"}) == [
        ("1", "unconditional", True)
    ]


@pytest.mark.parametrize(
    ("privacy", "private"), [("history", True), ("header;id", True), ("id", False), ("none", False)]
)
def test_a_wish_that_counts_for_everybody_who_diverted(privacy: str, private: bool) -> None:
    assert who({"Privacy": privacy, "Diversion": "<sip:1@h>"}) == [("1", "unknown", private)]
    history = "<sip:1@h>;index=1, <sip:2@h;cause=302>;index=1.1;mp=1"
    assert who({"Privacy": privacy, "History-Info": history}) == [("1", "unconditional", private)]


def test_who_diverted_is_told_of_strangers_too() -> None:
    headers = {"From": "<sip:1@h>", "Diversion": "<sip:2@h>"}
    caller = identify(headers, ("From",), trusted=False)
    assert [one.text for one in caller.diversions] == ["2"]
    assert caller.first_called == "2"
    assert identify({"From": "<sip:1@h>"}, ("From",)).first_called is None


def test_a_call_diverted_without_end_is_told_so_far() -> None:
    diversion = ", ".join(f"<sip:{n}@h>" for n in range(100))
    assert [one[0] for one in who({"Diversion": diversion})] == [str(n) for n in range(10)]
    entries = [f"<sip:{n}@h;cause=302>;index={'.'.join('1' * (n + 1))}" for n in range(40)]
    history = identify({"History-Info": ", ".join(entries)}, ())
    assert [one.text for one in history.diversions] == [str(n) for n in range(38, 28, -1)]
    assert history.diversions[0].header == "History-Info[39]"
    assert len(history.claims) == 20


def test_a_number_that_diverted_twice_is_told_twice() -> None:
    loop = "<sip:1@h>;reason=no-answer, <sip:2@h>, <sip:1@h>;reason=user-busy"
    assert [one[0] for one in who({"Diversion": loop})] == ["1", "2", "1"]
