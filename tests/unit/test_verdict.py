"""A verdict is worth something only if it says no: each thing that can go wrong, and the check that sees it."""

import copy
import struct
import wave
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sounds import silence, speech

from demo.audio import PCMA, RATE, Pcm, tone
from demo.capture import Wire
from demo.operators import WHOLESALE, tone_of
from demo.pcap import Packet
from demo.result import Result
from demo.scenarios import SCENARIOS, Scenario
from demo.verdict import Evidence, complete, judge

EDGE = ("127.0.0.1", 5060)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
CALL = BY_NAME["sim-calls-client"]
CALLER_TONE, FAR_TONE = CALL.caller.tone, tone_of("+79161234567")
NOTICE = speech(1)
CALLER_MEDIA, FAR_MEDIA, ASTERISK = ("127.0.60.1", 20000), ("127.0.0.1", 21000), ("127.0.0.1", 10000)

RECORD = {
    "id": "1", "tenant": "company", "direction": "mobile_originated", "status": "answered", "sip_status": 200,
    "calling": {
        "raw": "79990000201", "canonical": "+79990000201",
        "trail": [{"rule": "e164_bare", "before": "79990000201", "after": "+79990000201"}],
    },
    "called": {"raw": "89161234567", "canonical": "+79161234567", "trail": []},
    "answered_by": "+79161234567", "ingress_trunk": "mvno-main", "egress_trunk": "wholesale",
    "ended_at": "2026-01-01T00:00:00Z", "degraded": [], "consent": "played",
    "recordings": [{"path": "call.wav", "seconds": 2.0, "bytes": 64044}],
}  # fmt: skip


@dataclass
class Happened:
    """A call as it should be; tests spoil one thing of it."""

    far_from: str = "+74957654321"
    far_uri: str = "+79161234567"
    far_asserted: str = "+74957654321"
    extra: str = ""
    final: int = 200
    offered: tuple[str, int] = ASTERISK
    caller_hears: Pcm = field(default_factory=lambda: tone(FAR_TONE, 2.0))
    far_hears: Pcm = field(default_factory=lambda: NOTICE + tone(CALLER_TONE, 2.0))
    recorded: tuple[Pcm, ...] = field(default_factory=lambda: (tone(CALLER_TONE, 2.0), tone(FAR_TONE, 2.0)))
    record: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(RECORD))
    calls: int = 1


def sip(start: str, call: str, *headers: str, audio: tuple[str, int] | None = None) -> bytes:
    body = f"v=0\r\nc=IN IP4 {audio[0]}\r\nm=audio {audio[1]} RTP/AVP 8\r\n" if audio else ""
    return "\r\n".join([start, f"Call-ID: {call}", "CSeq: 1 INVITE", *headers, "", body]).encode()


def rtp(pcm: Pcm, target: tuple[str, int]) -> list[Packet]:
    return [
        Packet(
            2 + n / RATE, 17, ASTERISK, target,
            struct.pack(">BBHII", 0x80, 8, 0, n, 1) + PCMA.encode(pcm[n : n + 160]),
        )
        for n in range(0, len(pcm), 160)
    ]  # fmt: skip


def judged(happened: Happened, directory: Path) -> Result:
    invite = sip("INVITE sip:89161234567@127.0.0.1 SIP/2.0", "a", audio=CALLER_MEDIA)
    packets = [
        Packet(1.0, 17, CALL.caller.address, EDGE, invite),
        Packet(3.0, 17, EDGE, CALL.caller.address, sip(f"SIP/2.0 {happened.final} X", "a", audio=ASTERISK)),
    ]
    for number in range(happened.calls):
        far_invite = sip(
            f"INVITE sip:{happened.far_uri}@127.0.0.1:6062 SIP/2.0", f"b{number}",
            f"From: <sip:{happened.far_from}@127.0.0.1>", f"To: <sip:{happened.far_uri}@127.0.0.1>",
            f"P-Asserted-Identity: <sip:{happened.far_asserted}@127.0.0.1>", *filter(None, [happened.extra]),
            audio=happened.offered,
        )  # fmt: skip
        answer = sip("SIP/2.0 200 OK", f"b{number}", audio=FAR_MEDIA)
        packets += [Packet(1.1, 17, EDGE, WHOLESALE, far_invite), Packet(2.0, 17, WHOLESALE, EDGE, answer)]
    packets += rtp(happened.caller_hears, CALLER_MEDIA) + rtp(happened.far_hears, FAR_MEDIA)
    if happened.recorded:
        with wave.open(str(directory / "call.wav"), "wb") as file:
            file.setparams((len(happened.recorded), 2, RATE, 0, "NONE", ""))
            frames = zip(*happened.recorded, strict=True)
            file.writeframes(array("h", (sample for frame in frames for sample in frame)).tobytes())
    return judge(CALL, Evidence(Wire(packets), [happened.record], directory, NOTICE, EDGE))


def test_a_call_as_it_should_be_passes(tmp_path: Path) -> None:
    result = judged(Happened(), tmp_path)
    assert result.failures == []
    assert len(result.checks) > 25


def in_record(**changed: Any) -> Happened:
    return Happened(record={**copy.deepcopy(RECORD), **changed})


WRONG = {
    "the caller's number in another shape": (
        lambda: Happened(far_from="84957654321"), {"far side: From"},
    ),
    "the subscriber's own number shown outside": (
        lambda: Happened(far_from="+79990000201", far_asserted="+79990000201"),
        {"far side: From", "far side: P-Asserted-Identity"},
    ),
    "the called number as it was dialled": (
        lambda: Happened(far_uri="89161234567"), {"far side: called as", "far side: To"},
    ),
    "our headers told outside": (
        lambda: Happened(extra="X-FMC-Tenant: company"), {"far side: X-FMC headers"},
    ),
    "two calls sent out": (
        lambda: Happened(calls=2), {"calls that reach +79161234567 at port 6062"},
    ),
    "another answer to the caller": (
        lambda: Happened(final=503), {"the caller is told"},
    ),
    "no media server in between": (
        lambda: Happened(offered=CALLER_MEDIA), {"sound passes"},
    ),
    "no notice": (
        lambda: Happened(far_hears=tone(CALLER_TONE, 3.0)), {"far side: hears the notice"},
    ),
    "the notice cut short": (
        lambda: Happened(far_hears=NOTICE[: RATE * 3 // 2] + tone(CALLER_TONE, 2.0)),
        {"far side: hears the notice"},
    ),
    "the notice told to the wrong party too": (
        lambda: Happened(caller_hears=NOTICE + tone(FAR_TONE, 2.0)), {"caller: hears the notice"},
    ),
    "the caller hears nothing": (
        lambda: Happened(caller_hears=silence(3)), {f"caller: hears the other's {FAR_TONE} Hz"},
    ),
    "the far side gets no packet": (
        lambda: Happened(far_hears=silence(0)),
        {f"far side: hears the other's {CALLER_TONE} Hz", "far side: hears the notice"},
    ),
    "the caller hears itself": (
        lambda: Happened(caller_hears=tone(CALLER_TONE, 2.0)),
        {f"caller: hears the other's {FAR_TONE} Hz", f"caller: hears its own {CALLER_TONE} Hz"},
    ),
    "one side missing in the recording": (
        lambda: Happened(recorded=(tone(CALLER_TONE, 2.0), silence(2))),
        {f"recording: far side's {FAR_TONE} Hz"},
    ),
    "sides swapped in the recording": (
        lambda: Happened(recorded=(tone(FAR_TONE, 2.0), tone(CALLER_TONE, 2.0))),
        {f"recording: far side's {FAR_TONE} Hz", f"recording: caller's {CALLER_TONE} Hz"},
    ),
    "no file": (
        lambda: Happened(recorded=()), {"recording"},
    ),
    "no recording": (
        lambda: in_record(recordings=[]), {"record: recordings"},
    ),
    "a record of another call": (
        lambda: in_record(called={"raw": "1", "canonical": None, "trail": []}), {"call record"},
    ),
    "a wrong status": (
        lambda: in_record(status="missed", sip_status=487), {"record: status", "record: SIP status"},
    ),
    "a wrong trunk": (
        lambda: in_record(egress_trunk="legacy-landline"), {"record: egress trunk"},
    ),
    "a consent that was not given": (
        lambda: in_record(consent="failed"), {"record: consent"},
    ),
    "a degraded call": (
        lambda: in_record(degraded=["media_down"]), {"record: degraded"},
    ),
    "a caller read by another rule": (
        lambda: in_record(calling={**RECORD["calling"], "trail": [
            {"rule": "national", "before": "79990000201", "after": "+79990000201"},
        ]}),
        {"record: trail of calling"},
    ),
    "a trail that leads elsewhere": (
        lambda: in_record(calling={**RECORD["calling"], "canonical": "+79990000202"}),
        {"record: calling", "record: the trail ends at"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "seen_by"), WRONG.values(), ids=WRONG.keys())
def test_what_goes_wrong_is_seen(spoil: Callable[[], Happened], seen_by: set[str], tmp_path: Path) -> None:
    assert {check.name for check in judged(spoil(), tmp_path).failures} == seen_by


def evidence(*packets: Packet, records: tuple[dict[str, Any], ...] = ()) -> Evidence:
    return Evidence(Wire(packets), list(records), Path(), NOTICE, EDGE)


UNKNOWN = BY_NAME["unknown-source"]
SENT = Packet(1, 17, UNKNOWN.caller.address, EDGE, sip("INVITE sip:1@127.0.0.1 SIP/2.0", "u"))


def failures(scenario: Scenario, seen: Evidence) -> set[str]:
    return {check.name for check in judge(scenario, seen).failures}


def test_silence_is_silence() -> None:
    assert failures(UNKNOWN, evidence(SENT)) == set()


@pytest.mark.parametrize(
    ("packets", "seen_by"),
    [
        ([], "the call was sent"),
        (
            [SENT, Packet(2, 17, EDGE, UNKNOWN.caller.address, sip("SIP/2.0 403 Forbidden", "u"))],
            "packets sent back, of any kind",
        ),
        (
            [SENT, Packet(2, 1, ("127.0.0.1", 0), (UNKNOWN.caller.address[0], 0), b"\x03\x03")],
            "packets sent back, of any kind",
        ),
        (
            [SENT, Packet(2, 17, EDGE, WHOLESALE, sip("INVITE sip:1@127.0.0.1 SIP/2.0", "u"))],
            "messages sent on",
        ),
    ],
    ids=["not tried", "answered", "port closed", "sent on"],
)
def test_anything_else_is_not(packets: list[Packet], seen_by: str) -> None:
    assert failures(UNKNOWN, evidence(*packets)) == {seen_by}


def test_a_refused_call_that_is_sent_on_all_the_same_is_seen() -> None:
    refused = BY_NAME["not-allowed"]
    sent_on = Packet(2, 17, EDGE, WHOLESALE, sip("INVITE sip:+4930123456@127.0.0.1 SIP/2.0", "r"))
    assert "calls sent on" in failures(refused, evidence(sent_on))


def test_a_record_is_complete_when_it_has_ended_and_its_recording_is_there() -> None:
    assert complete(CALL, [RECORD])
    assert not complete(CALL, [])
    assert not complete(CALL, [{**RECORD, "ended_at": None}])
    assert not complete(CALL, [{**RECORD, "recordings": []}])
    assert complete(UNKNOWN, [])


def test_scenarios_can_be_told_apart() -> None:
    numbers = {(s.caller.writes, s.caller.to or s.caller.called) for s in SCENARIOS}
    assert len(numbers) == len({s.caller.address for s in SCENARIOS}) == len(BY_NAME) == len(SCENARIOS)
    for scenario in SCENARIOS:
        if scenario.far and scenario.answered:
            assert scenario.caller.tone != tone_of(scenario.far.number)


@pytest.mark.parametrize(
    ("at", "what", "seen"),
    [
        (
            "INVITE sip:84959876543@127.0.0.1 SIP/2.0",
            "Contact: <sip:+79990000201@127.0.60.12>",
            {"+79990000201"},
        ),
        ("BYE sip:84959876543@127.0.0.1 SIP/2.0", "P-Nobody-Knows: 1234567", {"+74951234567"}),
        ("SIP/2.0 200 OK", "X: 0000201, 1234567", {"+79990000201", "+74951234567"}),
        ("BYE sip:84959876543@127.0.0.1 SIP/2.0", "From: <sip:anonymous@anonymous.invalid>", set()),
    ],
)
def test_a_digit_of_a_hidden_number_is_seen(at: str, what: str, seen: set[str]) -> None:
    """In any message of the call, wherever it stands."""
    hidden = BY_NAME["hidden"]
    assert hidden.far
    invite = sip("INVITE sip:84959876543@127.0.0.1 SIP/2.0", "h", "From: <sip:anonymous@anonymous.invalid>")
    sent = [Packet(1, 17, EDGE, hidden.far.peer, one) for one in (invite, sip(at, "h", what))]
    found = {name for name in failures(hidden, evidence(*sent)) if "digits of" in name}
    assert found == {f"far side: digits of {number}" for number in seen}
