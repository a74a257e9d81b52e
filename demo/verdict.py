"""Judges a call by what arrived: at the far side, at the caller, in the record and in the recording."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.audio import Match, Pcm, find_prompt, read_wav, tone_seconds
from demo.capture import Seen, Wire
from demo.operators import tone_of
from demo.result import CallRecord, Result
from demo.scenarios import Far, Record, Scenario
from demo.sip import Address

LEAST_TONE = 1.0
"""Seconds for which a tone must be there: a conversation lasts 2.5 s and more."""
TELLING_DIGITS = 7
"""So many last digits of a number give it away."""
MOST_ECHO = 0.5
"""Seconds for which a party may seem to hear itself: a word of the notice may meet its frequency."""


@dataclass(frozen=True)
class Evidence:
    """All that was collected while the calls ran."""

    wire: Wire
    records: list[CallRecord]
    recordings: Path
    notice: Pcm
    edge: Address


def digits(text: str) -> str:
    """Give the last ten digits: what a number has in common in every shape."""
    return "".join(filter(str.isdigit, text))[-10:]


def judge(scenario: Scenario, evidence: Evidence) -> Result:
    """Look at everything the scenario speaks of."""
    result = Result(scenario)
    if scenario.final is None:
        _silence(result, evidence)
        return result
    told = _caller_told(result, evidence)
    leg = _far_leg(result, scenario.far, evidence.wire) if scenario.far else None
    if scenario.far is None:
        _nobody_rang(result, evidence.wire)
    elif leg:
        _far_side(result, scenario.far, leg)
        _hidden(result, scenario.far, leg, evidence.wire)
        if scenario.answered and told:
            _sound(result, scenario.far, _Sides.of(scenario, leg, told, evidence), evidence)
    _call_record(result, evidence)
    return result


def _silence(result: Result, evidence: Evidence) -> None:
    host = result.scenario.caller.address[0]
    sent = [seen for seen in evidence.wire.sip if seen.source[0] == host]
    result.within("the call was sent", "an INVITE", f"{len(sent)} messages", ok=bool(sent))
    result.equal("packets sent back, of any kind", 0, evidence.wire.packets_to(host))
    calls = {seen.message.call_id for seen in sent}
    leaked = [
        seen
        for seen in evidence.wire.sip
        if seen.source == evidence.edge and seen.target[0] != host and seen.message.call_id in calls
    ]
    result.equal("messages sent on", 0, len(leaked))
    result.equal("call records", None, _find_record(result.scenario, evidence.records))
    result.arrived.append("nothing")
    result.heard.append("not one packet in answer")
    result.kept.append("nothing")


def _caller_told(result: Result, evidence: Evidence) -> Seen | None:
    """Check the final status the caller got; give that response."""
    finals = [
        seen
        for seen in evidence.wire.sip
        if seen.target == result.scenario.caller.address
        and seen.message.method == "INVITE"
        and (seen.message.status or 0) >= 200
    ]
    statuses = sorted({seen.message.status for seen in finals if seen.message.status})
    result.equal("the caller is told", [result.scenario.final], statuses)
    return finals[0] if finals else None


def _far_leg(result: Result, far: Far, wire: Wire) -> Seen | None:
    """Find the INVITE that reached the far side for this call; retransmissions are the same one."""
    legs = {seen.message.call_id: seen for seen in reversed(list(wire.received(far.peer, "INVITE")))}
    to_this = [seen for seen in legs.values() if digits(seen.message.user("")) == digits(far.number)]
    # Several callers may ring one handset: the one who is shown tells them apart.
    mine = [seen for seen in to_this if digits(seen.message.user("From")) == digits(far.caller)]
    found = mine or (to_this if len(to_this) == 1 else [])
    result.equal(f"calls that reach {far.number} at port {far.peer[1]}", 1, len(mine or to_this))
    return found[0] if found else None


def _nobody_rang(result: Result, wire: Wire) -> None:
    wanted = digits(result.scenario.caller.called)
    caller = result.scenario.caller.address
    rang = [
        seen
        for seen in wire.sip
        if seen.message.start.startswith("INVITE ")
        and seen.source != caller
        and digits(seen.message.user("")) == wanted
    ]
    result.equal("calls sent on", 0, len(rang))


def _far_side(result: Result, far: Far, leg: Seen) -> None:
    message = leg.message
    result.equal("far side: called as", far.called, message.user(""))
    result.equal("far side: To", far.called, message.user("To"))
    result.equal("far side: From", far.caller, message.user("From"))
    result.equal("far side: P-Asserted-Identity", far.asserted, message.user("P-Asserted-Identity"))
    told = sorted(name for name in message.headers if name.startswith("x-fmc-"))
    result.equal("far side: X-FMC headers", [], told)
    if far.peer[1] == 6060:
        result.equal("far side: Loop-Guard", "fmc-edge", message.header("Loop-Guard"))
    result.arrived.append(f"{message.user('From') or 'nobody'} → {message.user('')}")


def _hidden(result: Result, far: Far, leg: Seen, wire: Wire) -> None:
    """Look for digits of a withheld number in every byte that the far side was sent of this call."""
    sent = [seen.payload for seen in wire.dialog(leg.message.call_id) if seen.target == far.peer]
    for number in far.hidden:
        showing = [payload for payload in sent if number[-TELLING_DIGITS:].encode() in payload]
        result.within(
            f"far side: digits of {number}", "in none of its messages",
            f"in {len(showing)} of {len(sent)}", ok=bool(sent) and not showing,
        )  # fmt: skip


@dataclass(frozen=True)
class _Sides:
    """What each side heard, and where sound came from."""

    far: Pcm
    caller: Pcm
    offered_to_far: Address | None
    caller_media: Address | None

    @classmethod
    def of(cls, scenario: Scenario, leg: Seen, told: Seen, evidence: Evidence) -> "_Sides":
        """Follow the SDP of each side: where it asked to be sent sound, and what arrived there."""
        wire, far = evidence.wire, scenario.far
        answers = [
            seen.message.audio
            for seen in wire.dialog(leg.message.call_id)
            if far and seen.source == far.peer and seen.message.status == 200 and seen.message.audio
        ]
        offers = [
            seen.message.audio
            for seen in wire.dialog(told.message.call_id)
            if seen.source == scenario.caller.address and seen.message.audio
        ]
        return cls(
            far=wire.heard(answers[0]) if answers and answers[0] else wire.heard(("", 0)),
            caller=wire.heard(offers[0]) if offers and offers[0] else wire.heard(("", 0)),
            offered_to_far=leg.message.audio,
            caller_media=offers[0] if offers else None,
        )


def _sound(result: Result, far: Far, sides: _Sides, evidence: Evidence) -> None:
    scenario = result.scenario
    way = "directly" if sides.offered_to_far == sides.caller_media else "through a media server"
    result.equal("sound passes", "directly" if far.direct else "through a media server", way)
    far_tone, caller_tone = tone_of(far.number), scenario.caller.tone
    hearing = (
        ("far side", sides.far, caller_tone, far_tone, far.hears_notice),
        ("caller", sides.caller, far_tone, caller_tone, scenario.hears_notice),
    )
    heard = []
    for who, pcm, other, own, notice in hearing:
        other_seconds, own_seconds = tone_seconds(pcm, other), tone_seconds(pcm, own)
        heard.append(other_seconds)
        result.within(
            f"{who}: hears the other's {other} Hz", f"at least {LEAST_TONE} s", f"{other_seconds:.2f} s",
            ok=other_seconds >= LEAST_TONE,
        )  # fmt: skip
        result.within(
            f"{who}: hears its own {own} Hz", "no", f"{own_seconds:.2f} s", ok=own_seconds <= MOST_ECHO
        )
        _notice(result, who, find_prompt(pcm, evidence.notice), expected=notice)
    result.heard.append(f"tones {heard[0]:.1f} s, {heard[1]:.1f} s")


def _notice(result: Result, who: str, match: Match, *, expected: bool) -> None:
    seen = f"{match.share:.0%} of its sound in place"
    wanted = "to its end" if expected else "no"
    ok = match.heard if expected else match.share < 0.1
    result.within(f"{who}: hears the notice", wanted, seen, ok=ok)
    if expected and match.heard:
        result.heard.append(f"{who}: notice")


def _find_record(scenario: Scenario, records: list[CallRecord]) -> CallRecord | None:
    """Find the call's record by the numbers as the caller wrote them: they are unique in the demo."""
    caller = scenario.caller
    for record in records:
        calling, called = record["calling"] or {}, record["called"] or {}
        if calling.get("raw") == caller.writes and called.get("raw") == (caller.to or caller.called):
            return record
    return None


def complete(scenario: Scenario, records: list[CallRecord]) -> bool:
    """Whether the record says all it is going to say."""
    if scenario.record is None:
        return True
    record = _find_record(scenario, records)
    if record is None or record["status"] is None or record["ended_at"] is None:
        return False
    return bool(record["recordings"]) or not scenario.record.recorded


def _call_record(result: Result, evidence: Evidence) -> None:
    expected = result.scenario.record
    if expected is None:
        return
    record = result.record = _find_record(result.scenario, evidence.records)
    if record is None:
        result.equal("call record", "there", "missing")
        return
    result.kept.append(f"{record['status']} {record['sip_status']}")
    for name, wanted, seen in _fields(expected, record, answered=result.scenario.answered):
        result.equal(f"record: {name}", wanted, seen)
    if expected.trail:
        _trail(result, expected, record["calling"])
    _recording(result, record, evidence)


def _fields(expected: Record, record: CallRecord, *, answered: bool) -> Iterator[tuple[str, object, object]]:
    yield "tenant", "company", record["tenant"]
    yield "direction", expected.direction, record["direction"]
    yield "calling", expected.calling, _value(record["calling"])
    yield "called", expected.called, _value(record["called"])
    yield "status", expected.status, record["status"]
    yield "SIP status", expected.sip_status, record["sip_status"]
    yield "ingress trunk", expected.ingress, record["ingress_trunk"]
    yield "egress trunk", expected.egress, record["egress_trunk"]
    yield "degraded", [], record["degraded"]
    if answered:
        yield "answered by", expected.answered_by, record["answered_by"]
        yield "consent", expected.consent, record["consent"]
    yield "recordings", int(expected.recorded), len(record["recordings"])


def _value(number: Mapping[str, Any] | None) -> str | None:
    """Give a number's canonical form, or what was dialled where it has none."""
    return (number["canonical"] or number["raw"]) if number else None


def _trail(result: Result, expected: Record, number: Mapping[str, Any]) -> None:
    steps = number["trail"]
    rules = [step["rule"] for step in steps]
    result.within(
        "record: trail of calling", " → ".join(expected.trail), " → ".join(rules),
        ok=all(any(rule in seen for seen in rules) for rule in expected.trail),
    )  # fmt: skip
    chain = [number["raw"], *(step["after"] for step in steps)]
    result.equal("record: the trail ends at", number["canonical"], chain[-1])
    result.kept.append(" → ".join(dict.fromkeys(chain)))


def _recording(result: Result, record: CallRecord, evidence: Evidence) -> None:
    far = result.scenario.far
    if not record["recordings"] or far is None:
        return
    path = evidence.recordings / record["recordings"][0]["path"]
    try:
        channels = read_wav(path)
    except (OSError, EOFError, ValueError) as error:
        result.equal("recording", "readable", error)
        return
    result.equal("recording: channels", 2, len(channels))
    parties = (("caller", result.scenario.caller.tone), ("far side", tone_of(far.number)))
    for (who, tone), channel in zip(parties, channels, strict=False):
        seconds = tone_seconds(channel, tone)
        result.within(
            f"recording: {who}'s {tone} Hz", f"at least {LEAST_TONE} s", f"{seconds:.2f} s",
            ok=seconds >= LEAST_TONE,
        )  # fmt: skip
    length = len(channels[0]) / 8000
    said = record["recordings"][0]["seconds"]
    result.within("recording: length told", f"{length:.2f} s", f"{said} s", ok=abs(length - said) < 0.1)
    result.kept.append(f"{length:.1f} s recorded")
