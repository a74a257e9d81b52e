"""The snapshot: written by one process, read by others at the same time."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from kemi.directory import generation, seal, snapshot, values
from kemi.directory.yamlfile import load
from kemi.numbering.model import Rewrite
from kemi.routing.model import Did, Egress, Prefixes, Route, Subscriber, Tenant, Trunk

EXAMPLE = Path(snapshot.__file__).parent.parent.parent / "examples" / "company.yaml"
SETS = {"mvno-main": 100, "legacy-landline": 101, "wholesale": 102}


def write_example(path: Path, revision: int = 1) -> None:
    document = load(EXAMPLE)
    small = snapshot.Globals(values.trunks(document), values.routes(document), SETS)
    generation.write(
        path, revision, small, values.tenants(document), values.subscribers(document), values.dids(document)
    )


def people(count: int) -> list[Subscriber]:
    return [
        Subscriber(tenant="t", extension=f"{number:06}", msisdn=f"+7999{number:07}")
        for number in range(count)
    ]


def data(path: Path) -> Path:
    """The data of the generation in use."""
    return path / seal.current(path) / seal.DATA


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """Opens readers, which look for a new generation at each call, and closes them."""
    monkeypatch.setattr(snapshot, "LOOK_SECONDS", 0)
    opened = []

    def open_reader():
        opened.append(snapshot.SnapshotDirectory(tmp_path))
        return opened[-1]

    yield open_reader
    for each in opened:
        each.close()


def in_another_process(code: str, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True)


REWRITE = """
import sys
from pathlib import Path
from kemi.directory import generation
from kemi.directory.snapshot import Globals
from kemi.routing.model import Subscriber
revision, count = {revision}, {count}
people = [Subscriber(tenant="t", extension=f"{{n:06}}", msisdn=f"+7999{{n:07}}", name=str(revision)) for n in range(count)]
generation.write(Path(sys.argv[1]), revision, Globals(sets={{"t": 100 + revision}}), (), people)
"""


def test_the_snapshot_answers_as_the_directory_in_memory(tmp_path, reader):
    write_example(tmp_path)
    memory = values.directory(load(EXAMPLE), revision=1)
    with reader() as found:
        assert found.revision == memory.revision
        assert tuple(found.trunks()) == tuple(memory.trunks())
        assert tuple(found.routes()) == tuple(memory.routes())
        for name in ("mvno-main", "legacy-landline", "wholesale", "none"):
            assert found.trunk(name) == memory.trunk(name)
        for name in ("company", "none"):
            assert found.tenant(name) == memory.tenant(name)
            for extension in ("201", "202", "203", "204", ""):
                assert found.subscriber(name, extension) == memory.subscriber(name, extension)
        for number in (
            "+79990000201",
            "+79990000203",
            "+74951234567",
            "+74957654321",
            "+1",
            "",
            "é\0",
            "\udc80",
            "9" * 1000,
        ):
            assert found.subscriber_by_msisdn(number) == memory.subscriber_by_msisdn(number)
            assert found.did(number) == memory.did(number)
        assert [found.trunk_set(name) for name in SETS] == [100, 101, 102]
        with pytest.raises(KeyError):
            found.trunk_set("none")


def test_what_says_how_numbers_are_read_and_written_is_carried(tmp_path, reader):
    trunk = Trunk(
        name="odd",
        kind="carrier",
        peers=("sip:192.0.2.1",),
        accept_from=("192.0.2.1",),
        identity=("P-Asserted-Identity",),
        trusted=True,
        called_from="P-Called-Party-ID",
        rewrites=(Rewrite("pair", "{caller}#{did}", "{caller}", "calling"), Rewrite("t", "7{n}", "{n}")),
        egress=Egress(
            headers={"To": "local"},
            privacy="pass",
            identity=("Remote-Party-ID",),
            forwarded="original",
            diversion=("Diversion", "History-Info"),
        ),
        prefixes=Prefixes("0", ("00", "810")),
    )
    tenant = Tenant("t", prefixes=Prefixes(international=("00",)))
    person = Subscriber("t", "201", msisdn="+79990000201", clir=True)
    generation.write(tmp_path, 1, snapshot.Globals((trunk,), (), {"odd": 100}), [tenant], [person])
    with reader() as found:
        assert found.trunk("odd") == trunk
        assert found.tenant("t") == tenant
        assert found.subscriber_by_msisdn("+79990000201") == person


def test_its_files_are_not_for_everybody(tmp_path):
    write_example(tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "writer.lock"]
    assert len(files) == 3
    assert {path.stat().st_mode & 0o117 for path in files} == {0}


def test_a_call_sees_one_state_and_the_next_call_the_new_one(tmp_path, reader):
    write_example(tmp_path)
    directory = reader()
    directory.begin()
    in_another_process(REWRITE.format(revision=2, count=3), tmp_path)
    assert directory.revision == 1
    assert directory.subscriber_by_msisdn("+79990000201").extension == "201"
    assert directory.did("+74951234567") is not None
    directory.end()
    with directory:
        assert directory.revision == 2
        assert directory.trunks() == ()
        assert directory.trunk_set("t") == 102
        assert directory.subscriber_by_msisdn("+79990000201") is None
        assert directory.subscriber("t", "000002").name == "2"
        assert directory.did("+74951234567") is None


def test_readers_follow_a_snapshot_that_outgrows_the_map(tmp_path, reader, monkeypatch):
    for module in (snapshot, generation):
        monkeypatch.setattr(module, "MAP_SIZE", 1 << 20)
    generation.write(tmp_path, 1, snapshot.Globals(), (), people(10))
    directory = reader()
    with directory:
        assert directory.revision == 1
    in_another_process(REWRITE.format(revision=2, count=30_000), tmp_path)
    with directory:
        assert directory.revision == 2
        assert directory.subscriber("t", "029999").msisdn == "+79990029999"


def renamed(revision: int, count: int) -> generation.Changes:
    """Every subscriber changes."""
    named = (
        msgspec.structs.replace(person, name=f"name in revision {revision % 10}") for person in people(count)
    )
    return generation.Changes(
        revision, 0, None, subscribers=((person.tenant, person.extension, person) for person in named)
    )


def test_many_changes_use_old_pages_again(tmp_path, reader):
    generation.write(tmp_path, 0, snapshot.Globals(), (), people(2_000))
    directory = reader()
    sizes = []
    for revision in range(1, 21):
        in_another_process(CHANGE.format(revision=revision), tmp_path)
        with directory:
            assert directory.subscriber("t", "000003").name == f"name in revision {revision % 10}"
        sizes.append(data(tmp_path).stat().st_size)
    assert sizes[-1] == sizes[4]


CHANGE = """
import sys
from pathlib import Path
sys.path[:0] = ["tests/store"]
from test_snapshot import renamed
from kemi.directory import generation
generation.update(Path(sys.argv[1]), lambda: renamed({revision}, 2_000))
"""


def test_rebuilds_leave_nothing_behind(tmp_path, reader):
    directory = None
    for revision in range(20):
        generation.write(tmp_path, revision, snapshot.Globals(), (), people(2_000))
        directory = directory or reader()
        with directory:
            assert directory.revision == revision
        if revision == 0:
            first = data(tmp_path).stat().st_size
    assert data(tmp_path).stat().st_size == first
    assert {path.name for path in tmp_path.iterdir()} == {
        "current",
        "writer.lock",
        data(tmp_path).parent.name,
    }


def test_a_reader_killed_in_a_call_keeps_no_pages(tmp_path):
    generation.write(tmp_path, 0, snapshot.Globals(), (), people(2_000))
    killed = """
import os, signal, sys
from pathlib import Path
from kemi.directory.snapshot import SnapshotDirectory
SnapshotDirectory(Path(sys.argv[1])).begin()
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", killed, str(tmp_path)], check=False)
    sizes = []
    for revision in range(1, 13):
        generation.update(tmp_path, lambda revision=revision: renamed(revision, 2_000))
        sizes.append(data(tmp_path).stat().st_size)
    assert sizes[-1] == sizes[4]


def test_readers_never_see_half_a_snapshot(tmp_path):
    """Several processes read while one writes: what they see belongs to one revision."""
    generation.write(tmp_path, 0, snapshot.Globals(sets={"t": 100}), (), people(500))
    watch = """
import sys
from pathlib import Path
from kemi.directory.snapshot import SnapshotDirectory
directory, seen = SnapshotDirectory(Path(sys.argv[1])), set()
while directory.revision < 20:
    with directory:
        revision = directory.revision
        names = {directory.subscriber("t", f"{n:06}").name for n in (0, 250, 499)}
        assert names == {str(revision) if revision else ""}, (revision, names)
        assert directory.trunk_set("t") == 100 + revision
        seen or print("ready", flush=True)
        seen.add(revision)
print(len(seen))
"""
    watchers = [
        subprocess.Popen([sys.executable, "-c", watch, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for watcher in watchers:
        assert watcher.stdout.readline() == "ready\n"
    rewrites = "\n".join(REWRITE.format(revision=revision, count=500) for revision in range(1, 21))
    in_another_process(rewrites, tmp_path)
    for watcher in watchers:
        out, _ = watcher.communicate(timeout=30)
        assert watcher.returncode == 0
        assert int(out) >= 2


def test_outside_of_a_call_nothing_is_read(tmp_path, reader):
    write_example(tmp_path)
    directory = reader()
    with pytest.raises(RuntimeError):
        directory.subscriber("company", "201")
    with directory:
        pass
    with pytest.raises(RuntimeError):
        directory.did("+74951234567")


def test_a_call_that_died_does_not_hold_the_next_one_back(tmp_path, reader):
    write_example(tmp_path)
    directory = reader()
    directory.begin()
    in_another_process(REWRITE.format(revision=2, count=1), tmp_path)
    directory.begin()
    assert directory.revision == 2
    directory.end()


def test_without_a_snapshot_it_says_what_to_do(tmp_path, reader):
    with pytest.raises(snapshot.SnapshotError, match="sync --once"):
        reader()
    with pytest.raises(snapshot.SnapshotError, match="nothing was written yet"):
        snapshot.SnapshotDirectory(tmp_path / "nowhere")


def test_memory_of_a_reader_does_not_grow_with_subscribers(tmp_path):
    """Private memory of a process that looks many subscribers up, few against many in the snapshot."""
    measure = """
import sys
from pathlib import Path
from kemi.directory.snapshot import SnapshotDirectory
directory = SnapshotDirectory(Path(sys.argv[1]))
with directory:
    for n in range(5000):
        directory.subscriber("t", f"{n * int(sys.argv[2]):06}").extension
lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
print(sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Dirty:", "Anonymous:"))))
"""
    sizes = []
    for step in (1, 10):
        path = tmp_path / str(step)
        generation.write(path, 1, snapshot.Globals(), (), people(5000 * step))
        done = subprocess.run(
            [sys.executable, "-c", measure, str(path), str(step)], check=True, capture_output=True, text=True
        )
        sizes.append(int(done.stdout))
    assert sizes[1] - sizes[0] < 1024, f"{sizes} KiB"


def test_the_module_of_the_workers_imports_no_sql():
    code = (
        "import sys, kemi.directory.snapshot; sys.exit('sqlalchemy' in sys.modules or 'yaml' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, env={**os.environ}).returncode == 0


def test_keys_of_different_kinds_do_not_meet(tmp_path, reader):
    small = snapshot.Globals((Trunk("a", "mvno", (), ()),), (Route("+", ("a",)),), {"a": 100})
    did = Did("+79990000000", "t", "a", "subscriber:000001")
    generation.write(tmp_path, 1, small, [Tenant("t")], people(2), [did])
    with reader() as found:
        assert found.did("+79990000000") == did
        assert found.subscriber_by_msisdn("+79990000000").extension == "000000"
        assert found.did("+79990000001") is None
