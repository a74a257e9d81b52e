"""When a peer, a trunk or the media servers do not take a call: who is tried next, what the caller is told."""

from types import SimpleNamespace

import pytest
from edge import Edge
from party import HOST, Leg, connect, first_call
from test_edge import added, fmc, media_leg

from kemi.calls.events import Answered, Ended, Failed, Started

pytestmark = pytest.mark.system

SILENT = 300
"""Milliseconds after which these tests give up a peer that says nothing."""


@pytest.fixture(autouse=True)
def _short(edge: Edge) -> None:
    edge.timers(silent=SILENT)


def test_the_second_peer_takes_what_the_first_refuses(edge: Edge, at: SimpleNamespace) -> None:
    caller = media_leg(at)
    at.wholesale.takes_call().refuse(503)
    callee = at.wholesale_2.takes_call()
    assert callee.invite.start == "INVITE sip:+79161234567@127.0.5.4:6063 SIP/2.0"
    assert callee.invite.header("From").startswith(f"<sip:+74957654321@{HOST}>;tag=")
    assert len(callee.invite.headers["p-asserted-identity"]) == 1
    assert len(callee.invite.headers["record-route"]) == 1
    accepted = connect(caller, callee)
    assert accepted.header("From") == caller.local
    caller.hang_up(callee)
    _, answered, _ = edge.wait_events(caller.call_id, Started, Answered, Ended)
    assert answered.egress == "wholesale"


def test_the_second_peer_takes_what_the_first_does_not_answer(at: SimpleNamespace) -> None:
    caller = media_leg(at)
    at.wholesale.request("INVITE")
    connect(caller, at.wholesale_2.takes_call())
    # The dead one is asked no more.
    again = media_leg(at)
    at.wholesale.forget()
    connect(again, at.wholesale_2.takes_call())
    assert at.wholesale.heard() == []


def test_the_next_trunk_has_its_own_shape(edge: Edge, at: SimpleNamespace) -> None:
    """And each side goes on seeing its own From and To."""
    caller = media_leg(at)
    at.wholesale.takes_call().refuse(503)
    at.wholesale_2.takes_call().refuse(500)
    callee = at.backup.takes_call()
    invite = callee.invite
    assert invite.start == "INVITE sip:79161234567@127.0.5.5:6064 SIP/2.0"
    assert invite.header("From").startswith(f"<sip:74950000000@{HOST}>;tag=")
    assert invite.header("To") == "<sip:79161234567@127.0.5.5:6064>"
    assert invite.headers["p-asserted-identity"] == (f"<sip:74950000000@{HOST}>",)
    assert added(invite) == {"p-asserted-identity"}
    callee.reply(180)
    assert caller.response(lambda status: status == 180).header("From") == caller.local
    accepted = connect(caller, callee)
    assert accepted.header("To").startswith(f"{caller.invite.header('To')};tag=")
    bye, done = callee.hang_up(caller)
    assert (bye.header("From"), bye.header("To")) == (caller.remote, caller.local)
    assert (done.header("From"), done.header("To")) == (callee.local, callee.remote)
    began, answered, _ = edge.wait_events(caller.call_id, Started, Answered, Ended)
    assert (began.egress, answered.egress) == ("wholesale", "backup")


def test_requests_of_the_caller_after_failover(at: SimpleNamespace) -> None:
    caller = media_leg(at)
    at.wholesale.takes_call().refuse(503)
    at.wholesale_2.takes_call().refuse(503)
    callee = at.backup.takes_call()
    connect(caller, callee)
    bye, done = caller.hang_up(callee)
    assert bye.header("From") == callee.invite.header("From")
    assert bye.header("To") == callee.local
    assert (done.header("From"), done.header("To")) == (caller.local, caller.remote)


def test_none_is_left(edge: Edge, at: SimpleNamespace) -> None:
    caller = media_leg(at)
    at.wholesale.request("INVITE")
    at.wholesale_2.request("INVITE")
    at.backup.request("INVITE")
    response = caller.refused(503)
    assert response.header("From") == caller.local
    _, failed = edge.wait_events(caller.call_id, Started, Failed)
    assert (failed.status, failed.egress) == (503, "backup")
    # Now all are known to be down: nobody is tried, the answer is the same.
    for party in (at.wholesale, at.wholesale_2, at.backup):
        party.forget()
    caller = media_leg(at)
    caller.refused(503)
    _, failed = edge.wait_events(caller.call_id, Started, Failed)
    assert failed.status == 503
    assert at.wholesale.heard() == at.wholesale_2.heard() == at.backup.heard() == []


@pytest.mark.parametrize("status", [503, 502])
def test_the_last_word_of_the_last_trunk(edge: Edge, at: SimpleNamespace, status: int) -> None:
    caller = media_leg(at)
    at.wholesale.takes_call().refuse(503)
    at.wholesale_2.takes_call().refuse(503)
    at.backup.takes_call().refuse(status)
    caller.refused(status)
    _, failed = edge.wait_events(caller.call_id, Started, Failed)
    assert (failed.status, failed.egress) == (status, "backup")


def test_a_phone_that_nobody_answers_is_no_dead_peer(edge: Edge, at: SimpleNamespace) -> None:
    edge.timers(silent=SILENT, ringing=SILENT)
    caller = media_leg(at)
    callee = at.wholesale.takes_call()
    callee.reply(180)
    callee.reply(200, to=callee.expect("CANCEL"))
    callee.refuse(487)
    caller.refused(408)
    _, failed = edge.wait_events(caller.call_id, Started, Failed)
    assert (failed.status, failed.egress) == (408, "wholesale")
    assert at.wholesale_2.heard() == at.backup.heard() == []


def test_a_network_that_cannot_be_reached(edge: Edge, at: SimpleNamespace) -> None:
    """Sending fails at once: the next trunk takes the call."""
    caller = media_leg(at, "+78121234567")
    callee = at.backup.takes_call()
    assert callee.invite.header("From").startswith(f"<sip:74950000000@{HOST}>")
    assert len(callee.invite.headers["record-route"]) == 1
    connect(caller, callee)
    caller.hang_up(callee)
    _, answered, _ = edge.wait_events(caller.call_id, Started, Answered, Ended)
    assert answered.egress == "backup"


def test_the_only_network_cannot_be_reached(edge: Edge, at: SimpleNamespace) -> None:
    caller = media_leg(at, "+78131234567")
    caller.refused(503)
    _, failed = edge.wait_events(caller.call_id, Started, Failed)
    assert (failed.status, failed.egress) == (503, "nowhere")


def test_the_other_media_server_takes_the_call(edge: Edge, at: SimpleNamespace) -> None:
    for dead in (False, True):
        caller = Leg.calling(at.mvno, "89161234567")
        first = first_call(at.media, at.media_2)
        other = at.media_2 if first.party is at.media else at.media
        if not dead:
            first.refuse(503)
        callee = other.takes_call()
        assert fmc(callee.invite) == fmc(first.invite)
        connect(caller, callee)
        caller.hang_up(callee)
        edge.wait_events(caller.call_id, Started, Answered, Ended)
        first.party.forget()
    # The dead one is asked no more.
    for _ in range(2):
        caller = Leg.calling(at.mvno, "89161234567")
        connect(caller, other.takes_call())
    assert first.party.heard() == []


@pytest.mark.parametrize("status", [503, 500, 480])
def test_a_failure_of_the_second_leg_is_the_callers_answer(
    edge: Edge, at: SimpleNamespace, status: int
) -> None:
    """A media server that took the call and then fails it has tried: nobody tries again."""
    caller = Leg.calling(at.mvno, "89161234567")
    callee = first_call(at.media, at.media_2)
    callee.reply(100)
    callee.refuse(status)
    caller.refused(status)
    edge.settled()
    assert not any(line.startswith("INVITE") for line in at.media.heard() + at.media_2.heard())
    assert at.wholesale.heard() == []
    _, failed = edge.wait_events(caller.call_id, Started, Failed)
    assert failed.status == status


def test_ringing_in_vain_is_no_dead_media_server(edge: Edge, at: SimpleNamespace) -> None:
    edge.timers(silent=SILENT, ringing=SILENT)
    caller = Leg.calling(at.mvno, "89161234567")
    callee = first_call(at.media, at.media_2)
    callee.reply(100)
    callee.reply(180)
    callee.reply(200, to=callee.expect("CANCEL"))
    callee.refuse(487)
    caller.refused(408)
    _, failed = edge.wait_events(caller.call_id, Started, Failed)
    assert failed.status == 408


def test_breakout(edge: Edge, at: SimpleNamespace) -> None:
    """No media server answers: the mobile network's calls go on without one, and say so."""
    caller = Leg.calling(at.mvno, "89161234567")
    at.media.request("INVITE")
    at.media_2.request("INVITE")
    callee = at.wholesale.takes_call()
    invite = callee.invite
    assert added(invite) == {"p-asserted-identity"}
    assert invite.header("From").startswith(f"<sip:+74957654321@{HOST}>")
    assert len(invite.headers["record-route"]) == 1
    connect(caller, callee)
    bye, _ = callee.hang_up(caller)
    assert (bye.header("From"), bye.header("To")) == (caller.remote, caller.local)
    first, again, answered, _ = edge.wait_events(caller.call_id, Started, Started, Answered, Ended)
    assert (first.action, first.degraded) == ("media", ())
    assert (again.action, again.degraded, again.egress) == ("trunk", ("media_down",), "wholesale")
    assert answered.egress == "wholesale"
    assert first.leg == again.leg

    # Both are known to be down now.
    at.media.forget()
    at.media_2.forget()
    caller = Leg.calling(at.mvno, "89161234567")
    callee = at.wholesale.takes_call()
    assert added(callee.invite) == {"p-asserted-identity"}
    connect(caller, callee)
    caller.hang_up(callee)
    _, again, _, _ = edge.wait_events(caller.call_id, Started, Started, Answered, Ended)
    assert again.degraded == ("media_down",)
    assert at.media.heard() == at.media_2.heard() == []


def test_breakout_to_a_trunk_that_is_down_too(edge: Edge, at: SimpleNamespace) -> None:
    caller = Leg.calling(at.mvno, "84957654321")
    at.landline.forget()
    callee = at.wholesale.takes_call()
    connect(caller, callee)
    caller.hang_up(callee)
    _, _, answered, _ = edge.wait_events(caller.call_id, Started, Started, Answered, Ended)
    assert answered.egress == "wholesale"


def test_breakout_with_nobody_left(edge: Edge, at: SimpleNamespace) -> None:
    caller = Leg.calling(at.mvno, "89161234567")
    caller.refused(503)
    _, again, failed = edge.wait_events(caller.call_id, Started, Started, Failed)
    assert (again.action, failed.status, failed.egress) == ("trunk", 503, "backup")


def test_a_trunk_that_wants_no_breakout(edge: Edge, at: SimpleNamespace) -> None:
    for _ in ("media servers do not answer", "and are known to be down"):
        caller = Leg.calling(
            at.landline,
            "4951234567",
            caller="<sip:9161234567@pstn.example>",
            to="<sip:4951234567@pbx.example>",
        )
        caller.refused(503)
        first, again, failed = edge.wait_events(caller.call_id, Started, Started, Failed)
        assert (first.action, again.action, again.status) == ("media", "reject", 503)
        assert failed.status == 503


def test_the_called_number_is_still_known_when_media_is_down(edge: Edge, at: SimpleNamespace) -> None:
    """What media was sent (an extension) is not what was called (a SIM's number)."""
    stranger = "<sip:+79161234567@pstn.example>"
    caller = Leg.calling(at.mvno, "+79990000201", caller=stranger)
    callee = at.mvno.takes_call()
    assert callee.invite.start == "INVITE sip:79990000201@127.0.5.2:6060 SIP/2.0"
    connect(caller, callee)
    caller.hang_up(callee)
    first, again, _, _ = edge.wait_events(caller.call_id, Started, Started, Answered, Ended)
    assert first.called == again.called
    caller = Leg.calling(at.wholesale, "+79990000201", caller=stranger)
    caller.refused(503)


def test_failover_leaves_no_complaint(edge: Edge) -> None:
    """But that one network cannot be reached."""
    assert [line for line in edge.complaints() if "192.0.2.1" not in line and "send failed" not in line] == []
