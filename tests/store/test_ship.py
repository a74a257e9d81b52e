"""The ship agent on a real spool and a real database: nothing is lost, nothing is doubled."""

import itertools
import json
import os
import random
import sqlite3
import subprocess
import sys
import time
import wave
from contextlib import ExitStack, closing

import msgspec
import pytest
from callevents import CALL, conversation, far, media, started
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import event as sql_event
from sqlalchemy import text
from structlog.testing import CapturingLogger

from kemi import metrics, settings, store
from kemi.agent import ship
from kemi.calls import spool
from kemi.calls import store as calls
from kemi.calls.events import Ended, encode
from kemi.calls.legs import Facts
from kemi.calls.listing import Wanted, beginning_with, newest
from kemi.calls.record import Recording, record

SECONDS = 60
"""What nothing here takes; a test that waits so long has failed."""


@pytest.fixture(scope="session", autouse=True)
def _metrics(tmp_path_factory):
    metrics.use(tmp_path_factory.mktemp("metrics"))


@pytest.fixture
def node(tmp_path):
    node = settings.load({"FMC_STATE": str(tmp_path), "FMC_NODE": "edge-1"})
    store.migrate(node.database)
    for directory in (node.media_spool, node.recordings, node.spool):
        directory.mkdir()
    return node


@pytest.fixture
def log():
    return CapturingLogger()


@pytest.fixture
def agent(node, log):
    engine = store.engine_for(node.database)
    agent = ship.Ship(node, engine, log)
    agent._next_check = float("inf")  # it looks for overdue recordings only when a test says so
    yield agent
    agent._inbox.close()
    engine.dispose()


def write(node, events, name="worker-1"):
    writer = spool.Writer(node.spool, name)
    for event in events:
        writer.append(event if isinstance(event, bytes) else encode(event))
    writer.close()


def leave(node, fact, name="asterisk-1.1"):
    """Write a media event as Asterisk does."""
    said = {field: getattr(fact, field) or "" for field in fact.__struct_fields__}
    (node.media_spool / f"{name}.json").write_text(json.dumps(said) + "\n")


def make_recording(node, call=CALL, seconds=60):
    path = node.recordings / "2026" / "09" / "21" / f"{call}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(32000 * seconds))
    return Recording(str(path.relative_to(node.recordings)), float(seconds), path.stat().st_size)


def stored(node, call=CALL):
    engine = store.engine_for(node.database)
    try:
        with store.reading(engine) as connection:
            found = beginning_with(connection, call, 2)
    finally:
        engine.dispose()
    assert len(found) <= 1
    return found[0] if found else None


def made_of(events, recordings=(), **given):
    facts = Facts()
    facts.add(events)
    return record(CALL, facts, recordings, **given)


def said(log, name):
    return [call.kwargs for call in log.calls if call.args == (name,)]


def test_events_become_a_record_and_are_forgotten(node, agent):
    recording = make_recording(node)
    *legs, fact = conversation()
    write(node, legs[:3])
    write(node, legs[3:], "worker-2")
    leave(node, fact)
    agent.round()
    assert stored(node) == made_of(conversation(), [recording])
    assert agent._inbox.depth() == 0
    assert not list(node.media_spool.iterdir())


def test_record_is_there_from_the_first_event_on(node, agent):
    for count, event in enumerate(conversation()[:-1], 1):
        agent._inbox.close()
        write(node, [event])
        agent._inbox = ship.Inbox(node.spool, node.media_spool)
        agent.round()
        assert stored(node) == made_of(conversation()[:count])


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.permutations(conversation()), st.lists(st.integers(0, 6)), st.sets(st.integers(1, 9)))
def test_order_repetition_and_batches_change_nothing(node, order, again, cuts):
    events = order + [order[index] for index in again]
    engine = store.engine_for(node.database)
    with engine.begin() as connection:
        connection.execute(text("delete from calls"))
    for begin, end in itertools.pairwise([0, *sorted(cuts), None]):
        with engine.begin() as connection:
            calls.update(connection, events[begin:end])
    engine.dispose()
    assert stored(node) == made_of(conversation())


def test_what_cannot_be_read_is_set_aside_and_blocks_nothing(node, agent, log):
    write(node, [b"\xc1 no event", *conversation()[:-1], encode(conversation()[0])[:-1]])
    (node.media_spool / "a.json").write_bytes(b'{"call": \n')
    (node.media_spool / "b.json").write_bytes(b'{"call": "\xff"}\n')
    agent.round()
    assert stored(node) == made_of(conversation()[:-1])
    assert agent._inbox.depth() == 0
    assert not list(node.media_spool.iterdir())
    kept = {path.read_bytes() for path in (node.state / "set-aside").iterdir()}
    assert kept == {
        b"\xc1 no event",
        encode(conversation()[0])[:-1],
        b'{"call": \n',
        b'{"call": "\xff"}\n',
    }
    assert len(said(log, "set_aside")) == 4


def test_event_that_sql_cannot_take_is_set_aside_and_blocks_nothing(node, agent, log):
    late = Ended("another", "leg", 1 << 63)  # the year 294,247
    write(node, [late, *conversation()[:-1]])
    agent.round()
    assert stored(node) == made_of(conversation()[:-1])
    assert [path.read_bytes() for path in (node.state / "set-aside").iterdir()] == [encode(late)]
    assert "OverflowError" in said(log, "set_aside")[0]["why"]


def test_media_event_that_is_not_complete_is_left_until_it_is(node, agent):
    leave(node, conversation()[-1])
    file = node.media_spool / "asterisk-1.1.json"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    agent.round()
    assert (stored(node), file.read_bytes()) == (None, whole[:-1])
    file.write_bytes(whole)
    agent.round()
    assert stored(node).consent == "played"
    assert not file.exists()


def test_media_event_that_nobody_completes_is_set_aside(node, agent):
    file = node.media_spool / "asterisk-1.1.json"
    file.write_bytes(b'{"call"')
    os.utime(file, (0, 0))
    agent.round()
    assert [path.read_bytes() for path in (node.state / "set-aside").iterdir()] == [b'{"call"']
    assert not file.exists()


@pytest.mark.parametrize("path", ["../outside.wav", "/etc/passwd", "absent.wav", ".", "broken.wav"])
def test_only_whole_recordings_of_ours_are_linked(node, agent, path):
    whole = node.recordings / make_recording(node).path
    whole.rename(node.state / "outside.wav")
    (node.recordings / "broken.wav").write_bytes(b"RIFF")
    leave(node, media(67, recording=path))
    agent.round()
    assert stored(node).recordings == ()


def test_recording_without_media_event_is_linked_once_it_is_overdue(node, agent, log, monkeypatch):
    recording = make_recording(node)
    legs = conversation()[:-1]
    write(node, legs)
    agent.round()
    assert stored(node) == made_of(legs)
    monkeypatch.setattr(ship, "CHECK", 0)
    agent._next_check = 0
    agent.round()
    assert stored(node) == made_of(legs, [recording], overdue=True)
    assert stored(node).degraded == ("media_event_missing",)
    agent.round()
    assert len(said(log, "media_facts_overdue")) == 1
    # It came after all.
    leave(node, conversation()[-1])
    agent.round()
    assert stored(node) == made_of(conversation(), [recording])


def test_recording_that_comes_late_is_linked(node, agent):
    *legs, fact = conversation()
    write(node, legs)
    leave(node, fact)
    agent.round()
    assert stored(node).recordings == ()
    recording = make_recording(node)
    agent._next_check = 0
    agent.round()
    assert stored(node) == made_of(conversation(), [recording])


def test_recording_that_never_comes_is_missed(node, agent):
    *legs, fact = conversation()
    write(node, legs)
    leave(node, fact)
    agent.round()
    agent._next_check = 0
    agent.round()
    assert stored(node).degraded == ("recording_missing",)


def test_calls_of_other_nodes_are_theirs_to_look_after(node, agent):
    legs = [started(0, node="edge-2"), far(0.1, node="edge-2"), *conversation()[2:-1]]
    write(node, legs)
    agent.round()
    agent._next_check = 0
    agent.round()
    assert stored(node).degraded == ()


@pytest.fixture
def limit(agent):
    """Set a limit of SQLite for the agent's connections."""

    def set_limit(pragma):
        agent._engine.dispose()
        sql_event.listen(
            agent._engine, "connect", lambda connection, _: connection.execute(f"PRAGMA {pragma}")
        )

    return set_limit


def test_locked_database_loses_nothing(node, agent, limit):
    limit("busy_timeout = 1")
    write(node, conversation()[:-1])
    with closing(sqlite3.connect(node.state / "fmc.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ship.TROUBLE, match="locked"):
            agent.round()
        other.execute("ROLLBACK")
    assert agent._inbox.depth() == 6
    agent.round()
    assert stored(node) == made_of(conversation()[:-1])


def test_full_disk_loses_nothing(node, agent, limit):
    limit("max_page_count = 1")  # no more than there is already
    legs = [event for number in range(200) for event in conversation(f"call-{number}")[:-1]]
    write(node, legs)
    with pytest.raises(ship.TROUBLE, match="full"):
        agent.round()
    assert agent._inbox.depth() == len(legs)
    assert not (node.state / "set-aside").exists()
    limit("max_page_count = 1000000")
    while agent.round():
        pass
    assert agent._inbox.depth() == 0
    assert stored(node, "call-199").status == "answered"


# -- real processes ------------------------------------------------------------------------------------

WRITER = """
import itertools, json, os, sys, time
from pathlib import Path
from callevents import conversation
from kemi.calls import spool
from kemi.calls.events import encode

state, label = Path(sys.argv[1]), sys.argv[2]
writer = spool.Writer(state / "spool", "worker-1")
for number in itertools.count():
    *legs, fact = conversation(f"{label}-{number}")
    for event in legs:
        writer.append(encode(event))
        os.write(1, b".")
    said = {field: getattr(fact, field) or "" for field in fact.__struct_fields__}
    (state / "media-spool" / f"{label}-{number}.json").write_text(json.dumps(said) + "\\n")
    os.write(1, b".")
    time.sleep(0.002)
"""


def environment(node):
    return {
        **os.environ,
        "FMC_STATE": str(node.state),
        "FMC_NODE": "edge-1",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }


@pytest.fixture
def start(node):
    """Start a Python process; what a failing test leaves running is killed."""
    with ExitStack() as processes:

        def start_process(*arguments):
            process = subprocess.Popen(
                [sys.executable, *arguments],
                env=environment(node),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
            )
            processes.enter_context(process)
            processes.callback(process.kill)
            return process

        yield start_process


@pytest.fixture
def start_ship(start):
    """Start a ship agent and wait until it works."""

    def start_agent():
        process = start("-m", "kemi.agent", "ship")
        assert json.loads(process.stderr.readline())["event"] == "started"
        return process

    return start_agent


def kill(process):
    """Kill -9; give what it had still said on its output."""
    process.kill()
    return process.communicate(timeout=SECONDS)[0]


def stop(process):
    """Ask it to end; give its exit status, the seconds that took, and the events it logged."""
    begun = time.monotonic()
    process.terminate()
    _, log = process.communicate(timeout=SECONDS)
    events = [json.loads(line)["event"] for line in log.splitlines()]
    return process.returncode, time.monotonic() - begun, events


def wait_until(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def complete(file):
    try:
        return file.read_bytes().endswith(b"\n")
    except FileNotFoundError:  # shipped just now
        return False


def waiting(node):
    """Count what an agent would still ship; a file whose writer was killed is never complete."""
    inbox = ship.Inbox(node.spool, node.media_spool)
    try:
        return inbox.depth() + sum(map(complete, node.media_spool.iterdir()))
    finally:
        inbox.close()


def all_stored(node):
    engine = store.engine_for(node.database)
    try:
        with store.reading(engine) as connection:
            return {found.id: found for found in newest(connection, Wanted(), 1_000_000)}
    finally:
        engine.dispose()


def possible(label, acknowledged):
    """Give the records that must be there after so many acknowledged events of a writer.

    One more event than acknowledged is possible: killed between the event and the word of it. None stands
    for no record.
    """
    whole, part = divmod(acknowledged, 7)
    for number in range(whole + 1):
        call = f"{label}-{number}"
        counts = (7,) if number < whole else (part, part + 1)
        yield call, [plain(call, conversation(call)[:count]) for count in counts]


def plain(call, events):
    """Make the record that events give, without what depends on when somebody looked for recordings."""
    if not events:
        return None
    facts = Facts()
    facts.add(events)
    return msgspec.structs.replace(record(call, facts), degraded=())


@pytest.mark.system
def test_killed_at_any_point_it_loses_and_doubles_nothing(node, start, start_ship):
    chance = random.Random(20260921)  # noqa: S311
    acknowledged = {}
    left = 0
    for attempt in range(24):
        label = f"call-{attempt}"
        writer = start("-c", WRITER, str(node.state), label)
        assert writer.stdout.read(1) == b"."
        agent = start_ship()
        time.sleep(chance.uniform(0, 0.25))
        # The one or the other dies first.
        dying = [agent, writer]
        chance.shuffle(dying)
        said = {process: kill(process) for process in dying}
        acknowledged[label] = 1 + said[writer].count(b".")
        left += bool(waiting(node))
    assert left > 5, "the agent was seldom killed with work left: this proves little"
    agent = start_ship()
    wait_until(lambda: waiting(node) == 0)
    assert stop(agent)[0] == 0
    assert not (node.state / "set-aside").exists()
    found = {call: msgspec.structs.replace(made, degraded=()) for call, made in all_stored(node).items()}
    for label, count in acknowledged.items():
        for call, records in possible(label, count):
            assert found.pop(call, None) in records
    assert not found


@pytest.mark.system
def test_sigterm_ends_an_idle_agent_at_once(start_ship):
    status, seconds, events = stop(start_ship())
    assert (status, events) == (0, ["stopped"])
    assert seconds < 2


@pytest.mark.system
def test_second_agent_of_a_node_refuses(start, start_ship):
    start_ship()
    second = start("-m", "kemi.agent", "ship")
    _, log = second.communicate(timeout=SECONDS)
    assert (second.returncode, json.loads(log)["event"]) == (1, "already_running")


@pytest.mark.system
def test_without_a_database_it_waits_and_says_so_once(node, start_ship):
    (node.state / "fmc.sqlite").unlink()
    write(node, conversation()[:-1])
    agent = start_ship()
    # Decisions are told although they cannot be kept yet: the night shift sees calls while SQL is down.
    first = [json.loads(agent.stderr.readline())["event"] for _ in range(3)]
    assert first == ["decision", "decision", "waiting"]
    store.migrate(node.database)
    wait_until(lambda: waiting(node) == 0)
    status, _, events = stop(agent)
    assert status == 0
    assert events.count("waiting") == 0
    assert events.count("decision") == 0
    assert events.count("going_on") == 1
    assert stored(node).status == "answered"


@pytest.mark.system
@pytest.mark.parametrize("url", ["nonsense", "nodatabase://x/y"])
def test_bad_database_url_is_bad_usage(node, url):
    agent = subprocess.run(
        [sys.executable, "-m", "kemi.agent", "ship"],
        env=environment(node) | {"FMC_DATABASE": url},
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert agent.returncode == 2
    assert json.loads(agent.stderr)["event"] == "database_url_refused"
