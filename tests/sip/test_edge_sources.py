"""Who may speak to the edge, about what, and where it may be made to send."""

from types import SimpleNamespace

import pytest
from edge import Edge
from party import HOST, SDP, STRANGER, Leg, Party, connect, first_call, request_text
from test_edge import media_leg

from demo.sip import Message
from kemi.calls.events import Answered, Ended, Started

pytestmark = pytest.mark.system


def plain(party: Party, method: str, *headers: tuple[str, str], uri: str = f"sip:{HOST}") -> bytes:
    """A request outside of any dialog, or pretending to be in one by its To tag."""
    own = [
        ("Via", party.via()),
        ("Max-Forwards", "70"),
        ("From", "<sip:79990000201@ims.example>;tag=a"),
        ("Call-ID", f"{method}-{party.via()[-8:]}"),
        ("CSeq", f"1 {method}"),
        ("Contact", f"<sip:x@{party.host}>"),
    ]
    given = {name for name, _ in headers}
    own += [] if "To" in given else [("To", f"<{uri}>")]
    kept = [(name, value) for name, value in own if name not in given]
    return request_text(f"{method} {uri} SIP/2.0", [*kept, *headers])


def answer(party: Party) -> Message:
    return party.expect(lambda one: (one.status or 0) >= 200, "an answer")


UNKNOWN = ("INVITE", "OPTIONS", "REGISTER", "ACK", "BYE", "CANCEL", "MESSAGE", "NOSUCHMETHOD")
GARBAGE = (b"", b"\0", b"\r\n\r\n", b"hello", b"INVITE", b"\xff" * 2000)


def test_a_stranger_hears_nothing(edge: Edge, at: SimpleNamespace) -> None:
    for method in UNKNOWN:
        at.stranger.send(plain(at.stranger, method))
        at.stranger.send(plain(at.stranger, method, ("To", f"<sip:{HOST}>;tag=b")))
    for datagram in GARBAGE:
        at.stranger.send(datagram)
    edge.settled()
    assert at.stranger.heard() == []


def test_a_strangers_reply_goes_nowhere(edge: Edge, at: SimpleNamespace) -> None:
    """A reply that belongs to no transaction is dropped (RFC 6026 section 7.3): nobody reflects through us."""
    for sender in (at.stranger, at.wholesale):
        for status in (100, 180, 200, 487):
            own = [
                ("Via", f"SIP/2.0/UDP {HOST};branch=z9hG4bKabc.def.0"),
                ("Via", f"SIP/2.0/UDP {at.backup.host};branch=z9hG4bKxyz"),
                ("From", "<sip:a@b>;tag=a"),
                ("To", "<sip:c@d>;tag=b"),
                ("Call-ID", "stray"),
                ("CSeq", "1 INVITE"),
            ]
            sender.send(request_text(f"SIP/2.0 {status} Hello", own))
    edge.settled()
    assert at.backup.heard() == []


def test_a_known_peer_may_ask_whether_we_are_there(edge: Edge, at: SimpleNamespace) -> None:
    at.mvno.send(plain(at.mvno, "OPTIONS"))
    reply = answer(at.mvno)
    assert reply.status == 200
    assert "server" not in reply.headers
    edge.settled()
    assert at.mvno.heard() == []


@pytest.mark.parametrize("method", ["REGISTER", "SUBSCRIBE", "MESSAGE", "PUBLISH", "REFER", "NOSUCHMETHOD"])
def test_what_we_do_not_do(at: SimpleNamespace, method: str) -> None:
    at.mvno.send(plain(at.mvno, method))
    reply = answer(at.mvno)
    assert reply.status == 405
    assert "INVITE" in reply.header("Allow")


FOREIGN = f"<sip:{STRANGER[0]}:{STRANGER[1]};lr>"
OWN = f"<sip:{HOST};lr>"


@pytest.mark.parametrize("routes", [[FOREIGN], [OWN, FOREIGN], [f"{OWN}, {FOREIGN}"], [FOREIGN, OWN]])
def test_preloaded_routes_are_refused(edge: Edge, at: SimpleNamespace, routes: list[str]) -> None:
    at.mvno.send(
        plain(at.mvno, "INVITE", *(("Route", route) for route in routes), uri=f"sip:89161234567@{HOST}")
    )
    assert answer(at.mvno).status == 403
    edge.settled()
    assert at.stranger.heard() == at.media.heard() == at.media_2.heard() == []


def test_our_own_route_alone_is_taken_off(at: SimpleNamespace) -> None:
    """Some send to us by a Route of ours."""
    caller = Leg.calling(
        at.wholesale, "+79990000201", headers=[("Route", OWN)], caller="<sip:+79161234567@p>"
    )
    callee = first_call(at.media, at.media_2)
    assert "route" not in callee.invite.headers
    callee.refuse(486)
    caller.refused(486)


@pytest.mark.parametrize("method", ["BYE", "INVITE", "INFO", "UPDATE"])
@pytest.mark.parametrize("routes", [[], [FOREIGN], [OWN, FOREIGN], [f"<sip:{HOST};lr;did=1.2>", FOREIGN]])
def test_a_dialog_we_do_not_know(edge: Edge, at: SimpleNamespace, method: str, routes: list[str]) -> None:
    headers = [("To", "<sip:x@y>;tag=b"), *(("Route", route) for route in routes)]
    at.mvno.send(plain(at.mvno, method, *headers, uri=f"sip:x@{STRANGER[0]}:{STRANGER[1]}"))
    assert answer(at.mvno).status == 481
    edge.settled()
    assert at.stranger.heard() == []


def test_a_request_uri_cannot_lead_away(edge: Edge, at: SimpleNamespace) -> None:
    """Nor can its parameters: the host is a known peer's, maddr is not (RFC 3261 section 19.1.1)."""
    for uri in (
        f"sip:x@{STRANGER[0]}:{STRANGER[1]}",
        f"sip:x@{at.wholesale.host};maddr={STRANGER[0]}",
        f"sip:x@{at.wholesale.address[0]};maddr={STRANGER[0]}",
    ):
        at.mvno.send(plain(at.mvno, "BYE", ("To", "<sip:x@y>;tag=b"), ("Route", OWN), uri=uri))
    edge.settled()
    assert at.stranger.heard() == []


def test_an_ack_for_nothing_goes_nowhere(edge: Edge, at: SimpleNamespace) -> None:
    for routes in ([], [FOREIGN], [OWN, FOREIGN]):
        headers = [("To", "<sip:x@y>;tag=b"), *(("Route", route) for route in routes)]
        at.mvno.send(plain(at.mvno, "ACK", *headers, uri=f"sip:x@{STRANGER[0]}:{STRANGER[1]}"))
    at.mvno.send(plain(at.mvno, "ACK", uri=f"sip:x@{STRANGER[0]}:{STRANGER[1]}"))
    edge.settled()
    assert at.mvno.heard() == at.stranger.heard() == []


def test_a_cancel_for_nothing(edge: Edge, at: SimpleNamespace) -> None:
    at.mvno.send(plain(at.mvno, "CANCEL"))
    assert answer(at.mvno).status == 481
    edge.settled()
    assert at.mvno.heard() == []


def test_somebody_elses_dialog(edge: Edge, at: SimpleNamespace) -> None:
    """A stranger who knows all of a dialog's ids still is a stranger."""
    caller = media_leg(at)
    callee = at.wholesale.takes_call()
    connect(caller, callee)
    own, caller.party = caller.party, at.stranger
    caller.send("BYE")
    edge.settled()
    assert at.wholesale.heard() == at.stranger.heard() == []
    caller.party = own
    caller.hang_up(callee)
    edge.wait_events(caller.call_id, Started, Answered, Ended)


def test_the_far_end_may_move_within_its_dialog(edge: Edge, at: SimpleNamespace) -> None:
    """A known dialog follows its Contact, wherever that is."""
    caller = media_leg(at)
    callee = at.wholesale.takes_call()
    callee.reply(200, ("X", "y"), body=SDP)
    accepted = caller.accepted()
    assert accepted.status == 200
    callee.expect("ACK")
    caller.target = f"sip:callee@{at.stranger.host}"
    caller.send("BYE")
    bye = at.stranger.request("BYE")
    assert len(bye.headers["via"]) == 2
    callee.party = at.stranger
    callee.reply(200, to=bye)
    edge.settled()
    edge.wait_events(caller.call_id, Started, Answered, Ended)


def test_too_many_hops(at: SimpleNamespace) -> None:
    at.mvno.send(plain(at.mvno, "INVITE", ("Max-Forwards", "0")))
    assert answer(at.mvno).status == 483


def test_strangers_leave_no_line(edge: Edge, at: SimpleNamespace) -> None:
    """What anybody can send must not fill the log."""
    before = len(edge.log())
    for _ in range(20):
        for datagram in GARBAGE:
            at.stranger.send(datagram)
        for method in UNKNOWN:
            at.stranger.send(plain(at.stranger, method))
    edge.settled()
    assert edge.log()[before:] == ""


def test_no_complaint(edge: Edge) -> None:
    assert edge.complaints() == []
