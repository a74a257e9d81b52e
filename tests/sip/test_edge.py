"""Ordinary calls through a real Kamailio: what each side is sent, header by header, in both directions."""

from types import SimpleNamespace

import pytest
from edge import Edge
from party import HOST, SDP, Leg, connect, first_call, tag_of

from demo.sip import Message
from kemi.calls.events import Answered, Ended, Failed, Started
from kemi.edge import callid

pytestmark = pytest.mark.system

OWN = {"via", "max-forwards", "from", "to", "call-id", "cseq", "contact", "content-type", "content-length"}
"""Headers that a call has whoever sends it."""

ANSWERER = (
    ("P-Asserted-Identity", "<sip:+79990000201@ims.example>"),
    ("Remote-Party-ID", "<sip:+79990000201@ims.example>;party=called"),
    ("Privacy", "none"),
    ("History-Info", "<sip:+79990000201@ims.example>;index=1.1"),
    ("P-Access-Network-Info", "3GPP-E-UTRAN;utran-cell-id-3gpp=250991234567"),
    ("Cellular-Network-Info", "3GPP-E-UTRAN;utran-cell-id-3gpp=250991234567;cell-info-age=20"),
    ("P-Charging-Vector", "icid-value=79990000201"),
    ("P-Associated-URI", "<tel:+79990000201>, <sip:+79990000202@ims.example>"),
    ("X-FMC-Tenant", "other"),
    ("x-fmc-subscriber ", "201"),
)
"""What a called side may say of itself in a reply, and a public network's word of it is told to nobody."""


def fmc(message: Message) -> dict[str, str]:
    """The X-FMC headers; each may be there once."""
    found = {name: values for name, values in message.headers.items() if name.startswith("x-fmc-")}
    assert all(len(values) == 1 for values in found.values()), found
    return {name.removeprefix("x-fmc-"): values[0] for name, values in found.items()}


def added(message: Message) -> set[str]:
    """Names of the headers beside those that every call has."""
    return set(message.headers) - OWN - {"record-route"}


def media_leg(at: SimpleNamespace, user: str = "+79161234567", **headers: str) -> Leg:
    """The second leg of a call from 201, as a media server sends it; `headers` with _ for -."""
    own = {
        "X-FMC-Call": callid.new(),
        "X-FMC-Tenant": "company",
        "X-FMC-Direction": "mobile_originated",
        "X-FMC-Subscriber": "201",
        "P-Asserted-Identity": "<sip:+79990000201@127.0.5.8>",
    }
    own |= {name.replace("_", "-"): value for name, value in headers.items()}
    sender = f'"Buyer" <sip:{own["P-Asserted-Identity"][5:-1]}>'
    return Leg.calling(at.media, user, caller=sender, headers=list(own.items()))


def test_trunk_to_media(edge: Edge, at: SimpleNamespace) -> None:
    caller = Leg.calling(at.mvno, "89161234567")
    callee = first_call(at.media, at.media_2)
    invite = callee.invite
    assert invite.start == "INVITE sip:+79161234567@media SIP/2.0"
    told = fmc(invite)
    call = told.pop("call")
    assert callid.valid(call)
    assert told == {
        "tenant": "company",
        "service": "dial",
        "direction": "mobile_originated",
        "record": "yes",
        "announce": "yes",
        "subscriber": "201",
    }
    assert invite.headers["p-asserted-identity"] == (f"<sip:+79990000201@{HOST}>",)
    assert {name for name in added(invite) if not name.startswith("x-fmc-")} == {"p-asserted-identity"}
    assert invite.header("From") == caller.invite.header("From")
    assert invite.header("To") == caller.invite.header("To")
    accepted = connect(caller, callee, *ANSWERER)
    assert added(accepted) == {"p-asserted-identity"}
    caller.hang_up(callee)
    began, answered, ended = edge.wait_events(caller.call_id, Started, Answered, Ended)
    assert {began.call, answered.call, ended.call} == {call}
    assert answered.egress is None
    assert began.source == "mvno-main"
    assert began.calling.canonical == "+79990000201"
    assert began.called.canonical == "+79161234567"


SPELLINGS = (
    "X-FMC-Tenant",
    "x-fmc-tenant",
    "X-Fmc-TENANT",
    "X-FMC-Tenant ",
    "X-FMC-Record",
    "x-FMC-anything",
)


def test_nothing_forged_gets_through(edge: Edge, at: SimpleNamespace) -> None:
    """A carrier's caller claims to be a subscriber and brings what only the edge may say."""
    forged = [(name, "other") for name in SPELLINGS]
    forged += [
        ("X-FMC-Call", callid.new()),
        ("P-Asserted-Identity", "<sip:+79990000201@ims.example>"),
        ("p-asserted-identity", "<tel:+79990000202>, <sip:+79990000201@ims.example>"),
        ("P-Asserted-Identity", "<sip:+79990000202@ims.example>"),
        ("P-Preferred-Identity", "<sip:+79990000201@ims.example>"),
        ("Remote-Party-ID", "<sip:+79990000201@ims.example>;party=calling"),
        ("P-Served-User", "<sip:+79990000201@ims.example>"),
        ("P-Called-Party-ID", "<sip:+79990000201@ims.example>"),
        ("P-Access-Network-Info", "3GPP-E-UTRAN;utran-cell-id-3gpp=250991234567"),
        ("Cellular-Network-Info", "3GPP-E-UTRAN;utran-cell-id-3gpp=250991234567;cell-info-age=20"),
        ("P-Charging-Vector", "icid-value=79990000201"),
        ("P-Associated-URI", "<tel:+79990000201>"),
        ("Loop-Guard", "fmc-edge"),
    ]
    sender = "<sip:+79161234567@pstn.example>"
    caller = Leg.calling(at.wholesale, "+79990000201", caller=sender, headers=forged)
    invite = first_call(at.media, at.media_2).invite
    told = fmc(invite)
    forged_id = dict(forged)["X-FMC-Call"]
    assert told.pop("call") not in {"", forged_id}
    assert told == {
        "tenant": "company",
        "service": "dial",
        "direction": "mobile_terminated",
        "record": "yes",
        "announce": "yes",
        "subscriber": "201",
    }
    assert len(invite.headers["p-asserted-identity"]) == 1
    assert {name for name in added(invite) if not name.startswith("x-fmc-")} == {"p-asserted-identity"}
    (began,) = edge.wait_events(caller.call_id, Started)
    assert began.call != forged_id
    assert began.source == "wholesale"


def test_media_to_trunk_and_the_whole_dialog(edge: Edge, at: SimpleNamespace) -> None:
    """Each side sees its own From and To, with the same tags, in every message (RFC 3261 section 12)."""
    caller = media_leg(at)
    callee = at.wholesale.takes_call()
    invite = callee.invite
    assert invite.start == "INVITE sip:+79161234567@127.0.5.4:6062 SIP/2.0"
    caller_tag = tag_of(caller.local)
    outside_from = f"<sip:+74957654321@{HOST}>;tag={caller_tag}"
    outside_to = "<sip:+79161234567@127.0.5.4:6062>"
    assert invite.header("From") == outside_from
    assert invite.header("To") == outside_to
    assert invite.headers["p-asserted-identity"] == (f"<sip:+74957654321@{HOST}>",)
    assert added(invite) == {"p-asserted-identity"}

    callee.reply(180, *ANSWERER)
    ringing = caller.response(lambda status: status == 180)
    assert added(ringing) == set()
    inside_to = f"{caller.remote};tag={tag_of(callee.local)}"
    assert (ringing.header("From"), ringing.header("To")) == (caller.local, inside_to)
    accepted = connect(caller, callee, *ANSWERER)
    assert (accepted.header("From"), accepted.header("To")) == (caller.local, inside_to)
    assert added(accepted) == set()
    callee.local = f"{outside_to};tag={tag_of(callee.local)}"

    # re-INVITE by the caller, by the callee; then BYE.
    caller.send(
        "INVITE", ("X-FMC-Tenant", "company"), ("P-Asserted-Identity", "<sip:+79990000201@a>"), body=SDP
    )
    again = callee.expect("INVITE")
    assert (again.header("From"), again.header("To")) == (outside_from, callee.local)
    assert added(again) == set()
    callee.reply(200, *ANSWERER, to=again, body=SDP)
    reply = caller.accepted()
    assert (reply.header("From"), reply.header("To")) == (caller.local, inside_to)
    assert added(reply) == set()
    callee.expect("ACK")

    callee.send("INVITE", ("x-fmc-tenant", "other"), body=SDP)
    back = caller.expect("INVITE")
    assert (back.header("From"), back.header("To")) == (inside_to, caller.local)
    assert added(back) == set()
    caller.reply(200, to=back, body=SDP)
    reply = callee.accepted()
    assert (reply.header("From"), reply.header("To")) == (callee.local, outside_from)
    ack = caller.expect("ACK")
    assert (ack.header("From"), ack.header("To")) == (inside_to, caller.local)

    bye, done = callee.hang_up(caller)
    assert (bye.header("From"), bye.header("To")) == (inside_to, caller.local)
    assert (done.header("From"), done.header("To")) == (callee.local, outside_from)
    began, answered, ended = edge.wait_events(caller.call_id, Started, Answered, Ended)
    assert (began.source, began.egress, answered.egress) == ("media", "wholesale", "wholesale")
    assert {began.call, answered.call, ended.call} == {caller.invite.header("X-FMC-Call")}


def test_the_caller_hangs_up(edge: Edge, at: SimpleNamespace) -> None:
    caller = media_leg(at)
    callee = at.wholesale.takes_call()
    connect(caller, callee)
    bye, done = caller.hang_up(callee)
    assert bye.header("From") == callee.invite.header("From")
    assert bye.header("To") == callee.local
    assert (done.header("From"), done.header("To")) == (caller.local, caller.remote)
    edge.wait_events(caller.call_id, Started, Answered, Ended)


def test_to_a_handset(at: SimpleNamespace) -> None:
    """A client calls a SIM: the mobile network is told who calls, and that it was us."""
    caller = media_leg(
        at,
        "201",
        X_FMC_Direction="mobile_terminated",
        P_Asserted_Identity="<sip:+79161234567@127.0.5.8>",
    )
    invite = at.mvno.takes_call().invite
    assert invite.start == "INVITE sip:79990000201@127.0.5.2:6060 SIP/2.0"
    assert invite.header("From").startswith(f"<sip:79161234567@{HOST}>;tag=")
    assert invite.header("To") == "<sip:79990000201@127.0.5.2:6060>"
    assert invite.headers["p-asserted-identity"] == (f"<sip:+79161234567@{HOST}>",)
    assert invite.headers["loop-guard"] == ("fmc-edge",)
    assert added(invite) == {"p-asserted-identity", "loop-guard"}
    caller.cancel()
    caller.response(lambda status: status == 200)


def test_emergency_goes_straight_to_the_mobile_network(edge: Edge, at: SimpleNamespace) -> None:
    for uri in (f"sip:112@{HOST}", "urn:service:sos"):
        caller = Leg.calling(at.mvno, "112", uri=uri, to=f"<{uri}>")
        callee = at.mvno.takes_call()
        assert callee.invite.start == "INVITE sip:112@127.0.5.2:6060 SIP/2.0"
        assert fmc(callee.invite) == {}
        connect(caller, callee)
        caller.hang_up(callee)
        began, *_ = edge.wait_events(caller.call_id, Started, Answered, Ended)
        assert began.direction == "emergency"


@pytest.mark.parametrize("status", [486, 404, 603])
def test_what_the_callee_says_passes_unchanged(edge: Edge, at: SimpleNamespace, status: int) -> None:
    caller = media_leg(at)
    at.wholesale.takes_call().refuse(status)
    response = caller.refused(status)
    assert response.header("From") == caller.local
    _, failed = edge.wait_events(caller.call_id, Started, Failed)
    assert (failed.status, failed.egress) == (status, "wholesale")
    edge.settled()
    assert at.wholesale_2.heard() == at.backup.heard() == []


def test_cancel_reaches_the_far_side(edge: Edge, at: SimpleNamespace) -> None:
    caller = media_leg(at)
    callee = at.wholesale.takes_call()
    callee.reply(180)
    caller.response(lambda status: status == 180)
    caller.cancel()
    cancel = callee.expect("CANCEL")
    assert cancel.header("From") == callee.invite.header("From")
    callee.reply(200, to=cancel)
    callee.refuse(487)
    assert caller.response().method == "CANCEL"
    caller.refused(487)
    _, failed = edge.wait_events(caller.call_id, Started, Failed)
    assert failed.status == 487


def test_cancel_that_the_far_side_never_confirms(edge: Edge, at: SimpleNamespace) -> None:
    edge.timers(silent=300, ringing=600)
    caller = media_leg(at)
    callee = at.wholesale.takes_call()
    callee.reply(180)
    caller.response(lambda status: status == 180)
    caller.cancel()
    callee.expect("CANCEL")
    assert caller.response().method == "CANCEL"
    caller.refused(487)
    _, failed = edge.wait_events(caller.call_id, Started, Failed)
    assert failed.status == 487


def test_a_refused_call_has_one_event_and_one_reply(edge: Edge, at: SimpleNamespace) -> None:
    caller = Leg.calling(at.wholesale, "+79169999999", caller="<sip:+79161234567@pstn.example>")
    first = caller.party.expect(lambda one: one.status == 404, "404")
    caller.party.send(caller.datagram)
    assert caller.refused(404).headers == first.headers
    edge.settled()
    (began,) = edge.wait_events(caller.call_id, Started)
    assert (began.status, began.reason) == (404, "unknown_number")
    # The ACK was taken: neither relayed nor answered, and the reply is not repeated.
    assert at.wholesale.heard() == []


def test_ordinary_calls_leave_no_complaint(edge: Edge) -> None:
    """After all the calls above."""
    assert edge.complaints() == []
