"""Events of a call, from the moment they are spooled until they stand in its record.

Every event names its call (X-FMC-Call, a UUIDv7) and its leg. Applying an event twice, or late, gives the
same record: that is what makes a crash between spool and SQL harmless.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from kemi.numbering.model import Number, Step
from kemi.routing.model import Action, Direction


class Started(msgspec.Struct, frozen=True, tag="started"):
    """A leg was decided on. `source` is the ingress trunk or "media"; `egress` the first target's trunk.

    `leg` is an id of ours; `sip_call_id` is what stands on the wire. `identity` is what each header said,
    `calling_header` and `called_header` name those that were believed. `written` is what each trunk of the
    leg is sent: header, or "Request-URI", to whole value; `presented` how the numbers in it came to be.

    `at` is microseconds since the epoch (UTC), here and in every event. `status` is set when the leg was
    rejected: then no other event of this leg follows. `microseconds` is the time its handler took.
    """

    call: str
    leg: str
    at: int
    node: str
    source: str
    direction: Direction
    action: Action
    reason: str
    calling: Number
    called: Number
    tenant: str | None = None
    subscriber: str | None = None
    service: str | None = None
    record: bool = False
    announce: bool = False
    egress: str | None = None
    status: int | None = None
    identity: Mapping[str, Number] = {}
    calling_header: str | None = None
    called_header: str = ""
    written: Mapping[str, Mapping[str, str]] = {}
    presented: Mapping[str, Mapping[str, tuple[Step, ...]]] = {}
    degraded: tuple[str, ...] = ()
    sip_call_id: str = ""
    microseconds: int = 0


class Answered(msgspec.Struct, frozen=True, tag="answered"):
    """The leg was answered (2xx). `egress` is the trunk that took it, after any failover."""

    call: str
    leg: str
    at: int
    egress: str | None = None


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """An answered leg is over."""

    call: str
    leg: str
    at: int


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """A leg was never answered; `status` is the final SIP status sent to the caller (487: cancelled)."""

    call: str
    leg: str
    at: int
    status: int
    egress: str | None = None


class Connected(msgspec.Struct, frozen=True, tag="connected"):
    """A side said in a reply, an UPDATE or a re-INVITE who it is; `identity` is what each header said.

    `trunk` is the one that said it.
    """

    call: str
    leg: str
    at: int
    side: Literal["calling", "called"]
    identity: Mapping[str, Number]
    trunk: str | None = None


class Media(msgspec.Struct, frozen=True, tag="media"):
    """What a media server did for a call, written when its channel ends (`leg`: its unique id).

    `consent` is "played" only when the notice was played to its end. `recording` is a path below the
    recordings directory, `dial_status` Asterisk's DIALSTATUS of the last attempt.
    """

    call: str
    leg: str
    at: int
    server: str
    consent: Literal["played", "failed", "not_required"]
    recording: str | None = None
    dial_status: str | None = None


Event: TypeAlias = Started | Answered | Ended | Failed | Connected | Media

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Event).decode
