"""Values that routing takes and gives, and the directory it asks.

A Call is one initial INVITE as the edge received it; a Decision says what to do with it. Both are plain
values: the edge, `fmcctl explain`, replay and the tests build the one and read the other.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

import msgspec

from kemi.numbering.model import Number, Rewrite, Shape, Step

TrunkKind: TypeAlias = Literal["mvno", "carrier"]
Action: TypeAlias = Literal["media", "trunk", "device", "reject"]
Direction: TypeAlias = Literal[
    "mobile_originated",
    "mobile_terminated",
    "inbound",
    "outbound",
    "internal",
    "emergency",
    "unknown",
]

MEDIA = "media"
"""The source of a call that a media server sent; every other source is a trunk's name."""


class Egress(msgspec.Struct, frozen=True):
    """How numbers are written on a trunk: `shape` for every header unless `headers` names another.

    `privacy` "pass": the peer is in our trust domain (RFC 3325) and honours Privacy, so that it is told a
    number that others must not see; "drop": such a number never leaves. `identity` are the headers that
    assert the caller. `forwarded` says who calls where a call from outside leaves again: the original
    caller, named with who diverted it in the headers of `diversion`, or a number of our own.
    """

    shape: Shape = "e164"
    headers: Mapping[str, Shape] = {}
    privacy: Literal["pass", "drop"] = "drop"
    identity: tuple[str, ...] = ("P-Asserted-Identity",)
    forwarded: Literal["own", "original"] = "own"
    diversion: tuple[Literal["Diversion", "History-Info"], ...] = ("Diversion",)


class Prefixes(msgspec.Struct, frozen=True):
    """What a trunk or a tenant dials before a number where that differs from its country's plan."""

    trunk: str | None = None
    international: tuple[str, ...] = ()


class Trunk(msgspec.Struct, frozen=True):
    """A SIP peer: the mobile network where the SIMs are (mvno) or a public network (carrier).

    `country` and `area_code` complete what this operator shortens; for what a subscriber dials the
    tenant's come first. `trusted`: the peer is in our trust domain (RFC 3325), what it asserts is believed.
    `rewrites` are tried in order before any shape, each at most once.
    """

    name: str
    kind: TrunkKind
    peers: tuple[str, ...]
    accept_from: tuple[str, ...]
    identity: tuple[str, ...] = ("From",)
    trusted: bool = False
    called_from: Literal["Request-URI", "To", "P-Called-Party-ID"] = "Request-URI"
    calling: tuple[Shape, ...] = ("e164",)
    called: tuple[Shape, ...] = ("e164",)
    rewrites: tuple[Rewrite, ...] = ()
    egress: Egress = Egress()
    numbers: tuple[str, ...] = ()
    country: str = "RU"
    area_code: str | None = None
    prefixes: Prefixes | None = None
    on_media_down: Literal["breakout", "reject"] = "reject"


class Tenant(msgspec.Struct, frozen=True, omit_defaults=True):
    """An organisation. `country` names its dial plan; `area_code` completes local numbers."""

    name: str
    title: str = ""
    country: str = "RU"
    area_code: str | None = None
    prefixes: Prefixes | None = None
    caller_id: str | None = None
    recording: Literal["all", "inbound", "outbound", "none"] = "none"
    announce: tuple[Literal["inbound", "outbound"], ...] = ()
    outbound_allow: tuple[str, ...] = ()


class Device(msgspec.Struct, frozen=True):
    """A SIP device of a subscriber; its password stands in the environment variable named here."""

    password_env: str


class Subscriber(msgspec.Struct, frozen=True, omit_defaults=True):
    """A person of a tenant. `recording` None means the tenant's policy.

    `clir`: the number is withheld unless the call asks to show it (ETSI EN 300 089, permanent mode).
    `suspended`: its SIM can call for help, and nothing else.
    """

    tenant: str
    extension: str
    name: str = ""
    msisdn: str | None = None
    crm_user: int | None = None
    ring: tuple[Literal["mobile", "device"], ...] = ("mobile",)
    answer_confirm: bool = False
    voicemail: bool = False
    recording: Literal["all", "inbound", "outbound", "none"] | None = None
    caller_id: str | None = None
    clir: bool = False
    suspended: bool = False
    device: Device | None = None


class Did(msgspec.Struct, frozen=True, omit_defaults=True):
    """A public number of a tenant. `to` is `subscriber:EXT`, `ivr:NAME`, `queue:NAME` or `voicemail:EXT`."""

    number: str
    tenant: str
    trunk: str
    to: str
    crm_routing: Literal["responsible"] | None = None


class Route(msgspec.Struct, frozen=True):
    """Canonical numbers that begin with `prefix` leave on these trunks, the next one on failure."""

    prefix: str
    trunks: tuple[str, ...]


class Directory(Protocol):
    """What routing asks: implemented by the snapshot of a node and by a file in memory."""

    @property
    def revision(self) -> int: ...
    def trunk(self, name: str) -> Trunk | None: ...
    def trunks(self) -> Sequence[Trunk]:
        """All trunks, in the order of the file."""
        ...

    def routes(self) -> Sequence[Route]:
        """Longest prefix first, then the order of the file."""
        ...

    def tenant(self, name: str) -> Tenant | None: ...
    def subscriber(self, tenant: str, extension: str) -> Subscriber | None: ...
    def subscriber_by_msisdn(self, msisdn: str) -> Subscriber | None: ...
    def did(self, number: str) -> Did | None: ...


class Fmc(msgspec.Struct, frozen=True):
    """The X-FMC headers of a leg that a media server sent."""

    tenant: str
    direction: str
    subscriber: str | None = None
    service: str | None = None


class Call(msgspec.Struct, frozen=True):
    """One initial INVITE.

    `source` is the trunk whose address it came from, or MEDIA. `headers` holds the identity headers that
    were present, by their canonical name (kemi.identity.HEADERS), each with its whole value; a header that
    came several times has its values joined by ", " (RFC 3261 section 7.3.1). `media_up` is False when no
    media server answers: then `carried` holds what a trunk would be sent unread (Call-ID, Contact, body).
    """

    source: str
    ruri: str
    headers: Mapping[str, str]
    fmc: Fmc | None = None
    media_up: bool = True
    carried: str = ""


class Diverted(msgspec.Struct, frozen=True, gc=False):
    """Who was called before and diverted the call; `reason` and `counter` as RFC 5806 has them.

    `screened` is False where only a stranger says so.
    """

    number: Number
    reason: str = "unknown"
    private: bool = False
    counter: int = 1
    screened: bool = True


class Target(msgspec.Struct, frozen=True):
    """One place to try. `uri` is the Request-URI; `headers` maps header names to their whole value.

    Exactly one of `trunk` and `device` (an extension) is set, except towards media, where both are None.
    `masked`: the caller's Contact must not be seen there; `masks`: nor the called side's by the caller.
    `presented`: for each header with a number, and "Request-URI", the steps that led to what stands there.
    """

    uri: str
    headers: Mapping[str, str] = {}
    trunk: str | None = None
    device: str | None = None
    masked: bool = False
    masks: bool = False
    presented: Mapping[str, tuple[Step, ...]] = {}


class Why(msgspec.Struct, frozen=True, gc=False):
    """One step of a decision and its reason, for `explain` and the call record."""

    step: str
    why: str


class Decision(msgspec.Struct, frozen=True):
    """What to do with a call. On reject `status` is the SIP code and `targets` is empty.

    `subscriber` is the extension of the tenant's own party (the caller of a mobile-originated call, the
    callee of the others); `identity` holds every header that carried a number, and `calling_header` and
    `called_header` name those that were believed (None and "" where nothing was); `degraded` says which
    service the call goes without, and why.
    """

    action: Action
    direction: Direction
    reason: str
    calling: Number
    called: Number
    tenant: str | None = None
    subscriber: str | None = None
    status: int | None = None
    service: str | None = None
    record: bool = False
    announce: bool = False
    targets: tuple[Target, ...] = ()
    steps: tuple[Why, ...] = ()
    identity: Mapping[str, Number] = {}
    calling_header: str | None = None
    called_header: str = ""
    degraded: tuple[str, ...] = ()
