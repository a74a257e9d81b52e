"""The provisioning file (examples/company.yaml) as values. Keys of the file are fields here.

A Document is what a file says, what the database holds, and what `export` writes: one type for all three.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

import msgspec

from kemi.directory.formats import (
    E164,
    Address,
    AreaCode,
    Country,
    Date,
    Duration,
    Environment,
    Extension,
    Filled,
    Host,
    Hours,
    Https,
    InternationalPrefix,
    Key,
    Least,
    Name,
    Pattern,
    Place,
    Positive,
    Prefix,
    SipAddress,
    SipUri,
    Timezone,
    TrunkPrefix,
)
from kemi.numbering.model import Role, Shape
from kemi.routing.model import TrunkKind

Policy: TypeAlias = Literal["all", "inbound", "outbound", "none"]
IdentityHeader: TypeAlias = Literal[
    "P-Served-User", "P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "From"
]
AssertingHeader: TypeAlias = Literal["P-Asserted-Identity", "Remote-Party-ID", "P-Preferred-Identity"]
DivertingHeader: TypeAlias = Literal["Diversion", "History-Info"]
EgressHeader: TypeAlias = Literal["From", "To", "Request-URI", AssertingHeader, DivertingHeader]
EgressShape: TypeAlias = Literal[
    "e164", "e164_bare", "national_trunk", "national", "local", "international_prefix", "international_00"
]


class _Entry(msgspec.Struct, frozen=True):
    """A mapping of the file."""


class Rewrite(_Entry, frozen=True):
    """An oddity of a trunk, put right before any shape is tried; `{word}` stands for what is not literal."""

    name: Name
    match: Pattern
    replace: Pattern
    role: Role | None = None


class Ingress(_Entry, frozen=True):
    """The shapes a trunk really sends, in order, apart for calling and for called."""

    calling: Annotated[tuple[Shape, ...], Filled("name the shapes this trunk sends")] = ("e164",)
    called: Annotated[tuple[Shape, ...], Filled("name the shapes this trunk sends")] = ("e164",)
    rewrite: tuple[Rewrite, ...] = ()


class Egress(_Entry, frozen=True):
    """The shape towards a trunk, for every header that `headers` does not name, and what it is told.

    `privacy` None: `pass` where the trunk is trusted, else `drop`.
    """

    shape: EgressShape = "e164"
    headers: Mapping[EgressHeader, EgressShape] = {}
    privacy: Literal["pass", "drop"] | None = None
    identity: tuple[AssertingHeader, ...] = ("P-Asserted-Identity",)
    forwarded: Literal["own", "original"] = "own"
    diversion: tuple[DivertingHeader, ...] = ("Diversion",)


class Prefixes(_Entry, frozen=True):
    """What is dialled before a number where that differs from the country's plan."""

    trunk: TrunkPrefix | None = None
    international: tuple[InternationalPrefix, ...] = ()


class Limits(_Entry, frozen=True):
    """What a trunk carries at once and in a second."""

    channels: Positive | None = None
    calls_per_second: Positive | None = None


class Register(_Entry, frozen=True):
    """A registration at the operator's registrar; `expires` in seconds."""

    registrar: SipUri
    user: str
    password_env: Environment
    expires: Positive = 3600


class Trunk(_Entry, frozen=True):
    """A SIP peer. `identity` () and `trusted` None: as its kind says (kemi.directory.values)."""

    kind: TrunkKind
    peers: Annotated[tuple[SipAddress, ...], Filled("name where calls are sent, like sip:192.0.2.1:5060")]
    accept_from: Annotated[tuple[Address, ...], Filled("name the addresses its calls come from")]
    identity: tuple[IdentityHeader, ...] = ()
    trusted: bool | None = None
    called_from: Literal["Request-URI", "To", "P-Called-Party-ID"] = "Request-URI"
    ingress: Ingress = Ingress()
    egress: Egress = Egress()
    numbers: tuple[E164, ...] = ()
    country: Country = "RU"
    area_code: AreaCode | None = None
    prefixes: Prefixes | None = None
    on_media_down: Literal["breakout", "reject"] = "reject"
    limits: Limits = Limits()
    register: Register | None = None


class Route(_Entry, frozen=True):
    """Where canonical numbers with a prefix leave, the next trunk on failure."""

    prefix: Prefix
    trunks: Annotated[tuple[Name, ...], Filled("name the trunks that calls leave on")]


class Recording(_Entry, frozen=True):
    """What of a tenant's calls is recorded, who is told before, and how long it is kept."""

    policy: Policy = "none"
    announce: tuple[Literal["inbound", "outbound"], ...] = ()
    keep: Duration | None = None


class Outbound(_Entry, frozen=True):
    """What a tenant's subscribers may dial: no prefix allows nothing outside."""

    allow: tuple[Prefix, ...] = ()
    concurrent: Positive | None = None
    minutes_per_day: Positive | None = None


class Device(_Entry, frozen=True):
    """A subscriber's SIP device."""

    password_env: Environment


class Subscriber(_Entry, frozen=True):
    """A person of a tenant; the key is the extension. `recording` None: the tenant's policy."""

    name: str = ""
    msisdn: E164 | None = None
    crm_user: int | None = None
    ring: tuple[Literal["mobile", "device"], ...] = ("mobile",)
    answer_confirm: bool = False
    voicemail: bool = False
    recording: Policy | None = None
    caller_id: E164 | None = None
    clir: bool = False
    suspended: bool = False
    device: Device | None = None


class Did(_Entry, frozen=True):
    """What a call to a public number leads to; the key is the number."""

    trunk: Name
    to: Place
    crm_routing: Literal["responsible"] | None = None


class Timeout(_Entry, frozen=True):
    """Where a call goes when nothing was chosen for so many seconds."""

    seconds: Positive
    to: Place


class Ivr(_Entry, frozen=True):
    """A menu; `greeting` is the name of a prompt."""

    greeting: Name
    schedule: Name | None = None
    direct_dial: bool = False
    choices: Mapping[Key, Place] = {}
    timeout: Timeout | None = None


class Queue(_Entry, frozen=True):
    """A group of subscribers that take calls in turn; `max_wait` in seconds."""

    members: Annotated[tuple[Extension, ...], Filled("name the extensions that take its calls")]
    strategy: Literal["ring_all", "least_recent", "fewest_calls", "round_robin", "random", "linear"] = (
        "ring_all"
    )
    max_wait: Positive | None = None
    overflow: Place | None = None
    announce_position: bool = False


class Schedule(_Entry, frozen=True):
    """Opening hours and where calls go outside them."""

    timezone: Timezone
    open: tuple[Hours, ...]
    closed_dates: tuple[Date, ...] = ()
    closed_to: Place | None = None


class Bitrix24(_Entry, frozen=True, tag_field="kind", tag="bitrix24"):
    """A Bitrix24 portal that receives call records and recordings."""

    portal: Host
    credentials_env: Environment
    create_leads: bool = False


class Webhook(_Entry, frozen=True, tag_field="kind", tag="webhook"):
    """A web address that receives call records, signed with the secret."""

    url: Https
    secret_env: Environment


class Tenant(_Entry, frozen=True):
    """An organisation with all that is its own."""

    name: str = ""
    country: Country = "RU"
    area_code: AreaCode | None = None
    prefixes: Prefixes | None = None
    caller_id: E164 | None = None
    recording: Recording = Recording()
    outbound: Outbound = Outbound()
    subscribers: Mapping[Extension, Subscriber] = {}
    numbers: Mapping[E164, Did] = {}
    ivrs: Mapping[Name, Ivr] = {}
    queues: Mapping[Name, Queue] = {}
    schedules: Mapping[Name, Schedule] = {}
    destinations: Mapping[Name, Bitrix24 | Webhook] = {}


class Document(_Entry, frozen=True):
    """A whole edge, or the part of it that a file speaks of.

    `revision` is the directory's when the file was written: what was made for an older one is not applied.
    """

    revision: Annotated[int, Least(0)] | None = None
    trunks: Mapping[Name, Trunk] = {}
    routes: tuple[Route, ...] = ()
    media: tuple[SipAddress, ...] = ()
    tenants: Mapping[Name, Tenant] = {}
