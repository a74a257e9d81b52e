"""Kamailio killed in the middle of calls, started again on the same state, and a directory that changes."""

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from edge import DIRECTORY, Edge
from party import MVNO, SDP, WAIT, Leg, Party, connect, first_call, tag_of
from test_edge import added, media_leg
from test_edge_identity import ANONYMOUS, whole
from test_edge_masked import DIGITS, MASK, SIM, hidden, private_call

from demo.processes import Process
from demo.sip import Message
from demo.stand import environment_of
from kemi.calls.events import Answered, Ended, Failed, Started
from kemi.settings import CHECKOUT

pytestmark = pytest.mark.system

CALLS = 20


def answered_calls(edge: Edge, at: SimpleNamespace) -> list[tuple[Leg, Leg]]:
    pairs = []
    for _ in range(CALLS):
        caller = media_leg(at)
        callee = at.wholesale.takes_call()
        connect(caller, callee)
        pairs.append((caller, callee))
    for caller, _ in pairs:
        edge.wait_events(caller.call_id, Started, Answered)
    return pairs


def test_all_of_it_is_killed(own: Edge, parties: SimpleNamespace) -> None:
    at = parties
    pairs = answered_calls(own, at)
    own.kill()
    for caller, _ in pairs:
        own.wait_events(caller.call_id, Started, Answered)

    own.start()
    # Conversations that were going on can be ended from both sides, and from a stranger's they cannot.
    for number, (caller, callee) in enumerate(pairs):
        first, second = (caller, callee) if number % 2 else (callee, caller)
        bye, done = first.hang_up(second)
        assert len(bye.headers["via"]) == 2
        assert done.status == 200
    caller, callee = pairs[0]
    caller.party = at.stranger
    caller.send("BYE")
    # A call of now, into the same spool.
    caller = media_leg(at)
    callee = at.wholesale.takes_call()
    connect(caller, callee)
    caller.hang_up(callee)
    own.wait_events(caller.call_id, Started, Answered, Ended)
    assert "BYE" not in {line.split(" ")[0] for line in at.wholesale.heard()}
    assert at.stranger.heard() == []


def test_a_masked_caller_is_reached_after_a_restart(own: Edge, parties: SimpleNamespace) -> None:
    """Dialogs are forgotten, and so is his Contact: his network gets the BYE for whom the trunk was shown."""
    own.rpc("dispatcher.set_state", "i", 1, "all")
    caller = private_call(parties.mvno)
    callee = parties.landline.takes_call()
    connect(caller, callee)
    own.wait_events(caller.call_id, Started, Started, Answered)
    own.kill()
    own.start()
    bye, done = callee.hang_up(caller)
    assert bye.start == f"BYE {MASK[1:-1]} SIP/2.0"
    assert len(bye.headers["via"]) == 2
    assert done.status == 200


def test_nobody_is_named_in_a_dialog_that_is_forgotten(own: Edge, parties: SimpleNamespace) -> None:
    """Whose shape to write in, and who may see it, is forgotten with it."""
    caller = media_leg(parties)
    callee = parties.wholesale.takes_call()
    connect(caller, callee)
    own.kill()
    own.start()
    said = ("P-Asserted-Identity", "<sip:+79990000201@x>"), ("Privacy", "none"), ("X-FMC-Call", "x")
    for one, other in ((caller, callee), (callee, caller)):
        one.send("UPDATE", *said)
        request = other.expect("UPDATE")
        other.reply(200, *said, to=request)
        assert added(request) == added(one.accepted()) == set()
    assert "handler_failed" not in own.log()


def anonymous(request: Message, one: Leg, other: Leg) -> None:
    """The other is not told who this is, but that it is still the one with whom it has this dialog."""
    assert request.header("From") == f"{ANONYMOUS};tag={tag_of(one.local)}"
    assert len(request.headers["from"]) == 1
    assert tag_of(request.header("To")) == tag_of(other.local)
    assert DIGITS not in whole(request)


def as_asked(reply: Message, one: Leg) -> None:
    """Whoever answered, From and To are those of the request (RFC 3261 section 8.2.6.2)."""
    assert (reply.headers["from"], reply.headers["to"]) == ((one.local,), (one.remote,))


def test_a_trunk_is_not_shown_who_calls_in_a_dialog_that_is_forgotten(
    own: Edge, parties: SimpleNamespace
) -> None:
    """It was shown a number of the company; a media server is told all that the trunk says."""
    caller = media_leg(parties)
    callee = parties.wholesale.takes_call()
    connect(caller, callee)
    own.kill()
    own.start()
    for method in ("UPDATE", "INVITE", "BYE"):
        callee.sequence += 1
        caller.send(method, body=SDP)
        request = callee.expect(method)
        anonymous(request, caller, callee)
        callee.reply(200, to=request, body=SDP)
        as_asked(caller.accepted(), caller)
        if method == "INVITE":
            anonymous(callee.expect("ACK"), caller, callee)
        else:
            callee.send("INFO")
            request = caller.expect("INFO")
            assert (request.header("From"), request.header("To")) == (callee.local, callee.remote)
            caller.reply(200, to=request)
            as_asked(callee.accepted(), callee)
    assert own.complaints() == []


def test_a_masked_caller_is_not_seen_in_a_dialog_that_is_forgotten(
    own: Edge, parties: SimpleNamespace
) -> None:
    """Neither where he asks nor where he answers; and who answers him is not shown to him."""
    own.rpc("dispatcher.set_state", "i", 1, "all")
    caller = private_call(parties.mvno)
    callee = parties.landline.takes_call()
    connect(caller, callee)
    own.kill()
    own.start()
    for method in ("UPDATE", "INVITE", "INFO"):
        caller.send(method, body=SDP)
        request = hidden(callee.expect(method))
        anonymous(request, caller, callee)
        callee.reply(200, to=request, body=SDP)
        as_asked(caller.accepted(), caller)
        if method == "INVITE":
            anonymous(hidden(callee.expect("ACK")), caller, callee)

        callee.send(method, body=SDP)
        request = caller.expect(method)
        assert request.start == f"{method} {MASK[1:-1]} SIP/2.0"
        anonymous(request, callee, caller)
        caller.reply(200, to=request, body=SDP)
        as_asked(hidden(callee.accepted()), callee)
        if method == "INVITE":
            anonymous(caller.expect("ACK"), callee, caller)
    _, done = caller.hang_up(callee)
    as_asked(done, caller)
    assert own.complaints() == []


def test_a_sim_behind_a_public_number_is_not_seen_in_a_dialog_that_is_forgotten(
    own: Edge, parties: SimpleNamespace
) -> None:
    own.rpc("dispatcher.set_state", "i", 1, "all")
    caller = Leg.calling(parties.backup, f"+7{DIGITS}", caller="<sip:+79161234567@pstn.example>")
    callee = parties.mvno.takes_call()
    callee.contact = SIM
    connect(caller, callee)
    own.kill()
    own.start()
    callee.send("INVITE", body=SDP)
    request = caller.expect("INVITE")
    assert request.header("From") == f"{ANONYMOUS};tag={tag_of(callee.local)}"
    assert request.header("Contact") == MASK
    caller.reply(200, to=request, body=SDP)
    as_asked(callee.accepted(), callee)
    assert caller.expect("ACK").header("Contact") == MASK
    caller.send("UPDATE")
    callee.reply(200, to=callee.expect("UPDATE"))
    done = caller.accepted()
    as_asked(done, caller)
    assert done.header("Contact") == MASK
    caller.hang_up(callee)


def test_one_worker_is_killed(own: Edge, parties: SimpleNamespace) -> None:
    """The others cannot go on without it: Kamailio ends, and who supervises it starts it again."""
    pairs = answered_calls(own, parties)
    os.kill(own.worker(), signal.SIGKILL)
    assert own.process.wait(WAIT) is not None
    for caller, _ in pairs:
        own.wait_events(caller.call_id, Started, Answered)
    own.start()
    caller = media_leg(parties)
    callee = parties.wholesale.takes_call()
    connect(caller, callee)
    callee.hang_up(caller)
    own.wait_events(caller.call_id, Started, Answered, Ended)


def test_what_left_the_edge_has_a_record(own: Edge, parties: SimpleNamespace) -> None:
    """Killed while calls come in: every INVITE that reached the far side was spooled before."""
    for _ in range(60):
        media_leg(parties)
    seen = {parties.wholesale.request("INVITE").call_id for _ in range(10)}
    own.kill()
    parties.wholesale.pull()
    seen |= {message.call_id for message in parties.wholesale.backlog if message.method == "INVITE"}
    started = {event.sip_call_id for event in own.everything() if isinstance(event, Started)}
    assert seen <= started
    own.start()


def test_kamailio_ends_when_asked(own: Edge, parties: SimpleNamespace) -> None:
    caller = media_leg(parties)
    connect(caller, parties.wholesale.takes_call())
    own.wait_events(caller.call_id, Started, Answered)
    own.stop()
    assert own.process.status == 0
    own.wait_events(caller.call_id, Started, Answered)


NEW_SUBSCRIBER = """      "203": {name: Новый, msisdn: "+79990000203"}
"""
NEW_TRUNK = """  second-mvno:
    kind: mvno
    peers: ["sip:127.0.5.7:6060"]
    accept_from: ["127.0.5.7:6060"]
    ingress: {calling: [e164_bare], called: [extension, national_trunk]}
"""


def wait_applied(process: Process, revision: int) -> None:
    """Wait until the agent has written a revision and Kamailio has loaded its sources since."""
    deadline = time.monotonic() + WAIT
    while True:
        _, _, since = process.tail(1000).partition(f'"revision":{revision}')
        if '"file":"address.list"' in since:
            return
        assert process.alive, process.fault()
        assert time.monotonic() < deadline, process.tail()
        time.sleep(0.02)


def fmcctl_apply(edge: Edge, document: str) -> None:
    file = edge.settings.state / "changed.yaml"
    file.write_text(document)
    subprocess.run(
        [sys.executable, "-m", "kemi.cli", "apply", "-f", str(file), "--yes"],
        check=True,
        cwd=CHECKOUT,
        env=os.environ | environment_of(edge.settings),
        stdout=subprocess.DEVNULL,
    )


def test_a_changed_directory_is_used_by_running_workers(
    own: Edge, parties: SimpleNamespace, agent: Process
) -> None:
    at = parties
    new_sim = "<sip:79990000203@ims.example>"
    caller = Leg.calling(at.mvno, "89161234567", caller=new_sim)
    caller.refused(403)
    main = own.process.pid

    changed = DIRECTORY.replace("trunks:\n", "trunks:\n" + NEW_TRUNK, 1)
    fmcctl_apply(own, changed.replace("    subscribers:\n", "    subscribers:\n" + NEW_SUBSCRIBER, 1))
    wait_applied(agent, 2)

    # A new subscriber, then a new trunk.
    caller = Leg.calling(at.mvno, "89161234567", caller=new_sim)
    callee = first_call(at.media, at.media_2)
    assert callee.invite.header("X-FMC-Subscriber") == "203"
    connect(caller, callee)
    caller.hang_up(callee)
    second = Party(("127.0.5.7", MVNO[1]))
    caller = Leg.calling(second, "201", caller=new_sim)
    callee = first_call(at.media, at.media_2)
    callee.reply(100)
    callee.refuse(486)
    caller.refused(486)
    second.close()
    began, _ = own.wait_events(caller.call_id, Started, Failed)
    assert (began.source, began.direction) == ("second-mvno", "internal")
    assert own.process.pid == main
    assert own.process.alive
