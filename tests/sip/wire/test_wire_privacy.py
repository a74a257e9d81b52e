"""A caller who is not to be seen: no trunk outside the trust domain is sent a digit of it, in any byte of a call."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import pytest
from edge import Edge
from onwire import (
    ANONYMOUS,
    LANDLINE,
    MEDIA,
    MVNO,
    SIM,
    WHOLESALE,
    Address,
    Callee,
    Caller,
    Heard,
    OnWire,
    leg_2,
    media,
    named,
    shows,
    sim,
)
from party import HOST

from demo.sip import Message
from kemi.calls.events import Started

pytestmark = pytest.mark.system

COMPANY, SPARE = "+74951234567", "+74957654321"
"""What landline and wholesale own: the caller who is withheld shows neither of them."""
CLIENT = "+79167778899"

# -- the matrix ------------------------------------------------------------------------------------------

SENDERS = {
    "From": f'"{SIM}" <sip:{SIM[1:]}@ims.example;user=phone>',
    "anonymous From": '"Anonymous" <sip:anonymous@anonymous.invalid>',
}
WISHES = (None, "none", "id", "header", "user", "user;id;critical")
HIDE = WISHES[2:]
TRUNKS: Mapping[str, tuple[Address, str, str]] = {
    "drop": (LANDLINE, "84951112233", "84951112233"),
    "pass": (WHOLESALE, "89161112233", "+79161112233"),
}
"""By what becomes of a withheld number: the trunk, what is dialled, how it is called there."""


@dataclass(frozen=True)
class Case:
    """Who calls, in which headers, with which wish, and on which kind of trunk the call leaves."""

    sender: str
    asserted: bool
    wish: str | None
    privacy: str

    @property
    def private(self) -> bool:
        return self.sender == "anonymous From" or self.wish in HIDE

    def __str__(self) -> str:
        return f"{self.privacy}: {self.sender}{' + PAI' if self.asserted else ''}, Privacy {self.wish or '-'}"

    def caller(self) -> Caller:
        headers = [f"P-Asserted-Identity: <sip:{SIM}@ims.example>"] if self.asserted else []
        headers += [f"Privacy: {self.wish}"] if self.wish else []
        return Caller(MVNO[0], TRUNKS[self.privacy][1], SENDERS[self.sender], headers)


CASES = [
    Case(sender, asserted, wish, privacy)
    for privacy, sender, asserted, wish in product(TRUNKS, SENDERS, (True, False), WISHES)
    # An anonymous From alone says nothing of who calls: see test_who_is_not_told_at_all.
    if asserted or sender == "From"
]


@dataclass(frozen=True)
class Seen:
    """What the trunk was sent; what a media server was told before, if there was one; who calls on record."""

    trunk: Heard
    media: Message | None
    record: str | None


def on_record(edge: Edge, call_id: str) -> str | None:
    """Who calls; decided anew, and so told twice, where no media server took the call."""
    (canonical,) = {one.calling.canonical for one in edge.events(call_id) if isinstance(one, Started)}
    return canonical


@pytest.fixture(scope="module")
def around_media(edge: Edge, parties: OnWire) -> dict[Case, Seen]:
    """All calls without a media server."""
    media(edge, up=False)
    seen = {}
    for privacy, (trunk, _, _) in TRUNKS.items():
        cases = [case for case in CASES if case.privacy == privacy]
        for case, heard in zip(
            cases, parties.calls([one.caller() for one in cases], Callee(trunk)), strict=True
        ):
            seen[case] = Seen(heard, None, on_record(edge, heard.call_id))
    return seen


@pytest.fixture(scope="module")
def through_media(edge: Edge, parties: OnWire) -> dict[Case, Seen]:
    """All calls through one: leg 1 of each, then every leg 2 that differs from the others."""
    media(edge, up=True)
    legs_1 = parties.calls([case.caller() for case in CASES], Callee(MEDIA))
    told = {
        case: (heard.request(MEDIA), on_record(edge, heard.call_id))
        for case, heard in zip(CASES, legs_1, strict=True)
    }
    seen = {}
    for privacy, (trunk, _, _) in TRUNKS.items():
        second = {
            tuple(named(told[case][0]).items()): leg_2(told[case][0])
            for case in CASES
            if case.privacy == privacy
        }
        heard = dict(zip(second, parties.calls([*second.values()], Callee(trunk)), strict=True))
        for case in (one for one in CASES if one.privacy == privacy):
            leg_1, record = told[case]
            seen[case] = Seen(heard[tuple(named(leg_1).items())], leg_1, record)
    return seen


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("media", ["through_media", "around_media"])
def test_what_a_trunk_is_told(request: pytest.FixtureRequest, media: str, case: Case) -> None:
    seen: Seen = request.getfixturevalue(media)[case]
    trunk, _, called = TRUNKS[case.privacy]
    presented = {"drop": "84951234567", "pass": SPARE}[case.privacy]
    invite = seen.trunk.request(trunk)
    assert (invite.user(""), invite.user("To")) == (called, called)
    sender = invite.header("From").partition(";tag=")[0]
    if case.private:
        assert sender == ANONYMOUS
    else:
        assert sender == f"<sip:{presented}@{HOST}>"
    asserted = {"p-asserted-identity": f"<sip:{presented}@{HOST}>"}
    if not case.private:
        assert named(invite) == asserted
    elif case.privacy == "pass":
        assert named(invite) == asserted | {"privacy": "id"}
    else:
        assert named(invite) == {}
    # The whole of every datagram of the call: INVITE, ACK, BYE, the replies to what the trunk asks.
    to_trunk = seen.trunk.at(trunk)
    assert {one.message.method for one in to_trunk} >= {"INVITE", "ACK", "BYE"}
    assert shows(to_trunk, SIM) == []
    if case.private and case.privacy == "drop":
        assert shows(to_trunk, COMPANY) == []
    if case.private and case.privacy == "pass":
        (told,) = shows(to_trunk, SPARE)
        assert [line.partition(":")[0] for line in told.splitlines() if SPARE[-7:] in line] == [
            "P-Asserted-Identity"
        ]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_media_and_the_record_are_told(through_media: dict[Case, Seen], case: Case) -> None:
    """Inside the trust domain the number stays, and with it the wish."""
    seen = through_media[case]
    assert seen.media
    wish = {"privacy": "id"} if case.private else {}
    assert named(seen.media) == {"p-asserted-identity": f"<sip:{SIM}@{HOST}>"} | wish
    assert seen.record == SIM


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_record_without_media(around_media: dict[Case, Seen], case: Case) -> None:
    assert around_media[case].record == SIM


def test_who_is_not_told_at_all(wire: OnWire) -> None:
    """Nobody's SIM: refused, and sent nowhere."""
    heard = wire.call(Caller(MVNO[0], "84951112233", ANONYMOUS, ["Privacy: id"]))
    assert [one.status for one in heard.replies(heard.caller)] == [403]
    assert {one.target for one in heard.datagrams} == {heard.caller, (HOST[:9], 5060)}


# -- what passes unread without a media server -------------------------------------------------------------

HOME = f"sip:{SIM}@{MVNO[0]}:7050;ob"


def withheld(called: str, **more: str) -> Caller:
    caller = sim(called)
    return replace(caller, headers=[*caller.headers, "Privacy: id"], **more)


@pytest.mark.parametrize("ends", ["caller", "callee"])
def test_a_contact_with_the_number_is_masked_and_still_reached(no_media: OnWire, ends: str) -> None:
    """The trunk's UPDATE, re-INVITE and BYE go to the Contact that it never saw."""
    asserts = [f"P-Asserted-Identity: <sip:{SIM}@ims.example>", "Privacy: id"]
    caller = withheld("84951112233", contact=f"<{HOME}>", port=7050, later=asserts)
    heard = no_media.call(caller, Callee(LANDLINE), talks=True, ends=ends)
    to_trunk = heard.at(LANDLINE)
    assert shows(to_trunk, SIM) == shows(to_trunk, COMPANY) == []
    mask = f"<sip:anonymous@{MVNO[0]}:7050>"
    assert {one.message.header("Contact") for one in to_trunk} <= {mask, ""}
    assert heard.request(LANDLINE).header("Contact") == mask
    asked = [one.message for one in heard.at(heard.caller) if one.message.status is None]
    methods = {"UPDATE", "INVITE", "ACK"} | ({"BYE"} if ends == "callee" else set())
    assert {one.start for one in asked} == {f"{method} {HOME} SIP/2.0" for method in methods}


def test_nothing_of_the_caller_is_kept_in_the_route_of_the_trunk(no_media: OnWire) -> None:
    """Kamailio could keep the old From in its Record-Route, in a code that anybody can undo."""
    heard = no_media.call(withheld("84951112233"), Callee(LANDLINE))
    route = heard.request(LANDLINE).header("Record-Route")
    names = {one.partition("=")[0] for one in route.strip("<>").split(";")[1:]}
    assert names == {"lr", "did"}


def test_the_next_trunk_may_see_the_contact(no_media: OnWire) -> None:
    caller = withheld("84951112233", contact=f"<{HOME}>", port=7050)
    heard = no_media.call(caller, Callee(LANDLINE, takes=False), Callee(WHOLESALE), ends="callee")
    assert shows(heard.at(LANDLINE), SIM) == []
    assert heard.request(WHOLESALE).header("Contact") == f"<{HOME}>"
    assert heard.request(heard.caller, "BYE").start == f"BYE {HOME} SIP/2.0"


UNREAD: Mapping[str, Mapping[str, str]] = {
    "Call-ID": {"call_id": f"{SIM[1:]}-17@ims.example"},
    "o= of the SDP": {"origin": SIM[1:]},
    "a parameter of From": {"sender": f"<sip:{SIM[1:]}@ims.example>;x={SIM[-7:]}"},
    "a header nobody reads": {"header": f"Reply-To: <sip:{SIM}@ims.example>"},
    "a header of another number": {"header": "Subject: call 0000201 back"},
}
"""Where digits of the number can stand that routing does not write."""


def with_digits(called: str, place: str) -> Caller:
    caller = withheld(called)
    where = dict(UNREAD[place])
    header = where.pop("header", None)
    return replace(caller, headers=[*caller.headers, header] if header else caller.headers, **where)


@pytest.fixture(scope="module")
def unread(edge: Edge, parties: OnWire) -> dict[str, Heard]:
    media(edge, up=False)
    callers = [with_digits("84951112233", place) for place in UNREAD]
    return dict(zip(UNREAD, parties.calls(callers, Callee(WHOLESALE)), strict=True))


@pytest.mark.parametrize("place", UNREAD)
def test_digits_that_would_pass_unread_keep_the_trunk_out(unread: dict[str, Heard], place: str) -> None:
    """The call goes to the next trunk, which may see them."""
    assert unread[place].at(LANDLINE) == []
    assert unread[place].request(WHOLESALE).user("") == "+74951112233"


@pytest.mark.parametrize("place", ["Call-ID", "o= of the SDP"])
def test_with_no_other_trunk_the_call_is_refused(no_media: OnWire, place: str) -> None:
    heard = no_media.call(with_digits("84961112233", place))
    assert [one.status for one in heard.replies(heard.caller)] == [503]
    assert heard.at(LANDLINE) == []


def test_every_header_that_could_name_the_caller(no_media: OnWire) -> None:
    """All at once, several times, as short names and as tel URIs: none of it goes on."""
    uri = f"<sip:{SIM}@ims.example;user=phone>"
    caller = withheld("84951112233", contact=f"<{HOME}>", port=7050)
    more = (
        f"p-asserted-identity: <tel:{SIM}>",
        f"P-Asserted-Identity : {uri}",
        f"P-Preferred-Identity: {uri}",
        f"P-Served-User: {uri};sescase=orig;regstate=reg",
        f"Remote-Party-ID: {uri};party=calling;privacy=full;screen=yes",
        f"Diversion: {uri};reason=unconditional;privacy=full",
        f"History-Info: <sip:{SIM}@ims.example?Privacy=history>;index=1",
        f"P-Called-Party-ID: {uri}",
        f"P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp={SIM[1:]}",
        f"Cellular-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp={SIM[1:]};cell-info-age=1",
        f"P-Charging-Vector: icid-value={SIM[1:]};orig-ioi=ims.example",
        f"P-Associated-URI: {uri}",
        f"X-FMC-Subscriber: {SIM[1:]}",
        f"m: <{HOME}>",
    )
    heard = no_media.call(replace(caller, headers=[*caller.headers, *more]), Callee(LANDLINE))
    assert named(heard.request(LANDLINE)) == {}
    assert shows(heard.at(LANDLINE), SIM) == []


@pytest.mark.parametrize("name", ["Identity", "y"])
def test_a_signed_number(no_media: OnWire, name: str) -> None:
    """RFC 8224: the PASSporT holds the caller's number in base64, and signs headers that we change."""
    claims = b'{"attest":"A","dest":{"tn":["74951112233"]},"iat":1,"orig":{"tn":"%s"}}' % SIM[1:].encode()
    token = base64.urlsafe_b64encode(claims).decode().rstrip("=")
    caller = withheld("84951112233")
    identity = f"{name}: eyJhbGciOiJFUzI1NiJ9.{token}.c2lnbmF0dXJl;info=<https://cert.example/a>;alg=ES256"
    heard = no_media.call(replace(caller, headers=[*caller.headers, identity]), Callee(LANDLINE))
    assert [one for one in heard.at(LANDLINE) if token.encode() in one.payload] == []


# -- inside the trust domain -------------------------------------------------------------------------------


def private_headers(number: str) -> Mapping[str, str]:
    return {"p-asserted-identity": f"<sip:{number}@{HOST}>", "privacy": "id"}


def only_asserted(heard: Heard, at: Address, number: str) -> None:
    """The number stands in P-Asserted-Identity, beside the wish not to show it, and nowhere else."""
    invite = heard.request(at)
    assert invite.header("From").startswith(f"{ANONYMOUS};tag=")
    assert named(invite) == private_headers(number)
    (told,) = shows(heard.at(at), number)
    assert [line.partition(":")[0] for line in told.splitlines() if number[-7:] in line] == [
        "P-Asserted-Identity"
    ]


@pytest.mark.parametrize("up", [True, False], ids=["media up", "media down"])
def test_a_colleagues_handset_is_told_not_to_show_it(edge: Edge, parties: OnWire, up: bool) -> None:
    media(edge, up=up)
    if up:
        _, heard = parties.through_media(withheld("202"), Callee(MVNO))
    else:
        heard = parties.call(withheld("202"), Callee(MVNO))
    assert heard.request(MVNO).user("") == "79990000202"
    only_asserted(heard, MVNO, SIM)


def test_a_trusted_networks_withheld_caller(no_media: OnWire) -> None:
    asserted = [f"P-Asserted-Identity: <sip:{CLIENT}@pstn.example>", "Privacy: id"]
    heard = no_media.call(Caller(WHOLESALE[0], SIM, ANONYMOUS, asserted), Callee(MVNO))
    only_asserted(heard, MVNO, CLIENT)


@pytest.mark.parametrize("up", [True, False], ids=["media up", "media down"])
def test_an_untrusted_networks_word_of_a_withheld_caller(edge: Edge, parties: OnWire, up: bool) -> None:
    """It must not be believed, and must not be passed on either."""
    media(edge, up=up)
    asserted = [f"P-Asserted-Identity: <sip:{CLIENT}@pstn.example>", "Privacy: id"]
    caller = Caller(LANDLINE[0], "pbx", ANONYMOUS, asserted, to=f"<sip:4951234567@{HOST}>")
    at = MEDIA if up else MVNO
    heard = parties.call(caller, Callee(at))
    assert named(heard.request(at)) == {"privacy": "id"}
    assert shows(heard.at(at), CLIENT) == []


def test_an_emergency_call_hides_nobody(wire: OnWire) -> None:
    heard = wire.call(withheld("112"), Callee(MVNO))
    assert heard.request(MVNO).user("From") == SIM[1:]
    assert named(heard.request(MVNO)) == {"p-asserted-identity": f"<sip:{SIM}@{HOST}>"}


def test_the_called_sides_wish_reaches_the_public_network_as_nothing(no_media: OnWire) -> None:
    """A SIM behind a DID that asks not to be shown: the caller sees the number that it called."""
    answer: Sequence[str] = (f"P-Asserted-Identity: <sip:{SIM}@ims.example>", "Privacy: id")
    caller = Caller(LANDLINE[0], "pbx", "<sip:9167778899@pstn.example>", to=f"<sip:4951234567@{HOST}>")
    heard = no_media.call(caller, Callee(MVNO, early=answer, answer=answer, later=answer), talks=True)
    assert shows(heard.at(heard.caller), SIM) == []
