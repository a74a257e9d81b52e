"""Emergency calls always go out; what a trunk asks of us is never asked of the caller."""

from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from edge import Edge
from party import Leg, Party, connect
from test_edge import fmc, media_leg

from demo.sip import Message
from kemi.calls.events import Answered, Ended, Failed, Started

pytestmark = pytest.mark.system

TRUNKS = range(100, 105)


@pytest.fixture(autouse=True)
def _short(edge: Edge) -> None:
    edge.timers(silent=300)


def out_of_service(edge: Edge, numbers: Sequence[int]) -> None:
    for number in numbers:
        edge.rpc("dispatcher.set_state", "i", number, "all")


def test_goes_to_the_network_of_the_handset(edge: Edge, at: SimpleNamespace) -> None:
    caller = Leg.calling(at.mvno, "112")
    callee = at.mvno.takes_call()
    assert callee.invite.start == "INVITE sip:112@127.0.5.2:6060 SIP/2.0"
    assert fmc(callee.invite) == {}
    connect(caller, callee)
    caller.hang_up(callee)
    began, answered, _ = edge.wait_events(caller.call_id, Started, Answered, Ended)
    assert (began.direction, began.record, began.announce) == ("emergency", False, False)
    assert answered.egress == "mvno-main"
    assert at.media.heard() == at.media_2.heard() == []


PLACE = (
    ("P-Access-Network-Info", "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=250991234567"),
    ("Cellular-Network-Info", "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=250997654321;cell-info-age=20"),
)
"""Where the handset is."""


def place(message: Message) -> dict[str, str]:
    return {name: message.header(name) for name, _ in PLACE if name.lower() in message.headers}


def test_help_is_told_where_the_handset_is(at: SimpleNamespace) -> None:
    """By whichever network it goes, and however it is reached; who charges for it nobody is told."""
    caller = Leg.calling(at.mvno, "112", headers=[*PLACE, ("P-Charging-Vector", "icid-value=1")])
    parties: list[Party] = [at.mvno, at.landline, at.wholesale, at.wholesale_2, at.backup]
    for party in (*parties, at.mvno):
        callee = party.takes_call()
        assert place(callee.invite) == dict(PLACE)
        assert "p-charging-vector" not in callee.invite.headers
        callee.refuse(403)
    connect(caller, at.landline.takes_call())


@pytest.mark.parametrize("down", [(), (1,)], ids=["media up", "media down"])
def test_nobody_else_is(edge: Edge, at: SimpleNamespace, down: Sequence[int]) -> None:
    """Nor when media servers are found out to be down by the call itself."""
    out_of_service(edge, down)
    caller = Leg.calling(at.mvno, "84951112233", headers=PLACE)
    if not down:
        for party in (at.media, at.media_2):
            assert place(party.request("INVITE")) == {}
    at.landline.takes_call().refuse(503)
    callee = at.wholesale.takes_call()
    assert place(callee.invite) == {}
    assert place(connect(caller, callee, *PLACE)) == {}
    assert place(caller.hang_up(callee)[0]) == {}


@pytest.mark.parametrize("status", [302, 401, 403, 404, 407, 480, 500, 503])
def test_no_refusal_of_a_network_ends_it(edge: Edge, at: SimpleNamespace, status: int) -> None:
    caller = Leg.calling(at.mvno, "112")
    at.mvno.takes_call().refuse(status)
    callee = at.landline.takes_call()
    connect(caller, callee)
    caller.hang_up(callee)
    _, answered, _ = edge.wait_events(caller.call_id, Started, Answered, Ended)
    assert answered.egress == "landline"


def test_a_network_that_rings_for_ever_is_left(at: SimpleNamespace, edge: Edge) -> None:
    edge.timers(silent=300, ringing=300)
    caller = Leg.calling(at.mvno, "101")
    callee = at.mvno.takes_call()
    callee.reply(180)
    callee.reply(200, to=callee.expect("CANCEL"))
    callee.refuse(487)
    connect(caller, at.landline.takes_call())


def test_busy_is_an_answer(at: SimpleNamespace) -> None:
    caller = Leg.calling(at.mvno, "103")
    at.mvno.takes_call().refuse(486)
    caller.refused(486)
    assert at.landline.heard() == []


def test_goes_out_when_probing_says_that_all_are_down(edge: Edge, at: SimpleNamespace) -> None:
    out_of_service(edge, TRUNKS)
    caller = Leg.calling(at.mvno, "112")
    connect(caller, at.mvno.takes_call())


def test_the_second_network_when_all_are_down_and_the_first_really_is(
    edge: Edge, at: SimpleNamespace
) -> None:
    out_of_service(edge, TRUNKS)
    caller = Leg.calling(at.mvno, "112")
    at.mvno.request("INVITE")
    connect(caller, at.landline.takes_call())


def test_networks_that_are_up_come_first(edge: Edge, at: SimpleNamespace) -> None:
    out_of_service(edge, [100])
    caller = Leg.calling(at.mvno, "112")
    at.landline.takes_call().refuse(503)
    connect(caller, at.wholesale.takes_call())


def test_each_network_is_tried_until_none_is_left(edge: Edge, at: SimpleNamespace) -> None:
    caller = Leg.calling(at.mvno, "112")
    peers: list[Party] = [at.mvno, at.landline, at.wholesale, at.wholesale_2, at.backup]
    for party in peers:
        party.takes_call().refuse(403)
    # Once more, straight to the first peer of each.
    for party in (at.mvno, at.landline, at.wholesale, at.backup):
        party.takes_call().refuse(403)
    assert caller.response().status in {403, 503}
    edge.wait_events(caller.call_id, Started, Failed)


def test_without_media_servers_too(edge: Edge, at: SimpleNamespace) -> None:
    out_of_service(edge, [1])
    caller = Leg.calling(at.mvno, "112")
    connect(caller, at.mvno.takes_call())


@pytest.mark.parametrize("status", [401, 407, 302])
def test_what_a_trunk_asks_of_us_is_not_asked_of_the_caller(
    edge: Edge, at: SimpleNamespace, status: int
) -> None:
    caller = media_leg(at)
    asks = [("WWW-Authenticate", 'Digest realm="x", nonce="y"')]
    for party in (at.wholesale, at.wholesale_2, at.backup):
        callee = party.takes_call()
        callee.reply(status, *asks)
        callee.expect("ACK")
    response = caller.refused(503)
    assert "www-authenticate" not in response.headers
    _, failed = edge.wait_events(caller.call_id, Started, Failed)
    assert failed.status == 503
