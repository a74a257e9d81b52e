"""Asterisk as it is shipped, between two parties that really talk; peer.py plays the edge on both sides."""

import json
import os
import re
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from peer import CALLEE_TONE, CALLER_TONE, WAIT, Leg, Peer

from demo.audio import find_prompt, read_wav, tone_seconds
from demo.sip import Address, Message, answers_options
from kemi import settings
from kemi.media import prompts, recordings

pytestmark = pytest.mark.system

START = settings.CHECKOUT / "asterisk" / "start"
CLIENT = "+79161234567"
EMPLOYEE = "+79990000201"


@dataclass
class Asterisk:
    """A running media server and the edge it talks to."""

    state: Path
    address: Address
    process: subprocess.Popen[bytes]
    peer: Peer

    def command(self, line: str) -> str:
        config = self.state / "asterisk" / "etc" / "asterisk.conf"
        done = subprocess.run(
            ["asterisk", "-C", str(config), "-rx", line], check=False, capture_output=True, text=True
        )
        return done.stdout

    def event(self, call: str) -> dict[str, Any]:
        """Wait for the media event of a call."""
        deadline = time.monotonic() + WAIT
        while time.monotonic() < deadline:
            for path in (self.state / "media-spool").glob("*.json"):
                text = path.read_text()
                if text.endswith("\n") and (event := json.loads(text))["call"] == call:
                    assert path.stem == event["leg"]
                    assert text.count("\n") == 1
                    return dict(event)
            time.sleep(0.01)  # another process writes it: there is nothing to wait on
        raise AssertionError(f"no media event of {call}")

    def sides(self, event: dict[str, Any]) -> tuple[dict[int, float], dict[int, float]]:
        """Say how long each tone is in the left and in the right side of an event's recording."""
        left, right = read_wav(self.state / "recordings" / event["recording"])
        measured = [
            {hertz: tone_seconds(side, hertz) for hertz in (CALLER_TONE, CALLEE_TONE)}
            for side in (left, right)
        ]
        return measured[0], measured[1]


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_asterisk(state: Path) -> Iterator[Asterisk]:
    address = ("127.0.0.1", free_port())
    peer = Peer(address)
    environment = os.environ | {
        "FMC_STATE": str(state),
        "FMC_NODE": "test",
        "FMC_LISTEN": f"127.0.0.1:{peer.address[1]}",
        "FMC_MEDIA_LISTEN": f"127.0.0.1:{address[1]}",
    }
    with (state / "out").open("wb") as out:
        process = subprocess.Popen([str(START)], env=environment, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + WAIT
        while not answers_options(address):
            assert process.poll() is None, (state / "out").read_text()
            assert time.monotonic() < deadline
        yield Asterisk(state, address, process, peer)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT) == 0
        peer.end()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asterisk]:
    yield from run_asterisk(tmp_path_factory.mktemp("media"))


@pytest.fixture
def asterisk(shared: Asterisk) -> Iterator[Asterisk]:
    yield shared
    shared.peer.forget()


@pytest.fixture(scope="session")
def prompt(shared: Asterisk) -> Any:
    return read_wav(prompts.notice("ru", shared.state / "asterisk" / "sounds"))[0]


def fmc(
    direction: str, *, announce: str = "yes", record: str = "yes", service: str = "dial", **more: str
) -> dict[str, str]:
    """Headers of leg 1."""
    return {
        "X-FMC-Call": str(uuid.uuid4()),
        "X-FMC-Tenant": "company",
        "X-FMC-Service": service,
        "X-FMC-Direction": direction,
        "X-FMC-Record": record,
        "X-FMC-Announce": announce,
        "X-FMC-Subscriber": "201",
        "P-Asserted-Identity": f"<sip:{EMPLOYEE}@127.0.0.1>",
        **more,
    }


def talk(caller: Leg, callee: Leg, seconds: float = 0.6) -> None:
    """Wait until each party has heard the other."""
    caller.voice.wait_heard(lambda pcm: tone_seconds(pcm, CALLEE_TONE) >= seconds)
    callee.voice.wait_heard(lambda pcm: tone_seconds(pcm, CALLER_TONE) >= seconds)


def test_leg_2_goes_to_the_same_user_and_says_whose_call_it_is(asterisk: Asterisk) -> None:
    headers = fmc("mobile_originated")
    caller = asterisk.peer.call(CLIENT, headers)
    invite = asterisk.peer.receive().invite
    caller.cancel()
    caller.wait_response(487)

    assert invite.start == f"INVITE sip:{CLIENT}@127.0.0.1:{asterisk.peer.address[1]} SIP/2.0"
    assert invite.user("To") == CLIENT
    assert invite.user("From") == invite.user("P-Asserted-Identity") == EMPLOYEE
    copied = ("X-FMC-Call", "X-FMC-Tenant", "X-FMC-Direction", "X-FMC-Subscriber")
    assert {name: invite.header(name) for name in copied} == {name: headers[name] for name in copied}
    assert {name for name in invite.headers if name.startswith("x-fmc-")} == {name.lower() for name in copied}
    assert not invite.header("Privacy")
    assert re.findall(r"a=rtpmap:\d+ (\S+)/8000", invite.body) == ["PCMA", "PCMU", "telephone-event"]
    assert 10000 <= (invite.audio or ("", 0))[1] <= 10999


def test_outbound_the_client_hears_the_notice_before_the_caller_is_answered(
    asterisk: Asterisk, prompt: Any
) -> None:
    headers = fmc("mobile_originated")
    caller = asterisk.peer.call(CLIENT, headers)
    callee = asterisk.peer.receive()
    callee.reply(180)
    caller.wait_response(180)
    callee.answer()
    callee.voice.wait_heard(lambda pcm: len(pcm) >= len(prompt) * 3 // 4)
    assert caller.unanswered()
    caller.wait_response(200)
    talk(caller, callee)
    caller.hang_up()
    callee.wait_request("BYE")

    assert find_prompt(callee.voice.heard, prompt).heard
    assert find_prompt(caller.voice.heard, prompt).share == 0
    event = asterisk.event(headers["X-FMC-Call"])
    assert event["consent"] == "played"
    assert event["dial_status"] == "ANSWER"
    assert event["server"] == "test"
    assert abs(event["at"] / 1_000_000 - time.time()) < WAIT
    assert re.fullmatch(rf"\d{{4}}/\d\d/\d\d/{event['call']}\.wav", event["recording"])
    left, right = asterisk.sides(event)
    assert left[CALLER_TONE] >= 0.5 > left[CALLEE_TONE] == 0
    assert right[CALLEE_TONE] >= 0.5 > right[CALLER_TONE] == 0
    path = asterisk.state / "recordings" / event["recording"]
    seconds, size = recordings.facts(path)
    assert seconds < len(prompt) / 8000  # the notice is not part of the conversation
    assert size == path.stat().st_size == 44 + seconds * 32000
    assert path.stat().st_mode & 0o007 == 0


@pytest.mark.parametrize("direction", ["inbound", "mobile_terminated"])
def test_inbound_the_caller_hears_the_notice_once_the_employee_answered(
    asterisk: Asterisk, prompt: Any, direction: str
) -> None:
    headers = fmc(direction)
    caller = asterisk.peer.call("202", headers)
    callee = asterisk.peer.receive()
    assert callee.invite.user("") == "202"
    callee.reply(180)
    caller.wait_response(180)
    callee.answer()
    caller.wait_response(200)
    talk(caller, callee)
    callee.hang_up()
    caller.wait_request("BYE")

    assert find_prompt(caller.voice.heard, prompt).heard
    assert find_prompt(callee.voice.heard, prompt).share == 0
    event = asterisk.event(headers["X-FMC-Call"])
    assert (event["consent"], event["dial_status"]) == ("played", "ANSWER")
    left, right = asterisk.sides(event)
    assert left[CALLER_TONE] >= 0.5
    assert right[CALLEE_TONE] >= 0.5


@pytest.mark.parametrize("record", ["yes", "no"])
def test_without_announce_nobody_hears_a_notice(asterisk: Asterisk, prompt: Any, record: str) -> None:
    headers = fmc("internal", announce="no", record=record)
    caller = asterisk.peer.call("202", headers)
    callee = asterisk.peer.receive()
    callee.answer()
    caller.wait_response(200)
    talk(caller, callee)
    caller.hang_up()
    callee.wait_request("BYE")

    assert find_prompt(callee.voice.heard, prompt).share == find_prompt(caller.voice.heard, prompt).share == 0
    event = asterisk.event(headers["X-FMC-Call"])
    assert event["consent"] == "not_required"
    assert bool(event["recording"]) == (record == "yes")


@pytest.mark.parametrize("direction", ["outbound", "inbound"])
def test_a_notice_that_cannot_be_played_leaves_the_call_unrecorded(
    asterisk: Asterisk, direction: str
) -> None:
    sounds = asterisk.state / "asterisk" / "sounds"
    path = prompts.notice("ru", sounds)
    path.rename(sounds / "away.wav")
    try:
        headers = fmc(direction)
        caller = asterisk.peer.call(CLIENT, headers)
        callee = asterisk.peer.receive()
        callee.answer()
        caller.wait_response(200)
        talk(caller, callee)
        caller.hang_up()
        callee.wait_request("BYE")
    finally:
        (sounds / "away.wav").rename(path)

    event = asterisk.event(headers["X-FMC-Call"])
    assert (event["consent"], event["recording"]) == ("failed", "")
    assert not list((asterisk.state / "recordings").rglob(f"{event['call']}*"))


@pytest.mark.parametrize(("direction", "left"), [("outbound", 480), ("inbound", 200)])
def test_a_callee_who_leaves_during_the_notice_ends_the_call(
    asterisk: Asterisk, direction: str, left: int
) -> None:
    headers = fmc(direction)
    caller = asterisk.peer.call(CLIENT, headers)
    callee = asterisk.peer.receive()
    callee.answer()
    listener = callee if direction == "outbound" else caller
    listener.voice.wait_heard(lambda pcm: len(pcm) >= 8000)
    callee.hang_up()
    caller.wait_response(left)
    if left == 200:
        caller.wait_request("BYE")

    event = asterisk.event(headers["X-FMC-Call"])
    assert (event["consent"], event["recording"]) == ("failed", "")


@pytest.mark.parametrize("direction", ["outbound", "inbound"])
def test_a_caller_who_leaves_during_the_notice_ends_the_call(asterisk: Asterisk, direction: str) -> None:
    headers = fmc(direction)
    caller = asterisk.peer.call(CLIENT, headers)
    callee = asterisk.peer.receive()
    callee.answer()
    listener = callee if direction == "outbound" else caller
    listener.voice.wait_heard(lambda pcm: len(pcm) >= 8000)
    if direction == "outbound":
        caller.cancel()
        caller.wait_response(487)
    else:
        caller.wait_response(200)
        caller.hang_up()
    callee.wait_request("BYE")

    event = asterisk.event(headers["X-FMC-Call"])
    assert (event["consent"], event["recording"]) == ("failed", "")


@pytest.mark.parametrize(
    ("status", "dial_status"),
    [
        (403, "CHANUNAVAIL"),
        (404, "CHANUNAVAIL"),
        (408, "CHANUNAVAIL"),
        (480, "NOANSWER"),
        (484, "CHANUNAVAIL"),
        (486, "BUSY"),
        (500, "CHANUNAVAIL"),
        (503, "CONGESTION"),
        (603, "CHANUNAVAIL"),
    ],
)
def test_the_callees_refusal_reaches_the_caller(asterisk: Asterisk, status: int, dial_status: str) -> None:
    headers = fmc("inbound")
    caller = asterisk.peer.call("202", headers)
    callee = asterisk.peer.receive()
    callee.reply(180)
    callee.reply(status)
    caller.wait_response(status)

    event = asterisk.event(headers["X-FMC-Call"])
    assert (event["consent"], event["recording"], event["dial_status"]) == ("not_required", "", dial_status)


@pytest.mark.parametrize(
    ("direction", "user", "setting", "usual"),
    [("inbound", "202", "RING_SUBSCRIBER", 30), ("mobile_originated", CLIENT, "RING_OUTSIDE", 120)],
)
def test_no_answer_within_the_ring_time_is_480(
    asterisk: Asterisk, direction: str, user: str, setting: str, usual: int
) -> None:
    assert f"{setting}={usual}" in asterisk.command("dialplan show globals")
    asterisk.command(f"dialplan set global {setting} 1")
    try:
        headers = fmc(direction)
        caller = asterisk.peer.call(user, headers)
        callee = asterisk.peer.receive()
        callee.reply(180)
        caller.wait_response(480)
        callee.wait_request("CANCEL")
    finally:
        asterisk.command(f"dialplan set global {setting} {usual}")
    assert asterisk.event(headers["X-FMC-Call"])["dial_status"] == "NOANSWER"


def test_a_caller_who_gives_up_cancels_leg_2(asterisk: Asterisk) -> None:
    headers = fmc("outbound")
    caller = asterisk.peer.call(CLIENT, headers)
    callee = asterisk.peer.receive()
    callee.reply(180)
    caller.wait_response(180)
    caller.cancel()
    callee.wait_request("CANCEL")
    caller.wait_response(487)
    event = asterisk.event(headers["X-FMC-Call"])
    assert (event["consent"], event["recording"], event["dial_status"]) == ("not_required", "", "CANCEL")


def test_what_the_network_says_before_the_answer_reaches_the_caller(asterisk: Asterisk) -> None:
    caller = asterisk.peer.call(CLIENT, fmc("outbound"))
    callee = asterisk.peer.receive()
    callee.voice.talk(callee.invite.audio)
    callee.reply(183, callee.sdp())
    caller.wait_response(183)
    caller.voice.wait_heard(lambda pcm: tone_seconds(pcm, CALLEE_TONE) >= 0.3)
    caller.cancel()
    callee.wait_request("CANCEL")


def test_digits_pass_in_the_conversation(asterisk: Asterisk) -> None:
    caller = asterisk.peer.call(CLIENT, fmc("outbound", announce="no"))
    callee = asterisk.peer.receive()
    callee.answer()
    caller.wait_response(200)
    talk(caller, callee)
    caller.voice.press(5)
    assert callee.voice.digits.get(timeout=WAIT) == 5
    caller.hang_up()
    callee.wait_request("BYE")


def test_a_call_that_comes_twice_keeps_both_recordings(asterisk: Asterisk) -> None:
    headers = fmc("internal", announce="no")
    found = set()
    for _ in range(2):
        caller = asterisk.peer.call("202", headers)
        callee = asterisk.peer.receive()
        callee.answer()
        caller.wait_response(200)
        talk(caller, callee, 0.2)
        caller.hang_up()
        callee.wait_request("BYE")
        event = asterisk.event(headers["X-FMC-Call"])
        (asterisk.state / "media-spool" / f"{event['leg']}.json").unlink()
        found.add(event["recording"])
        assert asterisk.sides(event)[0][CALLER_TONE] >= 0.1
    assert len(found) == 2
    assert all(Path(name).name.startswith(headers["X-FMC-Call"]) for name in found)


@pytest.mark.parametrize("service", ["ivr:main", "queue:sales", "voicemail:201", "", 'x"$[1]${EDGE}'])
def test_an_unknown_service_is_refused(asterisk: Asterisk, service: str) -> None:
    headers = fmc("inbound", service=service)
    asterisk.peer.call("74951234567", headers).wait_response(501)
    assert asterisk.event(headers["X-FMC-Call"])["dial_status"] == ""


@pytest.mark.parametrize("call", ["", "../../../tmp/x", "0" * 36, str(uuid.uuid4()) + "/..", '"1" | "1'])
def test_what_is_no_uuid_never_becomes_a_file(asterisk: Asterisk, call: str) -> None:
    before = sorted(asterisk.state.rglob("*"))
    asterisk.peer.call(CLIENT, fmc("outbound", **{"X-FMC-Call": call})).wait_response(403)
    assert sorted(asterisk.state.rglob("*")) == before


@pytest.mark.parametrize(
    "sender", [f"<sip:{EMPLOYEE}@127.0.0.1>", f'"{EMPLOYEE} Buyer" <sip:{EMPLOYEE}@127.0.0.1>']
)
def test_privacy_is_kept_on_leg_2(asterisk: Asterisk, sender: str) -> None:
    """The number stands where the edge looks for it, and nowhere else."""
    caller = asterisk.peer.call(CLIENT, fmc("mobile_originated", Privacy="id"), sender)
    invite = asterisk.peer.receive().invite
    caller.cancel()
    caller.wait_response(487)
    assert invite.header("From").startswith('"Anonymous" <sip:anonymous@anonymous.invalid>')
    assert invite.user("P-Asserted-Identity") == EMPLOYEE
    assert invite.header("Privacy") == "id"
    others = {name: values for name, values in invite.headers.items() if name != "p-asserted-identity"}
    assert EMPLOYEE[-7:] not in f"{invite.start} {others} {invite.body}"
    assert "Buyer" not in f"{others} {invite.body}"


DIVERSIONS = (
    "<sip:+74951234567@127.0.0.1:5060>;reason=no-answer",
    "<sip:+74951234567@127.0.0.1:5060>;reason=no-answer;privacy=full, <sip:+74950000000@127.0.0.1>;reason=user-busy",
    ", ".join([f"<sip:{CLIENT}@127.0.0.1:5060>;reason=unconditional"] * 10),
)


@pytest.mark.parametrize("value", DIVERSIONS)
def test_who_diverted_is_told_to_leg_2(asterisk: Asterisk, value: str) -> None:
    caller = asterisk.peer.call("202", fmc("inbound", Diversion=value))
    invite = asterisk.peer.receive().invite
    caller.cancel()
    caller.wait_response(487)
    assert invite.headers["diversion"] == (value,)


def test_who_is_not_known_is_asserted_by_nobody(asterisk: Asterisk) -> None:
    headers = fmc("inbound")
    del headers["P-Asserted-Identity"]
    caller = asterisk.peer.call("202", headers, caller='"Anonymous" <sip:anonymous@anonymous.invalid>')
    invite = asterisk.peer.receive().invite
    caller.cancel()
    caller.wait_response(487)
    assert invite.user("From") == "anonymous"
    assert not invite.header("P-Asserted-Identity")


def test_the_answer_names_nobody_to_the_caller(asterisk: Asterisk) -> None:
    caller = asterisk.peer.call("202", fmc("internal", announce="no"))
    callee = asterisk.peer.receive()
    callee.answer()
    answer = caller.wait_response(200)
    caller.hang_up()
    callee.wait_request("BYE")
    assert not answer.header("P-Asserted-Identity")


@pytest.mark.parametrize("user", ["s", "h", "alice", "+7;x", "202&PJSIP", "+"])
def test_only_numbers_can_be_called(asterisk: Asterisk, user: str) -> None:
    asterisk.peer.call(user, fmc("outbound")).wait_response(404)


def options(source: Address, target: Address) -> Message:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.bind(source)
        asker.settimeout(WAIT)
        host, port = asker.getsockname()
        asker.sendto(
            (
                f"OPTIONS sip:{target[0]}:{target[1]} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK1\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:x@{host}>;tag=1\r\nTo: <sip:{target[0]}>\r\n"
                f"Call-ID: {host}-{port}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
            ).encode(),
            target,
        )
        answer = Message.parse(asker.recv(65535))
    assert answer
    return answer


def test_nobody_but_the_edge_is_served(asterisk: Asterisk) -> None:
    assert options(("127.0.0.1", 0), asterisk.address).status == 401
    assert options(("127.0.0.2", 0), asterisk.address).status == 403


def test_the_edges_ping_is_answered(asterisk: Asterisk) -> None:
    headers = {"Via": asterisk.peer.via(), "From": "<sip:edge@x>;tag=1", "To": "<sip:media@x>"}
    headers |= {"Call-ID": "ping", "CSeq": "1 OPTIONS", "Max-Forwards": "70"}
    asterisk.peer.send(f"OPTIONS sip:127.0.0.1:{asterisk.address[1]} SIP/2.0", headers)
    assert asterisk.peer.others.get(timeout=WAIT).status == 200


def test_nothing_listens_but_sip_and_rtp(asterisk: Asterisk) -> None:
    listening = subprocess.run(["ss", "-Hlntp"], check=True, capture_output=True, text=True).stdout
    assert f"pid={asterisk.process.pid}," not in listening


def test_a_media_server_that_is_stopped_reports_its_calls(tmp_path: Path) -> None:
    running = run_asterisk(tmp_path)
    asterisk = next(running)
    headers = fmc("internal", announce="no")
    caller = asterisk.peer.call("202", headers)
    callee = asterisk.peer.receive()
    callee.answer()
    caller.wait_response(200)
    talk(caller, callee)
    asterisk.process.send_signal(signal.SIGTERM)
    caller.wait_request("BYE")
    callee.wait_request("BYE")
    assert next(running, None) is None
    event = asterisk.event(headers["X-FMC-Call"])
    assert asterisk.sides(event)[0][CALLER_TONE] >= 0.5


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        taken = f"127.0.0.1:{holder.getsockname()[1]}"
        environment = os.environ | {"FMC_STATE": str(tmp_path), "FMC_MEDIA_LISTEN": taken}
        done = subprocess.run([str(START)], check=False, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"asterisk: cannot listen on {taken} (Address already in use): set FMC_MEDIA_LISTEN"
    ]
