"""fmcctl status: this node asked itself, the others as they reported."""

import json
import time
from pathlib import Path

import pytest

from kemi import settings, store
from kemi.agent import nodestate, sync
from kemi.agent.alone import alone
from kemi.agent.nodestate import Follow, NodeState, Peer, TrunkState
from kemi.cli import main
from kemi.cli import status as command
from kemi.directory import rows
from kemi.directory.apply import apply
from kemi.directory.tables import NodeRow
from kemi.directory.yamlfile import load

EXAMPLE = Path(store.__file__).parent.parent / "examples" / "company.yaml"


@pytest.fixture
def node(tmp_path, monkeypatch):
    monkeypatch.delenv("FMC_DATABASE", raising=False)
    monkeypatch.setenv("FMC_STATE", str(tmp_path))
    monkeypatch.setenv("FMC_NODE", "edge-1")
    configured = settings.load()
    store.migrate(configured.database)
    engine = store.engine_for(configured.database)
    apply(engine, load(EXAMPLE), who="tester", file="f.yaml")
    engine.dispose()
    sync.sync_once(configured)
    return configured


@pytest.fixture
def ask(node, capsys):  # noqa: ARG001  there must be one
    def run(*arguments: str) -> tuple[int, dict]:
        status = main(["status", "-F", "json", *arguments])
        return status, json.loads(capsys.readouterr().out)

    return run


def write(configured, **values) -> None:
    engine = store.engine_for(configured.database)
    with engine.begin() as connection:
        connection.execute(rows.table_of(NodeRow).insert().values(values))
    engine.dispose()


STATE = NodeState(
    at=0,
    revision=1,
    trunks=(TrunkState("mvno-main", (Peer("sip:127.0.0.1:6060", "up"),)),),
    media=(Peer("sip:127.0.0.1:5080", "up"),),
    spool=0,
    agents={"sync": True, "ship": True},
    follow=Follow(at=0),
)


def words(found: dict) -> str:
    return " ".join(problem["what"] for node in found["nodes"] for problem in node["problems"])


def test_this_node_is_asked_itself(node, ask, monkeypatch):
    health = {
        "RECORDS": [
            {
                "SET": {
                    "ID": number,
                    "TARGETS": [{"DEST": {"URI": uri, "FLAGS": flags, "PRIORITY": 0}}],
                }
            }
            for number, uri, flags in (
                (1, "sip:127.0.0.1:5080", "AP"),
                (100, "sip:127.0.0.1:6060", "AP"),
                (101, "sip:127.0.0.1:6061", "IP"),
                (102, "sip:127.0.0.1:6062", "AX"),
            )
        ]
    }
    monkeypatch.setattr(nodestate.rpc, "call", lambda *_: health)
    nodestate.write_follow(node, Follow(at=time.time(), current_at=time.time()))
    with alone(nodestate.sync_lock(node)), alone(nodestate.ship_lock(node)):
        status, found = ask()
    assert status == 1
    assert (found["well"], found["revision"], found["database"]["answers"]) == (False, 1, True)
    (own,) = found["nodes"]
    assert own["agents"] == {"sync": True, "ship": True}
    assert (own["node"], own["own"], own["revision"], own["spool"]) == ("edge-1", True, 1, 0)
    assert own["lag"] == {"revisions": 0, "seconds": 0}
    assert {trunk["name"]: [peer["health"] for peer in trunk["peers"]] for trunk in own["trunks"]} == {
        "mvno-main": ["up"],
        "legacy-landline": ["down"],
        "wholesale": ["not probed", "not loaded"],
    }
    assert own["media"] == [{"uri": "sip:127.0.0.1:5080", "health": "up"}]
    assert [trunk["registration"] for trunk in own["trunks"]] == [None, None, "not supported yet"]
    assert len(own["problems"]) == 2
    assert "legacy-landline" in words(found)
    assert "wholesale" in words(found)


def test_another_node_that_is_well_and_one_that_is_silent(node, ask):
    now = time.time_ns() // 1000
    state = nodestate.as_json(STATE)
    write(node, node="edge-2", at=now, revision=1, state=state)
    write(node, node="edge-3", at=now - 90 * 10**6, revision=0, state=state)
    _, found = ask()
    one, two, three = found["nodes"]
    assert (one["own"], two["own"], two["well"], two["lag"]["revisions"]) == (True, False, True, 0)
    assert three["lag"]["revisions"] == 1
    assert [problem["what"] for problem in three["problems"]] == ["nothing was heard of it for 90 s"]

    _, found = ask("--forget", "edge-3")
    assert [each["node"] for each in found["nodes"]] == ["edge-1", "edge-2"]


def test_who_is_no_node_sees_the_others_alone(node, ask, monkeypatch, tmp_path):
    state = nodestate.as_json(STATE)
    write(node, node="edge-2", at=time.time_ns() // 1000, revision=1, state=state)
    monkeypatch.setenv("FMC_DATABASE", node.database)
    monkeypatch.setenv("FMC_STATE", str(tmp_path / "office"))
    monkeypatch.setenv("FMC_NODE", "office")
    status, found = ask()
    assert status == 0
    assert [each["node"] for each in found["nodes"]] == ["edge-2"]


@pytest.mark.usefixtures("node")
def test_a_node_to_forget_that_nobody_knows(capsys):
    assert main(["status", "--forget", "edge-9"]) == 1
    assert "edge-9" in capsys.readouterr().err


def test_without_a_database_this_node_answers(node, ask):
    (node.state / "fmc.sqlite").unlink()
    status, found = ask()
    assert status == 1
    assert found["revision"] is None
    assert found["database"]["answers"] is False
    (own,) = found["nodes"]
    assert (own["revision"], own["lag"]) == (1, None)
    assert [trunk["name"] for trunk in own["trunks"]] == ["mvno-main", "legacy-landline", "wholesale"]


def test_without_a_snapshot_it_says_so(node, ask):
    (node.snapshot / "current").unlink()
    _, found = ask()
    assert "no snapshot to be trusted" in words(found)


def test_for_people(node, capsys, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    write(node, node="edge-2", at=0, revision=1, state=nodestate.as_json(STATE))
    assert main(["status"]) == 1
    said = capsys.readouterr().out
    assert "Revision 1" in said
    assert "trunk mvno-main" in said
    assert "edge-2: nothing was heard of it for" in said
    assert max(map(len, said.splitlines())) <= 80


@pytest.mark.usefixtures("node")
def test_watching_looks_until_it_is_stopped(capsys, monkeypatch):
    looks = []

    def sleep(_: float) -> None:
        looks.append(1)
        if len(looks) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(command.time, "sleep", sleep)
    assert main(["status", "--watch", "-F", "json"]) == 1
    decoder, text = json.JSONDecoder(), capsys.readouterr().out.strip()
    seen = 0
    while text:
        found, end = decoder.raw_decode(text)
        assert found["revision"] == 1
        text, seen = text[end:].strip(), seen + 1
    assert seen == 3
