"""A call's record is made from its events: in any order, doubled, or with some of them missing."""

from datetime import timedelta

import pytest
from callevents import (
    CALL,
    CLIENT,
    EMERGENCY,
    EXTENSION,
    SIM,
    answered,
    at,
    conversation,
    ended,
    failed,
    far,
    media,
    started,
)
from hypothesis import given
from hypothesis import strategies as st

from kemi.calls.events import Answered, Connected, Ended, Failed, Media
from kemi.calls.legs import Facts
from kemi.calls.record import Recording, Sent, microseconds, moment, owed, record
from kemi.numbering.model import Step

RECORDING = Recording(path=f"2026/09/21/{CALL}.wav", seconds=60.0, bytes=1_920_044)


def facts_of(events):
    facts = Facts()
    facts.add(events)
    return facts


def record_of(events, recordings=(), **given):
    return record(CALL, facts_of(events), recordings, **given)


def seen(made, *names):
    return tuple(getattr(made, name) for name in names)


def test_conversation():
    made = record_of(conversation(), [RECORDING])
    assert seen(made, "tenant", "direction", "calling", "called") == (
        "company",
        "mobile_originated",
        SIM,
        CLIENT,
    )
    assert seen(made, "ingress_trunk", "egress_trunk", "answered_by") == (
        "mvno-main",
        "wholesale",
        "+79161234567",
    )
    assert seen(made, "started_at", "answered_at", "ended_at") == tuple(
        moment(at(second)) for second in (0, 4, 67)
    )
    assert seen(made, "duration", "talk", "status", "sip_status") == (67.0, 63.0, "answered", 200)
    assert seen(made, "consent", "degraded", "recordings") == ("played", (), (RECORDING,))
    assert made.identity == {"P-Asserted-Identity": SIM}


INBOUND = {"direction": "inbound", "source": "legacy-landline", "calling": CLIENT, "subscriber": "202"}


@pytest.mark.parametrize(
    ("events", "status", "sip_status"),
    [
        ([started(0, status=404, action="reject")], "rejected", 404),
        ([started(0), far(1, status=403, action="reject"), failed(2, 403)], "rejected", 403),
        ([started(0), far(1), failed(2, 486, "far"), failed(3, 486)], "busy", 486),
        ([started(0), far(1), failed(2, 600, "far"), failed(3, 480)], "busy", 600),
        ([started(0), far(1), failed(2, 603, "far"), failed(3, 480)], "busy", 603),
        ([started(0), far(1), failed(30, 480, "far"), failed(31, 480)], "missed", 480),
        ([started(0), far(1), failed(30, 408, "far"), failed(31, 480)], "missed", 408),
        ([started(0), far(1), failed(30, 487, "far"), failed(30, 480)], "missed", 487),
        ([started(0), far(1), failed(9, 487)], "missed", 487),
        ([started(0), far(1), failed(2, 404, "far"), failed(3, 404)], "failed", 404),
        ([started(0), far(1), failed(2, 503, "far"), failed(3, 500)], "failed", 503),
        ([started(0), failed(1, 503)], "failed", 503),
        # The media server's answer to the caller says less than what the far side said.
        ([started(0), answered(1), far(2), failed(9, 486, "far"), ended(10)], "busy", 486),
        # The caller left a queue while the second member was rung.
        (
            [
                started(0),
                answered(1),
                far(2),
                failed(9, 486, "far"),
                far(10, "b"),
                failed(20, 487, "b"),
                ended(20),
            ],
            "missed",
            487,
        ),
        # Left during the notice, or talked to a machine only.
        ([started(0), answered(1), ended(3)], "missed", None),
        ([started(0), far(1), answered(5, "far"), failed(6, 487)], "answered", 200),
    ],
)
def test_outcome(events, status, sip_status):
    made = record_of(events)
    assert seen(made, "status", "sip_status") == (status, sip_status)
    assert made.ended_at is not None
    if status != "answered":
        assert seen(made, "answered_at", "answered_by", "talk") == (None, None, 0.0)


def test_call_that_goes_straight_to_a_trunk():
    emergency = {
        "called": EMERGENCY,
        "direction": "emergency",
        "action": "trunk",
        "egress": "mvno-main",
        "record": False,
        "announce": False,
    }
    made = record_of([started(0, **emergency), answered(2, egress="mvno-main"), ended(12)])
    assert seen(made, "status", "answered_by", "egress_trunk", "talk") == (
        "answered",
        "112",
        "mvno-main",
        10.0,
    )
    assert made.answered_at == moment(at(2))
    assert made.consent == "not_required"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"called": EXTENSION, "subscriber": "201"}, "202"),
        ({"called": SIM, "subscriber": "202"}, "202"),
        ({"called": SIM, "subscriber": None}, "+79990000201"),
    ],
)
def test_answered_by_of_a_call_to_a_subscriber(told, expected):
    events = [started(0, **INBOUND), far(1, direction="inbound", **told), answered(2, "far")]
    assert record_of(events).answered_by == expected


def test_after_a_transfer_the_one_who_talked_last_answered_it():
    ring = {"direction": "inbound", "called": EXTENSION}
    other = {"direction": "inbound", "called": SIM, "subscriber": "203"}
    events = [
        started(0, **INBOUND),
        far(1, egress="mvno-main", **ring),
        answered(2, "far"),
        far(30, "b", egress="wholesale", **other),
        answered(35, "b"),
        ended(34, "far"),
    ]
    made = record_of(events)
    assert seen(made, "answered_by", "egress_trunk") == ("203", "wholesale")
    assert made.answered_at == moment(at(2))


def test_egress_is_the_trunk_that_took_the_call_after_failover():
    events = [started(0), far(1, egress="legacy-landline"), answered(3, "far", egress="wholesale")]
    assert record_of(events[:2]).egress_trunk == "legacy-landline"
    assert record_of(events).egress_trunk == "wholesale"
    assert record_of([*events[:2], failed(3, 503, "far", egress="wholesale")]).egress_trunk == "wholesale"


WRITTEN = {
    "legacy-landline": {"Request-URI": "sip:89161234567@192.0.2.1", "From": "<sip:84951234567@192.0.2.9>"},
    "wholesale": {"Request-URI": "sip:+79161234567@192.0.2.2", "From": "<sip:+74957654321@192.0.2.9>"},
}
PRESENTED = {
    "wholesale": {
        "Request-URI": (Step("e164", "+79161234567", "+79161234567"),),
        "From": (
            Step("the trunk's first number", "+79990000201", "+74957654321"),
            Step("e164", "+74957654321", "+74957654321"),
        ),
    }
}


def test_what_left_is_what_the_trunk_that_took_the_call_was_sent():
    begun = [started(0), far(1, egress="legacy-landline", written=WRITTEN, presented=PRESENTED)]
    landline = {header: Sent(value) for header, value in WRITTEN["legacy-landline"].items()}
    wholesale = {
        header: Sent(value, PRESENTED["wholesale"][header]) for header, value in WRITTEN["wholesale"].items()
    }
    assert record_of(begun).egress == landline
    assert record_of([*begun, answered(3, "far", egress="wholesale")]).egress == wholesale
    assert record_of([*begun, failed(3, 503, "far", egress="wholesale")]).egress == wholesale
    assert record_of([started(0), far(1, written={})]).egress == {}
    assert record_of([started(0)]).egress == {}


def test_open_call():
    ringing = record_of([started(0), far(1)])
    assert seen(ringing, "status", "ended_at", "duration", "talk", "consent") == (None,) * 5
    talking = record_of([started(0), far(1), answered(2, "far")])
    assert seen(talking, "status", "sip_status", "ended_at", "talk") == ("answered", 200, None, None)


def test_media_down_decides_again_on_the_same_leg():
    again = started(
        0.5, action="trunk", egress="wholesale", degraded=("media_down",), record=False, announce=False
    )
    made = record_of([started(0), again, answered(2, egress="wholesale"), ended(9)])
    assert seen(made, "status", "egress_trunk", "degraded") == ("answered", "wholesale", ("media_down",))
    assert made.answered_by == "+79161234567"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (failed(5, 486), (None, "unknown", None, None, None, 0.0)),
        (answered(5), (None, "unknown", None, None, None, None)),
        (ended(5), (None, "unknown", None, None, None, 0.0)),
        (media(5), (None, "unknown", None, None, None, 0.0)),
        (started(5), ("company", "mobile_originated", SIM, None, None, None)),
        (far(5), ("company", "mobile_originated", SIM, None, None, None)),
    ],
)
def test_one_event_alone_makes_a_record(event, expected):
    made = record_of([event])
    assert seen(made, "tenant", "direction", "calling", "status", "sip_status", "duration") == expected
    assert made.started_at == moment(at(5))


def test_media_fact_ends_a_call_whose_end_was_lost():
    events = [event for event in conversation() if not isinstance(event, Ended)]
    made = record_of(events)
    assert made.ended_at == moment(at(67.01))
    assert made.status == "answered"


def test_clock_set_back_gives_no_negative_duration():
    assert seen(record_of([started(9), far(9), answered(5, "far"), ended(4)]), "duration", "talk") == (
        0.0,
        0.0,
    )


@pytest.mark.parametrize(
    ("said", "announce", "expected"),
    [
        ([], True, None),
        ([], False, "not_required"),
        (["not_required"], True, "not_required"),
        (["not_required", "played"], True, "played"),
        (["played", "failed"], True, "failed"),
    ],
)
def test_consent(said, announce, expected):
    facts = [media(9, leg=f"channel-{consent}", consent=consent) for consent in said]
    assert record_of([started(0, announce=announce), *facts]).consent == expected


def test_conversation_without_the_notice_that_was_due_is_degraded():
    talked = [
        started(0),
        far(1),
        answered(2, "far"),
        answered(3),
        ended(9),
        media(9, consent="failed", recording=None),
    ]
    assert record_of(talked, overdue=True).degraded == ("announcement_failed",)
    # Nobody talked: the callee hung up during the notice.
    gone = [
        started(0),
        far(1),
        answered(2, "far"),
        ended(3, "far"),
        failed(3, 480),
        media(3, consent="failed"),
    ]
    assert record_of(gone).degraded == ()


def test_degraded_says_each_reason_once_in_the_order_of_the_legs():
    events = [started(0, degraded=("media_down", "limits")), far(1, degraded=("route", "media_down"))]
    assert record_of(events).degraded == ("media_down", "limits", "route")


def test_what_a_media_server_owes():
    silent = [event for event in conversation() if not isinstance(event, Media)]
    assert owed(facts_of(silent)) == ("media_event_missing", "recording_missing")
    assert owed(facts_of(silent), [RECORDING]) == ("media_event_missing",)
    assert owed(facts_of(conversation())) == ("recording_missing",)
    assert owed(facts_of(conversation()), [RECORDING]) == ()
    assert owed(facts_of(silent[:-2])) == (), "not ended"
    assert owed(facts_of([started(0), far(1), failed(2, 486, "far"), failed(3, 486)])) == (), "nobody talked"
    unwanted = [started(0, record=False), *conversation()[1:-1], media(67, recording=None)]
    assert owed(facts_of(unwanted)) == ()


def test_what_is_owed_degrades_only_once_it_is_overdue():
    silent = [event for event in conversation() if not isinstance(event, Media)]
    assert record_of(silent).degraded == ()
    assert record_of(silent, [RECORDING], overdue=True).degraded == ("media_event_missing",)
    assert record_of(conversation(), [RECORDING], overdue=True).degraded == (), "it came after all"


def test_who_answered_is_kept_beside_who_called():
    said = Connected(CALL, "far", at(3), "called", {"P-Asserted-Identity": CLIENT})
    call = record_of([started(0), far(1), said, answered(4, "far"), ended(9), ended(9, "far")])
    assert call.identity == {"P-Asserted-Identity": SIM, "P-Asserted-Identity (called side)": CLIENT}


@given(st.integers(min_value=0, max_value=4_000_000_000_000_000))
def test_moments_are_exact(microsecond):
    assert microseconds(moment(microsecond)) == microsecond
    assert moment(microsecond).utcoffset() == timedelta(0)


LEGS = st.sampled_from(["in", "far", "b"])
TIMES = st.integers(min_value=at(0), max_value=at(2))
TRUNKS = st.sampled_from([None, "wholesale", "legacy-landline"])
STARTS = st.builds(
    started,
    st.integers(0, 2),
    LEGS,
    source=st.sampled_from(["media", "mvno-main", "wholesale"]),
    action=st.sampled_from(["media", "trunk", "reject"]),
    direction=st.sampled_from(["inbound", "mobile_originated", "internal"]),
    called=st.sampled_from([CLIENT, EXTENSION]),
    status=st.sampled_from([None, None, 403]),
    degraded=st.sampled_from([(), ("media_down",), ("limits", "media_down")]),
)
EVENTS = st.one_of(
    STARTS,
    st.builds(Answered, st.just(CALL), LEGS, TIMES, TRUNKS),
    st.builds(Ended, st.just(CALL), LEGS, TIMES),
    st.builds(Failed, st.just(CALL), LEGS, TIMES, st.sampled_from([404, 480, 486, 487, 503]), TRUNKS),
    st.builds(
        Connected,
        st.just(CALL),
        LEGS,
        TIMES,
        st.sampled_from(["calling", "called"]),
        st.sampled_from([{"P-Asserted-Identity": CLIENT}, {"Remote-Party-ID": EXTENSION}]),
    ),
    st.builds(
        Media,
        st.just(CALL),
        st.sampled_from(["1.1", "1.2"]),
        TIMES,
        st.just("media-1"),
        st.sampled_from(["played", "failed", "not_required"]),
        st.sampled_from([None, "a.wav"]),
    ),
)


@given(st.data(), st.lists(EVENTS, min_size=1, max_size=12), st.booleans())
def test_order_and_repetition_change_nothing(data, events, overdue):
    """Also when events contradict each other."""
    again = data.draw(st.permutations(events + data.draw(st.lists(st.sampled_from(events)))))
    assert record_of(again, overdue=overdue) == record_of(events, overdue=overdue)


@given(st.lists(EVENTS, min_size=1, max_size=12))
def test_record_is_consistent_whatever_happened(events):
    made = record_of(events)
    assert (made.ended_at is None) == (made.duration is None)
    assert made.status is not None or made.ended_at is None or made.calling is None
    assert (made.status in {None, "answered"}) or made.answered_by is None
    assert made.talk is None or made.talk >= 0


@given(st.permutations(conversation()), st.integers(1, 7))
def test_record_grows_to_the_same_whatever_was_known_before(events, known):
    facts = facts_of(events[:known])
    record(CALL, facts)
    facts.add(events)
    assert record(CALL, facts) == record_of(conversation())
