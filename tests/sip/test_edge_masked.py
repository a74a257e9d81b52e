"""A caller who is not to be seen, and no media server between him and a trunk that must not see him."""

import secrets
from types import SimpleNamespace

import pytest
from edge import Edge
from party import SDP, Leg, Party, connect, request_text, tag_of, uri_of
from test_edge_identity import ANONYMOUS, shown, whole

from demo.sip import Message
from kemi.calls.events import Answered, Ended, Started

pytestmark = pytest.mark.system

DIGITS = "9990000201"
SIM = f"<sip:+7{DIGITS}@127.0.5.2:6060;ob>"
HOME = f"sip:+7{DIGITS}@127.0.5.2:6060;ob"
MASK = "<sip:anonymous@127.0.5.2:6060>"
CALLED = "84951112233"
"""Leaves on landline, which must not see him; then on wholesale, which may."""


@pytest.fixture(autouse=True)
def _no_media(request: pytest.FixtureRequest) -> None:
    if "edge" in request.fixturenames:
        request.getfixturevalue("edge").rpc("dispatcher.set_state", "i", 1, "all")


def private_call(party: Party, user: str = CALLED, privacy: str = "id", **more: str) -> Leg:
    return Leg.calling(
        party,
        user,
        caller=f'"+7{DIGITS}" <sip:7{DIGITS}@ims.example>',
        headers=[("Privacy", privacy), ("P-Asserted-Identity", f"<sip:+7{DIGITS}@ims.example>")],
        contact=SIM,
        **more,
    )


def hidden(message: Message) -> Message:
    """Nothing in this message shows the caller's digits."""
    assert DIGITS not in whole(message)
    assert message.header("Contact") in {"", MASK}
    return message


def test_the_trunk_never_sees_the_number(edge: Edge, at: SimpleNamespace) -> None:
    """And what it sends to whom it was shown reaches the caller's Contact, also after that has changed."""
    caller = private_call(at.mvno)
    callee = at.landline.takes_call()
    invite = hidden(callee.invite)
    assert invite.header("Contact") == MASK
    assert invite.header("From") == f"{ANONYMOUS};tag={tag_of(caller.local)}"
    assert shown(invite) == {}
    callee.answer()
    accepted = caller.accepted()
    assert accepted.header("From") == caller.local
    assert hidden(callee.expect("ACK")).header("Contact") == MASK

    for method in ("UPDATE", "INVITE"):
        # The callee asks; the caller has moved by the time that it answers.
        callee.send(method, body=SDP)
        request = caller.expect(method)
        assert request.start == f"{method} {HOME if method == 'UPDATE' else caller.contact[1:-1]} SIP/2.0"
        assert (request.header("From"), request.header("To")) == (caller.remote, caller.local)
        caller.contact = f"<sip:+7{DIGITS}@127.0.5.2:6060;moved={method}>"
        caller.reply(200, ("P-Asserted-Identity", f"<sip:+7{DIGITS}@x>"), to=request, body=SDP)
        reply = hidden(callee.accepted())
        assert reply.header("Contact") == MASK
        assert reply.header("To") == invite.header("From")
        if method == "INVITE":
            assert caller.expect("ACK").start == f"ACK {caller.contact[1:-1]} SIP/2.0"
    for method in ("UPDATE", "INVITE"):
        # The caller asks, from another address.
        caller.contact = f"<sip:+7{DIGITS}@127.0.5.2:6060;again={method}>"
        caller.send(method, ("P-Asserted-Identity", f"<sip:+7{DIGITS}@x>"), ("Privacy", "id"), body=SDP)
        request = hidden(callee.expect(method))
        callee.reply(200, to=request, body=SDP)
        caller.accepted()
        if method == "INVITE":
            hidden(callee.expect("ACK"))
    callee.send("INFO")
    request = caller.expect("INFO")
    assert request.start == f"INFO {caller.contact[1:-1]} SIP/2.0"
    caller.reply(200, to=request)
    hidden(callee.accepted())
    caller.send("INFO")
    callee.reply(200, to=hidden(callee.expect("INFO")))
    caller.accepted()
    bye, done = callee.hang_up(caller)
    assert bye.start == f"BYE {caller.contact[1:-1]} SIP/2.0"
    hidden(done)
    edge.wait_events(caller.call_id, Started, Started, Answered, Ended)


@pytest.mark.parametrize(
    "sender",
    [
        f"sip:7{DIGITS}@ims.example",
        f"<sip:7{DIGITS}@ims.example>",
        f"+7{DIGITS} <sip:7{DIGITS}@ims.example>",
        f'"a \\" <sip:7{DIGITS}@x>"<sip:7{DIGITS}@ims.example;user=phone>',
        f"<tel:+7{DIGITS}>",
    ],
)
def test_however_the_caller_writes_himself(at: SimpleNamespace, sender: str) -> None:
    """And he gets back what he wrote."""

    def anonymous(message: Message) -> None:
        name, _, rest = hidden(message).header("From").partition("<")
        assert name.strip() == '"Anonymous"'
        assert rest == f"sip:anonymous@anonymous.invalid>;tag={tag_of(caller.local)}"

    caller = Leg.calling(at.mvno, CALLED, caller=sender, headers=[("Privacy", "id")], contact=SIM)
    callee = at.landline.takes_call()
    anonymous(callee.invite)
    assert connect(caller, callee).header("From") == caller.local
    caller.send("UPDATE")
    update = callee.expect("UPDATE")
    anonymous(update)
    callee.reply(200, to=update)
    caller.accepted()
    bye, done = callee.hang_up(caller)
    assert tag_of(bye.header("To")) == tag_of(caller.local)
    assert uri_of(bye.header("To")) in caller.local
    hidden(done)


def test_before_the_answer(at: SimpleNamespace) -> None:
    caller = private_call(at.mvno)
    callee = at.landline.takes_call()
    callee.reply(183)
    caller.established(caller.response(lambda status: status == 183))
    callee.send("UPDATE")
    request = caller.expect("UPDATE")
    assert request.start == f"UPDATE {HOME} SIP/2.0"
    caller.reply(200, to=request)
    hidden(callee.accepted())
    caller.send("UPDATE")
    callee.reply(200, to=hidden(callee.expect("UPDATE")))
    caller.accepted()
    caller.sequence = 1
    caller.cancel()
    hidden(callee.expect("CANCEL"))


def test_a_second_privacy_counts_too(at: SimpleNamespace) -> None:
    """As if they stood in one (RFC 3261 section 7.3.1)."""
    Leg.calling(
        at.mvno,
        CALLED,
        caller=f"<sip:7{DIGITS}@ims.example>",
        headers=[("Privacy", "critical"), ("Privacy", "id")],
        contact=SIM,
    )
    hidden(at.landline.takes_call().invite)


def test_what_a_phone_says_in_its_ack(at: SimpleNamespace) -> None:
    caller = private_call(at.mvno)
    callee = at.landline.takes_call()
    callee.answer()
    caller.established(at.mvno.expect(lambda one: one.call_id == caller.call_id and one.status == 200, "200"))
    said = [(name, f"<sip:+7{DIGITS}@x>") for name in ("P-Asserted-Identity", "P-Preferred-Identity")]
    caller.send("ACK", *said, ("Remote-Party-ID", f"<sip:{DIGITS}@x>;privacy=full"), sequence=1)
    ack = hidden(callee.expect("ACK"))
    assert shown(ack) == {}
    caller.hang_up(callee)


def test_the_caller_hangs_up(at: SimpleNamespace) -> None:
    caller = private_call(at.mvno)
    callee = at.landline.takes_call()
    connect(caller, callee)
    caller.send("BYE")
    callee.reply(200, to=hidden(callee.expect("BYE")))
    caller.accepted()


def test_who_may_see_him_sees_him(at: SimpleNamespace) -> None:
    """After the first trunk refused: no mask, but the wish for privacy goes along."""
    caller = private_call(at.mvno)
    at.landline.takes_call().refuse(503)
    callee = at.wholesale.takes_call()
    assert callee.invite.header("Contact") == SIM
    assert callee.invite.header("From").startswith(f"{ANONYMOUS};tag=")
    assert callee.invite.header("Privacy") == "id"
    connect(caller, callee)
    bye, _ = callee.hang_up(caller)
    assert bye.start == f"BYE {HOME} SIP/2.0"


def test_the_next_one_must_not(edge: Edge, at: SimpleNamespace) -> None:
    """The other way round; and found out only when no media server answers."""
    edge.timers(silent=300)
    edge.in_service(1)
    caller = private_call(at.mvno, "89161112233")
    at.media.request("INVITE")
    at.media_2.request("INVITE")
    first = at.wholesale.takes_call()
    assert first.invite.header("Contact") == SIM
    first.refuse(503)
    at.wholesale_2.takes_call().refuse(503)
    callee = at.backup.takes_call()
    assert hidden(callee.invite).header("Contact") == MASK
    connect(caller, callee)
    bye, done = callee.hang_up(caller)
    assert bye.start == f"BYE {HOME} SIP/2.0"
    hidden(done)


@pytest.mark.parametrize("where", ["call_id", "body"])
def test_digits_that_cannot_be_masked_keep_the_trunk_out(at: SimpleNamespace, where: str) -> None:
    value = f"{DIGITS}-1" if where == "call_id" else SDP.replace("o=-", f"o=7{DIGITS}")
    private_call(at.mvno, **{where: value})
    at.wholesale.takes_call()
    assert at.landline.heard() == []


def test_who_hides_nothing_is_not_masked(at: SimpleNamespace) -> None:
    caller = private_call(at.mvno, privacy="none")
    callee = at.landline.takes_call()
    assert callee.invite.header("Contact") == SIM
    connect(caller, callee)
    bye, _ = callee.hang_up(caller)
    assert bye.start == f"BYE {HOME} SIP/2.0"


@pytest.mark.parametrize(
    "sender",
    [
        f"sip:7{DIGITS}@ims.example",
        f'"a \\" <sip:7{DIGITS}@x>"<sip:7{DIGITS}@ims.example;user=phone>',
        f'"{DIGITS}"\r\n\t<tel:+7{DIGITS}>',
        f'"$ru {DIGITS} $(hdr(To)) %s" <sip:7{DIGITS}@x>',
    ],
)
@pytest.mark.parametrize("name", ["From", "f"])
def test_a_dialog_that_is_not_known(at: SimpleNamespace, sender: str, name: str) -> None:
    """As after a restart: he is not shown, however he writes himself, and gets back what he wrote."""
    own = [
        ("Via", at.mvno.via()),
        ("Max-Forwards", "70"),
        ("Route", "<sip:127.0.5.1:5060;lr>"),
        (name, f"{sender};tag=a"),
        ("To", "<sip:1@x>;tag=b"),
        ("Call-ID", secrets.token_hex(8)),
        ("CSeq", "2 BYE"),
        ("m", SIM),
    ]
    at.mvno.send(request_text("BYE sip:b@127.0.5.3:6061 SIP/2.0", own))
    request = hidden(at.landline.request("BYE"))
    assert request.headers["from"] == (f"{ANONYMOUS};tag=a",)
    Leg.called(at.landline, request).reply(200, to=request)
    done = at.mvno.expect(lambda one: one.status == 200 and one.method == "BYE", "200")
    (back,) = done.headers["from"]
    assert back.split() == f"{sender};tag=a".split()


def test_no_complaint(edge: Edge) -> None:
    assert edge.complaints() == []


@pytest.mark.parametrize(
    "contact", ["*", "<>", "<sip:>", f"<tel:+7{DIGITS}>", f'"7{DIGITS}" {SIM}', f"sip:7{DIGITS}@x"]
)
def test_any_contact(edge: Edge, at: SimpleNamespace, contact: str) -> None:
    caller = private_call(at.mvno)
    callee = at.landline.takes_call()
    connect(caller, callee)
    caller.contact = contact
    caller.send("UPDATE")
    callee.party.pull(0.2)
    for message in callee.party.backlog:
        hidden(message)
    edge.settled()
    first = Leg.calling(at.mvno, CALLED, contact=contact, headers=[("Privacy", "id")])
    edge.settled()
    at.landline.pull()
    for message in at.landline.backlog:
        if message.call_id == first.call_id:
            hidden(message)


def test_the_sim_behind_a_public_number_is_not_seen_either(edge: Edge, at: SimpleNamespace) -> None:
    """The public network calls a SIM's number, no media server stands between, and the SIM moves."""
    caller = Leg.calling(at.backup, f"+7{DIGITS}", caller="<sip:+79161234567@pstn.example>")
    callee = at.mvno.takes_call()
    callee.contact = SIM
    callee.reply(183)
    shown_at = caller.response(lambda status: status == 183).header("Contact")
    assert shown_at == MASK
    assert connect(caller, callee).header("Contact") == MASK
    for method in ("UPDATE", "INVITE"):
        callee.contact = f"<sip:+7{DIGITS}@127.0.5.2:6060;moved={method}>"
        callee.send(method, body=SDP)
        request = caller.expect(method)
        assert request.header("Contact") == MASK
        caller.reply(200, to=request, body=SDP)
        callee.accepted()
        if method == "INVITE":
            assert caller.expect("ACK").header("Contact") in {"", MASK}
    for method in ("UPDATE", "INVITE"):
        caller.send(method, body=SDP)
        request = callee.expect(method)
        assert request.start == f"{method} {callee.contact[1:-1]} SIP/2.0"
        callee.contact = f"<sip:+7{DIGITS}@127.0.5.2:6060;again={method}>"
        callee.reply(200, to=request, body=SDP)
        assert caller.accepted().header("Contact") == MASK
    caller.send("INFO")
    request = callee.expect("INFO")
    assert request.start == f"INFO {callee.contact[1:-1]} SIP/2.0"
    callee.reply(200, to=request)
    caller.accepted()
    bye, _ = caller.hang_up(callee)
    assert bye.start == f"BYE {callee.contact[1:-1]} SIP/2.0"
    edge.wait_events(caller.call_id, Started, Started, Answered, Ended)
