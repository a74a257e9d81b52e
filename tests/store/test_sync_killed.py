"""The sync agent killed at any moment while the directory changes."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from kemi import settings, store
from kemi.directory import edit, rows
from kemi.directory.document import Document, Subscriber, Tenant
from kemi.directory.snapshot import SnapshotDirectory, SnapshotError
from kemi.directory.tables import SubscriberRow
from kemi.directory.yamlfile import parse

KILLS = 50
PEOPLE = 300
LONGEST = 10.0
"""Seconds that an agent may take to the newest revision after its start; it takes about one."""

TRUNK = """
trunks: {t: {kind: mvno, peers: ["sip:192.0.2.1"], accept_from: [192.0.2.1]}}
"""

pytestmark = pytest.mark.system


@pytest.fixture
def node(tmp_path):
    configured = settings.load({"FMC_STATE": str(tmp_path / "state")})
    store.migrate(configured.database)
    return configured


def document() -> Document:
    people = {f"{number:04}": Subscriber(msisdn=f"+7999{number:07}") for number in range(PEOPLE)}
    return Document(
        trunks=parse(TRUNK, "f").trunks,
        tenants={"t": Tenant(subscribers=people)},
    )


class Editor(threading.Thread):
    """Gives everybody the name of the revision, one revision after another."""

    def __init__(self, engine) -> None:
        super().__init__(daemon=True)
        self._engine = engine
        self.done = threading.Event()
        self.revision = 0

    def run(self) -> None:
        while not self.done.is_set():
            self.turn()
            time.sleep(0.02)

    def turn(self) -> None:
        with edit.writing(self._engine) as connection:
            held = rows.held(connection)[SubscriberRow]
            number = rows.revision(connection) + 1
            edits = [
                edit.Edit(SubscriberRow, key, values, {**values, "name": str(number)})
                for key, values in held.items()
            ]
            self.revision = edit.commit(connection, edits, who="tester", what="renamed")


def agent(node) -> subprocess.Popen:
    # Several live at once for an instant: no port is theirs.
    return subprocess.Popen(
        [sys.executable, "-m", "kemi.agent", "sync"],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "FMC_STATE": str(node.state), "FMC_METRICS": "127.0.0.1:0"},
    )


def seen(directory: SnapshotDirectory) -> int:
    """The revision of a snapshot, all of which must be of it."""
    with directory:
        names = {directory.subscriber("t", f"{number:04}").name for number in range(0, PEOPLE, 7)}
        names |= {directory.subscriber_by_msisdn(f"+7999{number:07}").name for number in range(0, PEOPLE, 11)}
        assert names == {str(directory.revision) if directory.revision > 1 else ""}
        return directory.revision


def test_killed_at_any_moment(node):
    chance = random.Random(1)  # noqa: S311  the same in every run
    engine = store.engine_for(node.database)
    with edit.writing(engine) as connection:
        edits = [
            edit.Edit(row, key, None, values)
            for row, made in rows.rows(document()).items()
            for key, values in made.items()
        ]
        edit.commit(connection, edits, who="tester", what="first")
    running = agent(node)
    directory = opened(node)
    editor = Editor(engine)
    editor.start()
    last = 0
    try:
        for kill in range(KILLS):
            # Two of three are at work by then, one is starting.
            begun, at_work = last, bool(kill % 3)
            deadline = time.monotonic() + (LONGEST if at_work else chance.random())
            while time.monotonic() < deadline:
                revision = seen(directory)
                assert revision >= last
                last = revision
                if at_work and last > begun:
                    deadline, at_work = time.monotonic() + chance.random() * 0.1, False
            assert not at_work
            running.send_signal(signal.SIGKILL)
            running.wait()
            assert seen(directory) >= last
            running = agent(node)
    finally:
        editor.done.set()
        editor.join()
        begun = time.monotonic()
        while seen(directory) != editor.revision and time.monotonic() < begun + LONGEST:
            time.sleep(0.01)
        newest = seen(directory)
        running.terminate()
        running.wait(10)
        directory.close()
        engine.dispose()
    assert newest == editor.revision
    # Who starts now finds a snapshot to be trusted.
    directory = SnapshotDirectory(node.snapshot, aside=True)
    assert seen(directory) == newest
    directory.close()


def opened(node) -> SnapshotDirectory:
    deadline = time.monotonic() + LONGEST
    while True:
        try:
            return SnapshotDirectory(node.snapshot)
        except SnapshotError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
