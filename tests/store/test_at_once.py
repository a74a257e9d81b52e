"""Two change the directory at once: one wins, or one after the other; nobody's change is lost or mixed.

And whoever changes it may die at any moment: what is there then is the old directory or the new one.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec
import postgres
import pytest
from sqlalchemy import text

from kemi import store
from kemi.directory import rows
from kemi.directory.document import Document, Subscriber, Tenant
from kemi.directory.edit import changes_of, history
from kemi.directory.yamlfile import dump, load

REPO = Path(store.__file__).parent.parent
EXAMPLE = REPO / "examples" / "company.yaml"

WAITING = """
import sys
from kemi.cli import main
from kemi.cli import apply, number, nouncommands, subscriber
print("ready", flush=True)
sys.stdin.readline()
sys.exit(main(sys.argv[1:]))
"""
"""fmcctl, with all that it imports, waiting for the word."""

FORKING = """
import os, signal, sys, time
from kemi.cli import main
from kemi.cli import apply
for line in sys.stdin:
    delay, *arguments = line.split()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os._exit(main(arguments))
    until = time.monotonic() + float(delay)
    ended, status = os.waitpid(child, os.WNOHANG)
    while not ended and time.monotonic() < until:
        time.sleep(0.002)
        ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""
"""For each line a child of its own that runs a command and is killed after so many seconds."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with postgres.server(tmp_path_factory.mktemp("postgres") / "server") as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def empty(request, tmp_path):
    """A database that nobody has made tables in."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'fmc.sqlite'}"
    else:
        url = request.getfixturevalue("server")
        engine = store.engine_for(url)
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        engine.dispose()
    return url


@pytest.fixture
def url(empty):
    """A migrated database with nothing in it."""
    store.migrate(empty)
    return empty


@pytest.fixture
def engine(url):
    engine = store.engine_for(url)
    yield engine
    engine.dispose()


def held(engine) -> Document:
    with store.reading(engine) as connection:
        return rows.document(connection)


def revision(engine) -> int:
    with store.reading(engine) as connection:
        return rows.revision(connection)


def environment(url, tmp_path) -> dict[str, str]:
    return {**os.environ, "FMC_DATABASE": url, "FMC_STATE": str(tmp_path), "PYTHONPATH": str(REPO)}


def at_once(url, tmp_path, *commands) -> list[tuple[int, str]]:
    """Run commands at the same moment; gives of each its exit status and what it complained about."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WAITING, *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(url, tmp_path),
        )
        for command in commands
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    errors = [process.communicate(timeout=120)[1] for process in processes]
    return [(process.returncode, error) for process, error in zip(processes, errors, strict=True)]


def test_of_two_files_written_from_one_revision_one_wins(url, engine, tmp_path):
    at_once(url, tmp_path, ("apply", "-f", EXAMPLE, "--yes"))
    for _ in range(3):
        base = revision(engine)
        for name in ("first", "second"):
            changed = EXAMPLE.read_text().replace("Отдел закупок", f"{name} {base}")
            (tmp_path / f"{name}.yaml").write_text(f"revision: {base}\n{changed}")
        commands = [("apply", "-f", tmp_path / f"{name}.yaml", "--yes") for name in ("first", "second")]
        done = at_once(url, tmp_path, *commands)
        assert sorted(status for status, _ in done) == [0, 1]
        winner = ("first", "second")[[status for status, _ in done].index(0)]
        (error,) = (error for status, error in done if status)
        assert error.count("\n") == 1
        assert "nothing was" in error
        wanted = msgspec.structs.replace(load(tmp_path / f"{winner}.yaml"), revision=None)
        assert held(engine) == wanted
        assert revision(engine) == base + 1


def test_two_that_find_an_empty_database(empty, tmp_path):
    (tmp_path / "media.yaml").write_text("media: ['sip:192.0.2.77:5080']\n")
    files = (EXAMPLE, tmp_path / "media.yaml")
    done = at_once(empty, tmp_path, *(("apply", "-f", file, "--yes") for file in files))
    assert sorted(status for status, _ in done) in ([0, 0], [0, 1])
    assert all("somebody else" in error for status, error in done if status)
    engine = store.engine_for(empty)
    assert revision(engine) == [status for status, _ in done].count(0)
    engine.dispose()


def test_changes_of_different_things_all_happen(url, engine, tmp_path):
    at_once(url, tmp_path, ("apply", "-f", EXAMPLE, "--yes"))
    commands = [("subscriber", "add", "company", f"30{number}", f"name=N{number}") for number in range(6)]
    assert at_once(url, tmp_path, *commands) == [(0, "")] * 6
    assert len(held(engine).tenants["company"].subscribers) == 9
    assert revision(engine) == 7
    with store.reading(engine) as connection:
        assert [len(changes_of(connection, entry.revision)) for entry in history(connection, 6)] == [1] * 6


def test_a_number_that_two_ask_for_gets_one_of_them(url, engine, tmp_path):
    at_once(url, tmp_path, ("apply", "-f", EXAMPLE, "--yes"))
    commands = [
        ("subscriber", "add", "company", extension, "msisdn=+79990000300") for extension in ("301", "302")
    ]
    done = at_once(url, tmp_path, *commands)
    assert sorted(status for status, _ in done) == [0, 2]
    assert "+79990000300 is already owned by" in "".join(error for _, error in done)
    assert len(held(engine).tenants["company"].subscribers) == 4


def two_edges(tmp_path) -> list[tuple[Path, Document]]:
    """Two directories that differ in every row of some hundred, in numbers that are swapped, in all else."""
    made = []
    for which in (0, 1):
        people = {
            str(1000 + number): Subscriber(f"{which}", f"+7999{1_000_000 + (number ^ which)}")
            for number in range(400)
        }
        tenants = {"many": Tenant(subscribers=people), f"only-{which}": Tenant(name="x")}
        if which:
            example = load(EXAMPLE)
            document = Document(
                trunks=example.trunks, routes=example.routes, tenants={**example.tenants, **tenants}
            )
        else:
            document = Document(tenants=tenants)
        file = tmp_path / f"edge-{which}.yaml"
        file.write_text(dump(document))
        made.append((file, document))
    return made


def wait_for_others(engine) -> None:
    """A server may still be at what somebody asked of it who is dead."""
    if engine.dialect.name != "postgresql":
        return
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL AND pid <> pg_backend_pid()"
    deadline = time.monotonic() + 20
    while True:
        with store.reading(engine) as connection:
            if not connection.execute(text(others)).scalar_one():
                return
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_apply_that_is_killed_leaves_the_old_or_the_new(url, engine, tmp_path):
    edges = two_edges(tmp_path)
    rounds = 50 if engine.dialect.name == "sqlite" else 15
    with subprocess.Popen(
        [sys.executable, "-c", FORKING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(url, tmp_path),
    ) as process:

        def apply(seconds: float, file: Path) -> int:
            process.stdin.write(f"{seconds} apply -f {file} --prune --yes\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        assert apply(30, edges[0][0]) == 0
        began = time.monotonic()
        assert apply(30, edges[1][0]) == 0
        longest = time.monotonic() - began
        chance = random.Random(4)  # noqa: S311  no secret
        current, number = 1, 2
        outcomes = Counter()
        for _ in range(rounds):
            file, wanted = edges[1 - current]
            status = apply(chance.uniform(0, longest), file)
            wait_for_others(engine)
            with store.reading(engine) as connection:
                found, now = rows.document(connection), rows.revision(connection)
                assert changes_of(connection, now)
                assert changes_of(connection, now + 1) == []
            if found == wanted:
                outcomes["new", status] += 1
                current, number = 1 - current, number + 1
            else:
                outcomes["old", status] += 1
                assert found == edges[current][1]
            assert now == number
        process.stdin.close()
        assert process.wait(30) == 0
        assert process.stderr.read() == ""
    assert outcomes["old", -signal.SIGKILL]
    assert set(outcomes) <= {("old", -signal.SIGKILL), ("new", -signal.SIGKILL), ("new", 0)}
