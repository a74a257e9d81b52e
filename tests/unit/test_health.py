"""Why something is not well: from what a node says of itself."""

import msgspec
import pytest

from kemi.agent.health import Lag, lag_of, report, span
from kemi.agent.nodestate import Follow, NodeState, Peer, TrunkState, as_json, from_json

NOW = 1_800_000_000.0
UP = Peer("sip:192.0.2.1", "up")
DOWN = Peer("sip:192.0.2.2:5062", "down")
WELL = NodeState(
    at=NOW,
    revision=7,
    revision_at=1,
    trunks=(TrunkState("mvno", (UP,)),),
    media=(UP,),
    spool=0,
    agents={"sync": True, "ship": True},
    follow=Follow(at=NOW, current_at=NOW - 1),
)


def said(state: NodeState | None = WELL, *, heard: float = 0, lag: Lag | None = None, **changes) -> list[str]:
    if state is not None:
        state = msgspec.structs.replace(state, **changes)
    return [
        one.what
        for one in report("edge-1", state, own=not heard, heard=heard, lag=lag or Lag(0, 0), now=NOW).problems
    ]


def test_a_node_that_is_well() -> None:
    made = report("edge-1", WELL, own=True, heard=0, lag=Lag(0, 0), now=NOW)
    assert (made.problems, made.notes, made.age) == ((), (), 1)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"agents": {"sync": False, "ship": True}}, "sync agent does not run"),
        ({"agents": {"sync": True, "ship": False}}, "ship agent does not run"),
        ({"follow": Follow(at=NOW - 60)}, "does not get on"),
        ({"follow": None}, "does not get on"),
        ({"follow": Follow(at=NOW, database="refused")}, r"does not read the database (refused)"),
        ({"follow": Follow(at=NOW, hindrance="disk full")}, "cannot write (disk full)"),
        ({"follow": Follow(at=NOW, reload="ongoing reload")}, "did not load a list (ongoing reload)"),
        ({"revision": None, "snapshot": "damaged"}, "no snapshot to be trusted (damaged)"),
        ({"lag": Lag(3, 12.0)}, "lacks 3 revisions, since 12 s"),
        ({"lag": Lag(-3, 0)}, "newer than the database"),
        ({"kamailio": "no answer in time"}, "Kamailio does not answer (no answer in time)"),
        ({"trunks": (TrunkState("t", (DOWN,)),)}, "trunk t: sip:192.0.2.2:5062 does not answer OPTIONS"),
        ({"trunks": (TrunkState("t", (UP, Peer("sip:x", "disabled"))),)}, "sip:x was taken out of service"),
        ({"trunks": (TrunkState("t", (Peer("sip:x", "not loaded"),)),)}, "not known to Kamailio"),
        ({"media": (DOWN, UP)}, "media: sip:192.0.2.2:5062 does not answer"),
        ({"media": ()}, "there is no media server"),
        ({"spool": None}, "the spool cannot be read"),
        ({"spool": 20_000}, "20000 events wait"),
    ],
)
def test_what_is_not_well(changes: dict, what: str) -> None:
    (problem,) = said(**changes)
    assert what in problem


def test_each_problem_says_what_to_do() -> None:
    state = msgspec.structs.replace(WELL, agents={}, revision=None, kamailio="gone", spool=None)
    made = report("edge-1", state, own=True, heard=0, lag=None, now=NOW)
    assert len(made.problems) == 5
    assert all(problem.do and "\n" not in problem.what + problem.do for problem in made.problems)


def test_a_revision_on_its_way_is_no_problem() -> None:
    assert said(lag=Lag(1, 0.4)) == []


def test_of_a_silent_node_nothing_else_is_said() -> None:
    (problem,) = said(heard=300, agents={})
    assert "for 5 min" in problem


def test_a_node_of_another_version() -> None:
    assert from_json({"at": "?"}) is None
    (problem,) = said(None, heard=1)
    assert "another version" in problem


def test_where_kamailio_is_gone_its_peers_are_not_blamed() -> None:
    unknown = (TrunkState("t", (Peer("sip:x", "unknown"),)),)
    (problem,) = said(kamailio="gone", trunks=unknown, media=(Peer("sip:y", "unknown"),))
    assert "Kamailio" in problem


def test_a_registration_is_a_note() -> None:
    trunk = TrunkState("t", (UP,), "not supported yet")
    state = msgspec.structs.replace(WELL, trunks=(trunk,))
    made = report("edge-1", state, own=True, heard=0, lag=Lag(0, 0), now=NOW)
    assert made.problems == ()
    assert made.notes == ("trunk t asks for a registration: not supported yet",)


def test_a_state_goes_through_the_database() -> None:
    assert from_json(as_json(WELL)) == WELL


def test_lag() -> None:
    made = {8: NOW - 5}
    assert lag_of(7, 9, made, NOW) == Lag(2, 5)
    assert lag_of(9, 9, made, NOW) == Lag(0, 0)
    assert lag_of(12, 9, made, NOW) == Lag(-3, 0)
    assert lag_of(None, 9, made, NOW) is None


def test_spans() -> None:
    assert [span(seconds) for seconds in (0.4, 59, 119, 120, 7200, 200_000)] == [
        *("0 s", "59 s", "119 s", "2 min", "2 h", "2 d"),
    ]
