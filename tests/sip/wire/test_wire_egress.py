"""What a trunk is sent, in every header, each in the trunk's shape: between SIPp processes, read from a capture."""

from collections.abc import Sequence

import pytest
from edge import Edge
from onwire import (
    ANONYMOUS,
    EDGE,
    HISTORY,
    LANDLINE,
    MEDIA,
    MVNO,
    ODD,
    OLD,
    SIM,
    WHOLESALE,
    Address,
    Callee,
    Caller,
    Heard,
    OnWire,
    from_media,
    media,
    named,
    shows,
    sim,
    users,
)
from party import HOST

from demo.sip import Message

pytestmark = pytest.mark.system

CLIENT = "+79167778899"


def host_of(address: Address) -> str:
    return f"{address[0]}:{address[1]}"


def told(invite: Message, at: Address, called: str, calling: str, **more: str) -> None:
    """The INVITE names the called number, the caller, and nobody else but `more` says."""
    peer = host_of(at)
    assert invite.start == f"INVITE sip:{called}@{peer} SIP/2.0"
    assert invite.header("To") == f"<sip:{called}@{peer}>"
    sender, _, tag = invite.header("From").partition(";tag=")
    assert sender == (f"<sip:{calling}@{HOST}>" if calling else ANONYMOUS)
    assert tag
    assert named(invite) == {name.replace("_", "-"): value for name, value in more.items()}
    assert [name for name in invite.headers if name.startswith("x-fmc-")] == []


def asserted(number: str) -> dict[str, str]:
    return {"p_asserted_identity": f"<sip:{number}@{HOST}>"}


# -- shapes --------------------------------------------------------------------------------------------


def test_a_landline_is_sent_its_shape_in_every_header_of_the_whole_call(wire: OnWire) -> None:
    heard = wire.call(from_media("+74951112233"), Callee(LANDLINE))
    told(heard.request(LANDLINE), LANDLINE, "84951112233", "84951234567", **asserted("84951234567"))
    for method in ("ACK", "BYE"):
        later = heard.request(LANDLINE, method)
        assert (later.user("From"), later.user("To")) == ("84951234567", "84951112233")
        assert named(later) == {}
    # It presents the company's number: whose SIM it was nobody need know.
    assert shows(heard.at(LANDLINE), SIM) == []


def test_the_next_trunk_is_sent_its_own_shape_after_a_failure(wire: OnWire) -> None:
    heard = wire.call(from_media("+74951112233"), Callee(LANDLINE, takes=False), Callee(WHOLESALE))
    told(heard.request(LANDLINE), LANDLINE, "84951112233", "84951234567", **asserted("84951234567"))
    told(heard.request(WHOLESALE), WHOLESALE, "+74951112233", "+74957654321", **asserted("+74957654321"))
    assert users(heard.request(LANDLINE, "ACK")) == ("84951112233", "84951234567", "84951112233")
    bye = heard.request(WHOLESALE, "BYE")
    assert (bye.user("From"), bye.user("To")) == ("+74957654321", "+74951112233")


@pytest.mark.parametrize(
    ("called", "at", "presented"),
    [
        ("+78431112233", HISTORY, "88430000001"),
        ("+74951112233", LANDLINE, "84951234567"),
        ("+79161112233", WHOLESALE, "+74957654321"),
    ],
    ids=["the subscriber's", "the tenant's", "the trunk's first"],
)
def test_a_number_that_the_trunk_does_not_own_is_replaced(
    wire: OnWire, called: str, at: Address, presented: str
) -> None:
    """202 has a caller_id that only the trunk history owns."""
    leg_1, heard = wire.through_media(sim(called, "+79990000202"), Callee(at))
    assert leg_1.request(MEDIA).user("P-Asserted-Identity") == "+79990000202"
    told(heard.request(at), at, heard.request(at).user(""), presented, **asserted(presented))
    assert shows(heard.at(at), "+79990000202") == []


def test_an_old_network_is_told_in_remote_party_id(wire: OnWire) -> None:
    heard = wire.call(from_media("+78461112233"), Callee(OLD))
    remote = f"<sip:88460000001@{HOST}>;party=calling;screen=yes;privacy=off"
    told(heard.request(OLD), OLD, "78461112233", "78460000001", remote_party_id=remote)


# -- forwarded calls -----------------------------------------------------------------------------------

DIVERTED = f"Diversion: <sip:+74950000009@{HOST}>;reason=no-answer"


@pytest.mark.parametrize("before", [(), (DIVERTED,)], ids=["once", "twice"])
def test_a_forwarded_call_with_diversion(wire: OnWire, before: Sequence[str]) -> None:
    heard = wire.call(from_media("+79163334455", CLIENT, "inbound", *before), Callee(WHOLESALE))
    diversion = f"<sip:+74957654321@{HOST}>;reason=unconditional"
    diversion += f", <sip:+74950000009@{HOST}>;reason=no-answer" if before else ""
    told(heard.request(WHOLESALE), WHOLESALE, "+79163334455", CLIENT, **asserted(CLIENT), diversion=diversion)


def test_a_forwarded_call_with_history_info(wire: OnWire) -> None:
    heard = wire.call(from_media("+78433334455", CLIENT, "inbound", DIVERTED), Callee(HISTORY))
    history = (
        f"<sip:84950000009@{HOST}>;index=1, "
        f"<sip:88430000001@{HOST};cause=408>;index=1.1;mp=1, "
        f"<sip:88433334455@{HOST};cause=302>;index=1.1.1;mp=1.1"
    )
    told(
        heard.request(HISTORY),
        HISTORY,
        "88433334455",
        "89167778899",
        **asserted("89167778899"),
        history_info=history,
    )


def test_a_forwarded_call_with_our_own_number(wire: OnWire) -> None:
    heard = wire.call(from_media("+74951112233", CLIENT, "inbound", DIVERTED), Callee(LANDLINE))
    told(heard.request(LANDLINE), LANDLINE, "84951112233", "84951234567", **asserted("84951234567"))
    assert shows(heard.at(LANDLINE), CLIENT) == []


# -- what arrives with an oddity -----------------------------------------------------------------------


ODDITIES = {
    "caller#DID": ("+74950000009", "9167778899#4950000009"),
    "caller%23DID": ("+74950000009", "9167778899%234950000009"),
    "technical prefix": ("777784950000009", CLIENT),
    "ext": ("+74950000009;ext=12", f"{CLIENT};ext=34"),
    "escapes": ("%2b7495%30000009", "(916)%20777-88-99"),
    "npdi": ("4950000009;npdi;rn=+79990000299", f"{CLIENT};npdi"),
}


@pytest.fixture(scope="module")
def odd_calls(edge: Edge, parties: OnWire) -> dict[str, Heard]:
    media(edge, up=False)
    callers = [Caller(ODD[0], called, f"<sip:{sender}@odd.example>") for called, sender in ODDITIES.values()]
    return dict(zip(ODDITIES, parties.calls(callers, Callee(MVNO)), strict=True))


@pytest.mark.parametrize("name", ODDITIES)
def test_an_oddity_of_a_trunk_reaches_the_handset_as_a_number(odd_calls: dict[str, Heard], name: str) -> None:
    heard = odd_calls[name]
    told(heard.request(MVNO), MVNO, "79990000202", "79167778899", **asserted(CLIENT))
    # And the caller is answered as it wrote itself.
    for reply in heard.replies(heard.caller):
        assert reply.header("From").startswith(f"<sip:{ODDITIES[name][1]}@odd.example>;tag=")


URIS = (
    "tel:89161112233",
    "tel:+7-916-111-22-33",
    "tel:89161112233;phone-context=ims.example",
    f"sip:89161112233;phone-context=+7@{HOST};user=phone",
    f"sips:+79161112233@{HOST}",
)


@pytest.fixture(scope="module")
def dialled(edge: Edge, parties: OnWire) -> dict[str, Heard]:
    media(edge, up=False)
    callers = [sim(uri, to=f"<sip:89161112233@{HOST}>") for uri in URIS]
    return dict(zip(URIS, parties.calls(callers, Callee(WHOLESALE)), strict=True))


@pytest.mark.parametrize("uri", URIS)
def test_what_a_handset_may_write_in_the_request_uri(dialled: dict[str, Heard], uri: str) -> None:
    invite = dialled[uri].request(WHOLESALE)
    told(invite, WHOLESALE, "+79161112233", "+74957654321", **asserted("+74957654321"))


def test_a_context_that_means_digits(no_media: OnWire) -> None:
    """The trunk's rule moscow-context says so."""
    heard = no_media.call(sim("tel:1112233;phone-context=+7495"), Callee(LANDLINE))
    told(heard.request(LANDLINE), LANDLINE, "84951112233", "84951234567", **asserted("84951234567"))


# -- CLIR ----------------------------------------------------------------------------------------------


def test_hidden_by_31_dialled(wire: OnWire) -> None:
    leg_1, heard = wire.through_media(sim("%2331%2384951112233"), Callee(LANDLINE))
    asked = leg_1.request(MEDIA)
    assert asked.user("") == "+74951112233"
    assert named(asked) == {"p-asserted-identity": f"<sip:{SIM}@{HOST}>", "privacy": "id"}
    told(heard.request(LANDLINE), LANDLINE, "84951112233", "")
    assert shows(heard.at(LANDLINE), SIM) == shows(heard.at(LANDLINE), "+74951234567") == []


def test_hidden_by_31_dialled_from_a_trunk_that_honours_it(wire: OnWire) -> None:
    _, heard = wire.through_media(sim("%2331%2389161112233"), Callee(WHOLESALE))
    told(heard.request(WHOLESALE), WHOLESALE, "+79161112233", "", **asserted("+74957654321"), privacy="id")
    assert shows(heard.at(WHOLESALE), SIM) == []


@pytest.mark.parametrize(
    ("called", "presented"),
    [("84951112233", ""), ("*31%2384951112233", "84951234567")],
    ids=["by default", "but for *31#"],
)
def test_a_subscriber_who_hides_its_number(wire: OnWire, called: str, presented: str) -> None:
    _, heard = wire.through_media(sim(called, "+79990000203"), Callee(LANDLINE))
    more = asserted(presented) if presented else {}
    told(heard.request(LANDLINE), LANDLINE, "84951112233", presented, **more)
    assert shows(heard.at(LANDLINE), "+79990000203") == []


def test_31_does_not_pass_on(no_media: OnWire) -> None:
    """Without media too, where what was dialled might go through unread."""
    heard = no_media.call(sim("%2331%2384951112233"), Callee(LANDLINE))
    told(heard.request(LANDLINE), LANDLINE, "84951112233", "")
    assert [one for one in heard.at(LANDLINE) if b"31#" in one.payload or b"%23" in one.payload] == []
    assert all(one.source == EDGE for one in heard.at(LANDLINE))
