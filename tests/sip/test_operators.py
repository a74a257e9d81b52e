"""The simulated operators, called directly: what they send is what the demo relies on."""

import pytest

from demo.audio import tone_seconds
from demo.capture import Capture, Seen, Wire
from demo.operators import WHOLESALE, WHOLESALE_SPARE, Caller, Operators
from demo.sip import Address

pytestmark = pytest.mark.system

CALLER: Address = ("127.0.60.1", 5060)


@pytest.fixture(scope="module")
def wire_of(tmp_path_factory: pytest.TempPathFactory):
    """One call to each kind of party, straight to the peers; gives what was on the wire."""
    here = tmp_path_factory.mktemp("operators")
    operators = Operators(here)
    operators.start()
    calls = {
        "answers": (Caller(CALLER, "+79990000201", "79990000201", "+79161234567", talk=1.0), WHOLESALE),
        "busy": (Caller(("127.0.60.2", 5060), "1", "1", "+79161234486"), WHOLESALE),
        "unknown": (Caller(("127.0.60.3", 5060), "1", "1", "+79161234404"), WHOLESALE),
        "silent": (Caller(("127.0.60.4", 5060), "1", "1", "+79161234408", patience=0.5), WHOLESALE),
        "broken": (Caller(("127.0.60.5", 5060), "1", "1", "+79161234503"), WHOLESALE),
        "spare": (Caller(("127.0.60.6", 5060), "1", "1", "+79161234503", talk=0.2), WHOLESALE_SPARE),
    }
    with Capture(here / "lo.pcap") as capture:
        processes = {
            name: caller.process(name, here, operators.tones, peer) for name, (caller, peer) in calls.items()
        }
        for process in processes.values():
            process.start()
        statuses = {name: process.wait(20) for name, process in processes.items()}
        capture.mark()
    operators.stop()
    assert statuses == dict.fromkeys(calls, 0), (here / "silent.errors").read_text()
    return Wire.read(here / "lo.pcap")


def final(wire: Wire, caller: str) -> Seen:
    return next(s for s in wire.sip if s.target == (caller, 5060) and (s.message.status or 0) >= 200)


@pytest.mark.parametrize(
    ("caller", "status"),
    [("127.0.60.1", 200), ("127.0.60.2", 486), ("127.0.60.3", 404), ("127.0.60.5", 503), ("127.0.60.6", 200)],
)
def test_the_number_says_how_a_party_behaves(wire_of: Wire, caller: str, status: int) -> None:
    assert final(wire_of, caller).message.status == status


def test_giving_up_is_a_cancelled_call(wire_of: Wire) -> None:
    received = [s.message for s in wire_of.sip if s.target == ("127.0.60.4", 5060)]
    assert [(m.status, m.method) for m in received] == [(180, "INVITE"), (200, "CANCEL"), (487, "INVITE")]


def test_each_side_hears_the_other_one(wire_of: Wire) -> None:
    # Four calls begin at once: which INVITE is the first at the peer is chance.
    invites = wire_of.received(WHOLESALE, "INVITE")
    offer = next(one for one in invites if one.source == CALLER).message.audio
    answer = final(wire_of, "127.0.60.1").message.audio
    assert offer
    assert answer
    at_caller, at_called = wire_of.heard(offer), wire_of.heard(answer)
    assert tone_seconds(at_caller, 1060) > 0.9
    assert tone_seconds(at_caller, 500) == 0
    assert tone_seconds(at_called, 500) > 0.9
    assert tone_seconds(at_called, 1060) == 0
