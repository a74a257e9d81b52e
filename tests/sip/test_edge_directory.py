"""The directory changes, breaks or is away while calls are made: Kamailio and its workers go on."""

import os
import random
import shutil
import signal
import statistics
import time
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from edge import DIRECTORY, Edge
from party import WAIT, Leg, connect, first_call
from test_edge import media_leg
from test_edge_restart import NEW_SUBSCRIBER, NEW_TRUNK, answered_calls, fmcctl_apply, wait_applied

from demo.processes import Process
from kemi import store
from kemi.agent import nodestate
from kemi.cli import status
from kemi.directory import edit, rows, seal
from kemi.directory.tables import SubscriberRow

pytestmark = pytest.mark.system

SIM = "<sip:79990000202@ims.example>"
NEW_SIM = "<sip:79990000203@ims.example>"


def accepted(at: SimpleNamespace, caller: str = SIM) -> bool:
    """Call a client: whether the decision was to take the call to a media server."""
    leg = Leg.calling(at.mvno, "89161234567", caller=caller)
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        for media in (at.media, at.media_2):
            media.pull(0.001)
            if any(one.method == "INVITE" and one.call_id == leg.call_id for one in media.backlog):
                callee = first_call(at.media, at.media_2)
                callee.refuse(486)
                leg.refused(486)
                return True
        at.mvno.pull(0.001)
        if any(one.call_id == leg.call_id and one.status == 403 for one in at.mvno.backlog):
            leg.refused(403)
            return False
    raise AssertionError("no answer")


def works(at: SimpleNamespace, *, new: bool = False) -> None:
    """Calls of somebody who was always there, of somebody new, and of a stranger's SIM."""
    for _ in range(4):
        assert accepted(at)
        assert accepted(at, NEW_SIM) is new


def with_new_subscriber() -> str:
    return DIRECTORY.replace("    subscribers:\n", "    subscribers:\n" + NEW_SUBSCRIBER, 1)


def wait_new(at: SimpleNamespace) -> None:
    deadline = time.monotonic() + WAIT
    while not accepted(at, NEW_SIM):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def suspend(engine: store.Engine, extension: str, *, suspended: bool) -> None:
    with edit.writing(engine) as connection:
        before = rows.held(connection)[SubscriberRow]["company", extension]
        after = {**before, "suspended": suspended}
        changed = edit.Edit(SubscriberRow, ("company", extension), before, after)
        edit.commit(connection, [changed], who="tester", what="toggled")


def wait_at_work(own: Edge) -> None:
    """Wait until the agent has seen the snapshot to be the newest."""
    deadline = time.monotonic() + WAIT
    while not ((told := nodestate.read_follow(own.settings)) and told.current_at):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_change_is_in_effect_within_a_second(own: Edge, parties: SimpleNamespace, agent: Process) -> None:
    """From the commit's return until a worker of Kamailio decides by it."""
    chance = random.Random(1)  # noqa: S311  the same in every run
    engine = store.engine_for(own.settings.database)
    assert agent.alive
    taken = []
    for number in range(41):
        time.sleep(chance.random() * 0.1)
        suspend(engine, "202", suspended=number % 2 == 0)
        begun = time.monotonic()
        while accepted(parties) is (number % 2 == 0):
            assert time.monotonic() - begun < WAIT
        taken.append(time.monotonic() - begun)
    engine.dispose()
    taken = sorted(taken[1:])  # the first may wait for the agent's start
    assert taken[-1] < 1, taken
    assert statistics.median(taken) < 0.3, taken


def test_trunks_change_under_calls(own: Edge, parties: SimpleNamespace, agent: Process) -> None:
    """Conversations go on and end as always, also on a trunk that is gone."""
    pairs = answered_calls(own, parties)
    changed = DIRECTORY.replace("trunks:\n", "trunks:\n" + NEW_TRUNK, 1)
    without = changed.replace("[landline, wholesale]", "[landline]").replace(
        "[wholesale, backup]", "[backup]"
    )
    begin, end = without.index("  wholesale:\n"), without.index("  backup:\n")
    fmcctl_apply(own, without[:begin] + without[end:])
    wait_applied(agent, 2)
    for number, (caller, callee) in enumerate(pairs):
        first, second = (caller, callee) if number % 2 else (callee, caller)
        _, done = first.hang_up(second)
        assert done.status == 200
    caller = media_leg(parties)
    callee = parties.backup.takes_call()
    connect(caller, callee)
    caller.hang_up(callee)
    assert "handler_failed" not in own.log()


def test_sql_and_agent_are_gone(own: Edge, parties: SimpleNamespace, agent: Process) -> None:
    works(parties)
    assert agent.pid
    os.kill(agent.pid, signal.SIGKILL)
    agent.wait(WAIT)
    database = Path(own.settings.database.removeprefix("sqlite:///"))
    for file in database.parent.glob("fmc.sqlite*"):
        file.rename(file.with_name(f"gone-{file.name}"))
    works(parties)
    # Started again without SQL, and after a start of the machine: the snapshot is read as a whole first.
    own.kill()
    in_use = own.settings.snapshot / (seal.current(own.settings.snapshot) or "")
    sealed = msgspec.json.decode((in_use / "seal.json").read_bytes())
    (in_use / "seal.json").write_bytes(msgspec.json.encode(sealed | {"boot": "before"}))
    own.start()
    works(parties)

    found = status.look(own.settings)
    (node,) = found.nodes
    assert not found.well
    assert "there is no database" in found.database
    assert node.state is not None
    assert node.state.revision == 1
    assert {peer.health for trunk in node.state.trunks for peer in trunk.peers} == {"not probed"}
    assert any("sync agent does not run" in problem.what for problem in node.problems)
    # SQL comes back, then the agent.
    for file in database.parent.glob("gone-fmc.sqlite*"):
        file.rename(file.with_name(file.name.removeprefix("gone-")))
    agent.start()
    fmcctl_apply(own, with_new_subscriber())
    wait_new(parties)
    works(parties, new=True)


@pytest.mark.parametrize("what", ["all", "generation", "data", "link"])
def test_the_snapshot_is_deleted_under_running_workers(
    own: Edge, parties: SimpleNamespace, agent: Process, what: str
) -> None:
    works(parties)
    assert agent.pid
    os.kill(agent.pid, signal.SIGKILL)
    agent.wait(WAIT)
    path = own.settings.snapshot
    in_use = path / (seal.current(path) or "")
    match what:
        case "all":
            shutil.rmtree(path)
        case "generation":
            shutil.rmtree(in_use)
        case "data":
            (in_use / seal.DATA).unlink()
        case "link":
            (path / seal.CURRENT).unlink()
    time.sleep(0.3)
    works(parties)
    fmcctl_apply(own, with_new_subscriber())
    works(parties)
    agent.start()
    wait_new(parties)
    works(parties, new=True)
    assert "handler_failed" not in own.log()


@pytest.mark.parametrize(
    "content",
    [b"", bytes(200_000), random.Random(1).randbytes(200_000)],  # noqa: S311
    ids=["empty", "zeroes", "garbage"],
)
def test_the_snapshot_is_replaced_by_what_is_none(
    own: Edge, parties: SimpleNamespace, agent: Process, content: bytes
) -> None:
    """The agent runs: it notices by itself, and writes it anew."""
    wait_at_work(own)
    works(parties)
    path = own.settings.snapshot
    name = seal.current(path) or ""
    (path / name / seal.DATA).unlink()
    (path / name / seal.DATA).write_bytes(content)
    works(parties)
    deadline = time.monotonic() + WAIT
    while seal.current(path) == name:
        assert time.monotonic() < deadline, agent.tail()
        time.sleep(0.02)
    works(parties)
    fmcctl_apply(own, with_new_subscriber())
    wait_new(parties)
    assert '"event":"snapshot_damaged"' in agent.tail(100)
    assert own.process.alive
    assert "handler_failed" not in own.log()


def test_what_status_says_of_peers(own: Edge, parties: SimpleNamespace) -> None:
    own.rpc("dispatcher.set_state", "ip", 102, "all")
    own.rpc("dispatcher.set_state", "ap", 101, "all")
    own.rpc("dispatcher.set_state", "dx", 103, "all")
    (node,) = status.look(own.settings).nodes
    assert node.state is not None
    health = {trunk.name: {peer.health for peer in trunk.peers} for trunk in node.state.trunks}
    assert health["wholesale"] == {"down"}
    assert health["landline"] == {"up"}
    assert health["backup"] == {"disabled"}
    assert node.state.kamailio == ""
    assert node.state.spool is not None
    before = node.state.spool
    accepted(parties)
    own.settled()
    (node,) = status.look(own.settings).nodes
    assert node.state is not None
    assert node.state.spool is not None
    assert node.state.spool > before
    assert nodestate.read_follow(own.settings) is None
