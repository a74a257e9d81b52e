"""Who a party says it is, in every direction of a dialog: on the wire, header by header."""

from collections.abc import Iterable
from types import SimpleNamespace

import pytest
from edge import Edge
from party import HOST, SDP, Leg, connect, first_call, tag_of
from test_edge import added, media_leg

from demo.sip import Message
from kemi.calls.events import Answered, Ended, Started

pytestmark = pytest.mark.system

SIM = "+79990000201"
CLIENT = "+79161234567"
ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'


def whole(message: Message) -> str:
    """All of a message as one text."""
    headers = (f"{name}: {value}" for name, values in message.headers.items() for value in values)
    return "\n".join([message.start, *headers, message.body])


def shown(message: Message) -> dict[str, tuple[str, ...]]:
    """The headers by which a party is named, beside From and To."""
    names = {
        "p-asserted-identity",
        "p-preferred-identity",
        "remote-party-id",
        "privacy",
        "diversion",
        "history-info",
    }
    return {name: values for name, values in message.headers.items() if name in names}


def asserted(number: str) -> dict[str, tuple[str, ...]]:
    return {"p-asserted-identity": (f"<sip:{number}@{HOST}>",)}


def says(number: str, *more: tuple[str, str]) -> Iterable[tuple[str, str]]:
    return (("P-Asserted-Identity", f"<sip:{number}@ims.example>"), *more)


# -- towards the called side -------------------------------------------------------------------------


def test_what_arrived_is_in_the_record(edge: Edge, at: SimpleNamespace) -> None:
    """Every header, every occurrence, also where nobody believes it."""
    headers = [
        ("P-Asserted-Identity", "<sip:+79160000001@pstn.example>"),
        ("p-asserted-identity", "<tel:+79160000002>"),
        ("Remote-Party-ID", "<sip:+79160000003@pstn.example>;party=calling"),
        ("P-Preferred-Identity", "<sip:+79160000004@pstn.example>"),
        ("Diversion", "<sip:+79160000005@pstn.example>;reason=no-answer"),
        ("DIVERSION", "<sip:+79160000006@pstn.example>;reason=user-busy, <sip:+79160000007@pstn.example>"),
        ("History-Info", "<sip:+79160000008@pstn.example>;index=1"),
    ]
    caller = Leg.calling(at.wholesale, SIM, caller=f"<sip:{CLIENT}@pstn.example>", headers=headers)
    invite = first_call(at.media, at.media_2).invite
    assert invite.headers["p-asserted-identity"] == (f"<sip:{CLIENT}@{HOST}>",)
    (began,) = edge.wait_events(caller.call_id, Started)
    recorded = {number.canonical for number in began.identity.values()}
    assert recorded >= {CLIENT, *(f"+7916000000{last}" for last in range(1, 8))}


def test_what_a_media_server_says_leaves_as_routing_wrote_it(at: SimpleNamespace) -> None:
    """Its Diversion is read; nothing of it passes unread."""
    forged = {
        "Diversion": "<sip:+79990000209@127.0.5.8>;reason=no-answer;x=unread",
        "History_Info": "<sip:+79990000209@127.0.5.8>;index=1",
        "P_Preferred_Identity": "<sip:+79990000209@127.0.5.8>",
        "Remote_Party_ID": "<sip:+79990000209@127.0.5.8>",
        "P_Called_Party_ID": "<sip:+79990000209@127.0.5.8>",
        "P_Served_User": "<sip:+79990000209@127.0.5.8>",
    }
    media_leg(at, **forged)
    invite = at.wholesale.takes_call().invite
    assert "unread" not in whole(invite)
    assert set(shown(invite)) <= {"p-asserted-identity", "diversion"}
    assert "<sip:+79990000209@127.0.5.8>" not in whole(invite)


@pytest.mark.parametrize(("case", "direction"), [("orig", "internal"), ("term", "mobile_terminated")])
def test_the_top_route_says_which_side_the_network_serves(
    edge: Edge, at: SimpleNamespace, case: str, direction: str
) -> None:
    """A Route of ours is taken off, and read before."""
    caller = Leg.calling(at.mvno, "+79990000202", headers=[("Route", f"<sip:{HOST};lr;{case}>")])
    callee = first_call(at.media, at.media_2)
    assert "route" not in callee.invite.headers
    (began,) = edge.wait_events(caller.call_id, Started)
    assert began.direction == direction
    callee.reply(100)
    callee.refuse(486)
    caller.refused(486)


def test_a_call_that_has_been_here_is_known_wherever_its_mark_stands(edge: Edge, at: SimpleNamespace) -> None:
    """Other networks mark calls too, each with a header of its own."""
    marks = [("Loop-Guard", "other"), ("loop-guard", "another"), ("Loop-Guard", "fmc-edge")]
    caller = Leg.calling(at.mvno, "89161234567", headers=marks)
    caller.refused(482)
    (began,) = edge.wait_events(caller.call_id, Started)
    assert began.reason == "loop_detected"


# -- the way back ------------------------------------------------------------------------------------


def test_who_answered_is_told_to_media(edge: Edge, at: SimpleNamespace) -> None:
    """The mobile network is believed, in its shape; media is told E.164."""
    caller = media_leg(
        at, "201", X_FMC_Direction="mobile_terminated", P_Asserted_Identity=f"<sip:{CLIENT}@m>"
    )
    callee = at.mvno.takes_call()
    for status in (180, 183):
        callee.reply(status, *says("79990000201"))
        assert shown(caller.response(lambda seen, wanted=status: seen == wanted)) == asserted(SIM)
    accepted = connect(caller, callee, *says("79990000201", ("Privacy", "id")))
    assert shown(accepted) == asserted(SIM) | {"privacy": ("id",)}
    bye, done = caller.hang_up(callee)
    assert shown(bye) == shown(done) == {}
    edge.wait_events(caller.call_id, Started, Answered, Ended)


def test_who_answered_is_told_to_the_mobile_network(at: SimpleNamespace) -> None:
    caller = Leg.calling(at.mvno, "89161234567")
    callee = first_call(at.media, at.media_2)
    callee.reply(183, *says(CLIENT))
    assert shown(caller.response(lambda status: status == 183)) == asserted(CLIENT)
    assert shown(connect(caller, callee, *says(CLIENT))) == asserted(CLIENT)
    caller.hang_up(callee)


@pytest.mark.parametrize("header", ["P-Asserted-Identity", "Remote-Party-ID", "remote-party-id"])
def test_a_sim_behind_a_did_is_not_for_the_caller_to_know(at: SimpleNamespace, header: str) -> None:
    """The public network is told the number that it called, whatever rang there."""
    caller = Leg.calling(
        at.landline, "4951234567", caller="<sip:9161234567@pstn.example>", to="<sip:4951234567@pbx.example>"
    )
    callee = first_call(at.media, at.media_2)
    answerer = [(header, f"<sip:{SIM}@127.0.5.8>"), ("History-Info", f"<sip:{SIM}@127.0.5.8>;index=1")]
    callee.reply(180, *answerer)
    ringing = caller.response(lambda status: status == 180)
    accepted = connect(caller, callee, *answerer)
    for reply in (ringing, accepted):
        assert shown(reply) == asserted("84951234567")
        assert SIM[1:] not in whole(reply)
    _, done = caller.hang_up(callee)
    assert shown(done) == {}


def test_a_strangers_word_of_who_answered(at: SimpleNamespace) -> None:
    """A public network is not believed, unless it says what we know: the number we called."""
    caller = media_leg(at)
    callee = at.wholesale.takes_call()
    callee.reply(180, *says("+74959999999"))
    assert shown(caller.response(lambda status: status == 180)) == {}
    assert shown(connect(caller, callee, *says(CLIENT))) == asserted(CLIENT)
    caller.hang_up(callee)


def test_a_refusal_names_nobody(at: SimpleNamespace) -> None:
    caller = media_leg(
        at, "201", X_FMC_Direction="mobile_terminated", P_Asserted_Identity=f"<sip:{CLIENT}@m>"
    )
    callee = at.mvno.takes_call()
    callee.reply(486, *says("79990000201"))
    callee.expect("ACK")
    assert shown(caller.refused(486)) == {}


@pytest.mark.parametrize(
    "value",
    ["", "<", "<sip:>", '"' * 500, "x" * 3000, "<sip:\\xff@x>", ", ".join(["<sip:79990000201@x>"] * 100)],
)
def test_whatever_stands_there_the_reply_goes_on(edge: Edge, at: SimpleNamespace, value: str) -> None:
    caller = media_leg(
        at, "201", X_FMC_Direction="mobile_terminated", P_Asserted_Identity=f"<sip:{CLIENT}@m>"
    )
    callee = at.mvno.takes_call()
    before = len(edge.log())
    accepted = connect(
        caller, callee, ("P-Asserted-Identity", value), ("P-Asserted-Identity", value), ("Privacy", value)
    )
    assert (accepted.header("From"), accepted.body) == (caller.local, SDP)
    assert set(added(accepted)) <= {"p-asserted-identity", "privacy"}
    assert accepted.headers.get("p-asserted-identity", ()) in {(), asserted(SIM)["p-asserted-identity"]}
    caller.hang_up(callee)
    assert "handler_failed" not in edge.log()[before:]


# -- later requests ----------------------------------------------------------------------------------


def talking(at: SimpleNamespace) -> tuple[Leg, Leg]:
    """A client's call from media to a SIM, answered."""
    caller = media_leg(
        at, "201", X_FMC_Direction="mobile_terminated", P_Asserted_Identity=f"<sip:{CLIENT}@m>"
    )
    callee = at.mvno.takes_call()
    connect(caller, callee)
    return caller, callee


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_a_later_request_of_the_called_side(at: SimpleNamespace, method: str) -> None:
    """A transfer in the mobile network: somebody else speaks now. Both sides keep their From and To."""
    caller, callee = talking(at)
    body = SDP if method == "INVITE" else ""
    callee.send(method, *says("79990000202", ("Privacy", "none")), body=body)
    seen = caller.expect(method)
    assert shown(seen) == asserted("+79990000202")
    assert (seen.header("From"), seen.header("To")) == (caller.remote, caller.local)
    caller.reply(200, *says("+79161112233"), to=seen, body=body)
    done = callee.response(lambda status: status == 200)
    assert shown(done) == asserted("+79161112233")
    assert (done.header("From"), done.header("To")) == (callee.local, callee.remote)
    if method == "INVITE":
        ack = caller.expect("ACK")
        assert (ack.header("From"), ack.header("To")) == (caller.remote, caller.local)
    caller.hang_up(callee)


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_a_later_request_of_the_calling_side(at: SimpleNamespace, method: str) -> None:
    caller, callee = talking(at)
    body = SDP if method == "INVITE" else ""
    caller.send(method, *says("+79161112233"), body=body)
    seen = callee.expect(method)
    assert shown(seen) == asserted("+79161112233")
    assert (seen.header("From"), seen.header("To")) == (callee.remote, callee.local)
    callee.reply(200, *says("79990000202"), to=seen, body=body)
    done = caller.accepted()
    assert shown(done) == asserted("+79990000202")
    assert (done.header("From"), done.header("To")) == (caller.local, caller.remote)
    if method == "INVITE":
        ack = callee.expect("ACK")
        assert (ack.header("From"), ack.header("To")) == (callee.remote, callee.local)
    caller.hang_up(callee)


def test_updates_before_the_answer(at: SimpleNamespace) -> None:
    """RFC 3311: in an early dialog too, in both directions."""
    caller = media_leg(
        at, "201", X_FMC_Direction="mobile_terminated", P_Asserted_Identity=f"<sip:{CLIENT}@m>"
    )
    callee = at.mvno.takes_call()
    callee.reply(183)
    caller.established(caller.response(lambda status: status == 183))

    callee.send("UPDATE", *says("79990000202"))
    seen = caller.expect("UPDATE")
    assert shown(seen) == asserted("+79990000202")
    assert (seen.header("From"), seen.header("To")) == (caller.remote, caller.local)
    caller.reply(200, to=seen)
    done = callee.accepted()
    assert (done.header("From"), done.header("To")) == (callee.local, callee.remote)

    caller.send("UPDATE", *says("+79161112233"))
    seen = callee.expect("UPDATE")
    assert shown(seen) == asserted("+79161112233")
    assert (seen.header("From"), seen.header("To")) == (callee.remote, callee.local)
    callee.reply(200, *says("79990000202"), to=seen)
    assert shown(caller.accepted()) == asserted("+79990000202")

    connect(caller, callee)
    bye, done = callee.hang_up(caller)
    assert (bye.header("From"), bye.header("To")) == (caller.remote, caller.local)
    assert (done.header("From"), done.header("To")) == (callee.local, callee.remote)


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_a_public_network_is_told_nothing_new(at: SimpleNamespace, method: str) -> None:
    """Towards a carrier only what it may know, and of a carrier's word nothing."""
    caller = media_leg(at)
    callee = at.wholesale.takes_call()
    connect(caller, callee)
    caller.send(method, *says(SIM, ("Privacy", "none")), body=SDP)
    seen = callee.expect(method)
    assert SIM[1:] not in whole(seen)
    assert shown(seen) == {}
    callee.reply(200, *says(SIM), to=seen, body=SDP)
    assert shown(caller.accepted()) == {}
    if method == "INVITE":
        callee.expect("ACK")
    callee.send(method, *says("+74959999999"), body=SDP)
    seen = caller.expect(method)
    assert shown(seen) == {}
    caller.reply(200, *says(SIM), to=seen, body=SDP)
    done = callee.accepted()
    assert shown(done) == {}
    assert SIM[1:] not in whole(done)
    if method == "INVITE":
        caller.expect("ACK")
    caller.hang_up(callee)


@pytest.mark.parametrize("method", ["BYE", "INFO", "MESSAGE"])
def test_other_requests_name_nobody(at: SimpleNamespace, method: str) -> None:
    caller, callee = talking(at)
    for one, other in ((caller, callee), (callee, caller)):
        one.send(method, *says("+79990000202"))
        seen = other.expect(method)
        other.reply(200, *says("+79990000202"), to=seen)
        assert shown(seen) == shown(one.accepted()) == {}
        if method == "BYE":
            break
    if method != "BYE":
        caller.hang_up(callee)


@pytest.mark.parametrize("media_up", [True, False], ids=["media up", "media down"])
def test_an_ack_names_nobody(edge: Edge, at: SimpleNamespace, media_up: bool) -> None:
    """Also where nobody hides, and whoever answered."""
    if not media_up:
        edge.rpc("dispatcher.set_state", "i", 1, "all")
    caller = Leg.calling(at.mvno, "84951112233")
    callee = first_call(at.media, at.media_2) if media_up else at.landline.takes_call()
    callee.answer()
    caller.established(at.mvno.expect(lambda one: one.call_id == caller.call_id and one.status == 200, "200"))
    names = ("P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "X-FMC-Subscriber")
    caller.send("ACK", *((name, f"<sip:{SIM}@ims.example>") for name in names), sequence=1)
    assert added(callee.expect("ACK")) == set()
    caller.hang_up(callee)


def test_a_private_caller_has_no_name(at: SimpleNamespace) -> None:
    """Neither in From nor beside it; and back, each side sees what it wrote."""
    caller = media_leg(at, Privacy="id", P_Asserted_Identity=f"<sip:{SIM}@127.0.5.8>")
    callee = at.wholesale.takes_call()
    sender = callee.invite.header("From")
    assert sender == f"{ANONYMOUS};tag={tag_of(caller.local)}"
    assert SIM[1:] not in whole(callee.invite)
    accepted = connect(caller, callee)
    assert accepted.header("From") == caller.local
    caller.send("UPDATE")
    update = callee.expect("UPDATE")
    assert update.header("From") == sender
    callee.reply(200, to=update)
    assert caller.accepted().header("From") == caller.local
    bye, done = callee.hang_up(caller)
    assert bye.header("To") == caller.local
    assert done.header("To") == sender


def test_no_complaint(edge: Edge) -> None:
    """After all the calls above."""
    assert edge.complaints() == []
