"""The record of a call, made from what is known of its legs. Pure.

Words used here: the *ingress* leg is the one a trunk sent; a *far* leg is one that went to the other party,
either sent back by a media server or, for a call without media, the ingress leg itself.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

import msgspec

from kemi.calls.events import Media, Started
from kemi.calls.legs import Facts, Leg
from kemi.numbering.model import Number, Step
from kemi.routing.model import MEDIA, Direction

Status: TypeAlias = Literal["answered", "missed", "busy", "failed", "rejected"]
Consent: TypeAlias = Literal["played", "failed", "not_required"]

OUTGOING = frozenset({"mobile_originated", "outbound", "emergency"})
"""Directions in which the other party is outside; in the others it is the tenant's own subscriber."""

# RFC 3261 section 21. 603 is a person's refusal, as 600 is: the other side was reached and did not want.
BUSY = frozenset({486, 600, 603})
# Nobody answered (480, 408), or the caller gave up first (487).
MISSED = frozenset({408, 480, 487})

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Recording(msgspec.Struct, frozen=True):
    """A recording that was found; `path` is below the recordings directory."""

    path: str
    seconds: float
    bytes: int


class Sent(msgspec.Struct, frozen=True):
    """A header as it left: its whole value, and by which steps each number in it came to be what it is."""

    value: str
    trail: tuple[Step, ...] = ()


class CallRecord(msgspec.Struct, frozen=True):
    """One physical call (contracts.md, `fmcctl calls list|show`).

    `ended_at` is None while the call goes on; `status` until its outcome is known; `calling` and `called`
    until the start of a leg is known, and `status` with them. `duration` and `talk` are seconds. `consent`
    is None as long as a notice was due and no media server has said what became of it. `identity` is what
    each header of the first leg said, and what each side said of itself later; `egress` what the trunk that
    took the call was sent, or the last one that was tried: header, or "Request-URI", to what it was.
    """

    id: str
    tenant: str | None
    direction: Direction
    calling: Number | None
    called: Number | None
    answered_by: str | None
    ingress_trunk: str | None
    egress_trunk: str | None
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    duration: float | None
    talk: float | None
    status: Status | None
    sip_status: int | None
    consent: Consent | None
    degraded: tuple[str, ...]
    recordings: tuple[Recording, ...]
    identity: Mapping[str, Number]
    egress: Mapping[str, Sent]


def moment(at: int) -> datetime:
    """Microseconds since the epoch as a point of time; exact, unlike datetime.fromtimestamp."""
    return EPOCH + timedelta(microseconds=at)


def microseconds(when: datetime) -> int:
    """Undo `moment`."""
    return (when - EPOCH) // MICROSECOND


def record(
    call: str, facts: Facts, recordings: Iterable[Recording] = (), *, overdue: bool = False
) -> CallRecord:
    """Make the record of `call`; needs at least one event.

    `overdue` says that what a media server still owes (see `owed`) will not come any more.
    """
    view = _View(facts)
    found = tuple(sorted(recordings, key=lambda recording: recording.path))
    started_at, answered_at, ended_at = view.started_at, view.answered_at, view.ended_at
    status, sip_status = view.outcome()
    talk_from = answered_at if status == "answered" else ended_at
    start = view.start
    return CallRecord(
        id=call,
        tenant=start.tenant if start else None,
        direction=start.direction if start else "unknown",
        calling=start.calling if start else None,
        called=start.called if start else None,
        answered_by=view.answered_by(),
        ingress_trunk=view.ingress.started.source if view.ingress and view.ingress.started else None,
        egress_trunk=view.egress_trunk(),
        started_at=moment(started_at),
        answered_at=None if answered_at is None else moment(answered_at),
        ended_at=None if ended_at is None else moment(ended_at),
        duration=_seconds(started_at, ended_at),
        talk=_seconds(talk_from, ended_at),
        status=status,
        sip_status=sip_status,
        consent=view.consent(),
        degraded=view.degraded(owed(facts, found) if overdue else ()),
        recordings=found,
        identity=view.identity(),
        egress=view.egress(),
    )


def owed(facts: Facts, recordings: Collection[Recording] = ()) -> tuple[str, ...]:
    """Name what a media server should have left of an ended call and has not.

    media_event_missing: the call was at a media server, which said nothing of it. recording_missing: there
    was a conversation to record, and there is no recording.
    """
    view = _View(facts)
    if view.ended_at is None or view.start is None or not view.first or not view.first.was_answered:
        return ()
    missing = []
    if view.start.action == "media" and not facts.media:
        missing.append("media_event_missing")
    named = any(fact.recording for fact in facts.media.values())
    # Without the notice that was due a media server rightly records nothing.
    wanted = view.start.record and view.talker and view.consent() != "failed"
    if (named or wanted) and not recordings:
        missing.append("recording_missing")
    return tuple(missing)


def _seconds(begin: int | None, end: int | None) -> float | None:
    if begin is None or end is None:
        return None
    # The node's clock may have been set back during the call.
    return round(max(0, end - begin) / 1e6, 3)


def _action(leg: Leg) -> str | None:
    return leg.started.action if leg.started else None


def _by_start(item: tuple[str, Leg]) -> tuple[int, str]:
    name, leg = item
    return leg.first_at, name


class _View:
    """The parts that the legs of a call play."""

    def __init__(self, facts: Facts) -> None:
        self.media: list[Media] = [facts.media[name] for name in sorted(facts.media)]
        legs = [leg for _, leg in sorted(facts.legs.items(), key=_by_start)]
        self.legs = legs
        from_trunk = [leg for leg in legs if leg.started and leg.started.source != MEDIA]
        from_media = [leg for leg in legs if leg.started and leg.started.source == MEDIA]
        self.ingress = from_trunk[0] if from_trunk else None
        self.far = from_media + [leg for leg in from_trunk if _action(leg) in {"trunk", "device"}]
        self.first: Leg | None = self.ingress or next(iter(from_media or legs), None)
        """The leg that is as long as the call: the ingress leg, or what comes nearest to it."""
        answered = [leg for leg in self.far if leg.was_answered]
        answered.sort(key=lambda leg: leg.answered.at if leg.answered else leg.first_at)
        self.talker = answered[-1] if answered else None
        """The far leg that talked; after a transfer the one that talked last."""
        times = [leg.answered.at for leg in answered if leg.answered]
        self.answered_at = min(times) if times else None

    @property
    def start(self) -> Started | None:
        return self.first.started if self.first else None

    @property
    def started_at(self) -> int:
        if self.first:
            return self.first.first_at
        return min(fact.at for fact in self.media)

    @property
    def ended_at(self) -> int | None:
        over = self.first.over_at if self.first else None
        if over is None and self.media:
            # The events of the leg's end are lost or late; its channel at the media server has ended.
            return max(fact.at for fact in self.media)
        return over

    def outcome(self) -> tuple[Status | None, int | None]:
        if self.start is None:
            return None, None
        if self.talker:
            return "answered", 200
        if self.start.status is not None and self.ingress:
            return "rejected", self.start.status
        if self.ended_at is None:
            return None, None
        for leg in reversed(self.far):
            if leg.failed:
                return _verdict(leg.failed.status), leg.failed.status
            if leg.started and leg.started.status is not None:
                return "rejected", leg.started.status
        if self.first and self.first.failed and not self.first.was_answered:
            return _verdict(self.first.failed.status), self.first.failed.status
        # A media server took the call, and the caller left before anybody else did.
        return "missed", None

    def _last_far(self) -> Leg | None:
        return self.talker or (self.far[-1] if self.far else None)

    def egress_trunk(self) -> str | None:
        leg = self._last_far()
        if leg is None:
            return None
        if leg.answered and leg.answered.egress:
            return leg.answered.egress
        if leg.failed and leg.failed.egress:
            return leg.failed.egress
        return leg.started.egress if leg.started else None

    def egress(self) -> dict[str, Sent]:
        leg, trunk = self._last_far(), self.egress_trunk()
        if leg is None or leg.started is None or trunk is None:
            return {}
        trails = leg.started.presented.get(trunk, {})
        written = leg.started.written.get(trunk, {})
        return {header: Sent(value, trails.get(header, ())) for header, value in written.items()}

    def answered_by(self) -> str | None:
        leg = self.talker
        if leg is None or leg.started is None or self.start is None:
            return None
        started = leg.started
        if started.direction in OUTGOING:
            return self.start.called.value
        # What was rung says more than whom the call was for: a queue rings several.
        if started.called.kind == "extension":
            return started.called.value
        return started.subscriber or started.called.value

    def identity(self) -> dict[str, Number]:
        """What each header said when the call came, then what each side said on the way back and later."""
        found = dict(self.start.identity) if self.start else {}
        for leg in self.legs:
            for side, said in sorted(leg.connected.items()):
                found |= {f"{header} ({side} side)": number for header, number in said.identity.items()}
        return found

    def consent(self) -> Consent | None:
        said = {fact.consent for fact in self.media}
        for answer in ("failed", "played", "not_required"):
            if answer in said:
                return answer
        return "not_required" if self.start and not self.start.announce else None

    def degraded(self, missing: tuple[str, ...]) -> tuple[str, ...]:
        reasons = [reason for leg in self.legs if leg.started for reason in leg.started.degraded]
        if self.consent() == "failed" and self.talker and self.first and self.first.was_answered:
            reasons.append("announcement_failed")
        return tuple(dict.fromkeys((*reasons, *missing)))


def _verdict(status: int) -> Status:
    if status in BUSY:
        return "busy"
    return "missed" if status in MISSED else "failed"
