"""What the agent writes change by change is what it would write anew: byte for byte."""

import random
import subprocess
import sys
import time
from pathlib import Path

import lmdb
import msgspec
import postgres
import pytest
from sqlalchemy import delete

from kemi import settings, store
from kemi.agent import bringing, sync
from kemi.agent.lists import Lists
from kemi.directory import edit, following, generation, rows, seal, snapshot, verify
from kemi.directory.apply import differences
from kemi.directory.document import Did, Document, Subscriber, Tenant
from kemi.directory.snapshot import SnapshotDirectory
from kemi.directory.tables import ChangeRow, RevisionRow, SubscriberRow
from kemi.directory.yamlfile import parse

TRUNKS = """
trunks:
  mvno: {kind: mvno, peers: ["sip:192.0.2.1"], accept_from: [192.0.2.1]}
  carrier: {kind: carrier, peers: ["sip:192.0.2.2"], accept_from: [192.0.2.2]}
routes: [{prefix: "+", trunks: [carrier]}]
media: ["sip:192.0.2.9:5080"]
"""
BASE = parse(TRUNKS, "f")


def dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  the same in every run


def edge(chance: random.Random) -> Document:
    """One of many small directories: the same people and numbers, dealt out anew."""
    names = ["a", "ab", "Б", "b-1"]
    msisdns = [f"+7999000{number:04}" for number in range(12)]
    dids = [f"+7495000{number:04}" for number in range(6)]
    chance.shuffle(msisdns)
    tenants = {}
    for name in chance.sample(names, chance.randrange(1, 4)):
        people = {
            extension: Subscriber(
                name=chance.choice(["", "Иван", "Пётр"]),
                msisdn=msisdns.pop() if msisdns and chance.random() < 0.7 else None,
                ring=chance.choice([("mobile",), ("device", "mobile")]),
                clir=chance.random() < 0.2,
            )
            for extension in chance.sample(["10", "100", "101", "2001", "99"], chance.randrange(1, 5))
        }
        taken = chance.sample(dids, chance.randrange(3))
        dids = [number for number in dids if number not in taken]
        numbers = {number: Did("carrier", f"subscriber:{next(iter(people))}") for number in taken}
        tenants[name] = Tenant(
            chance.choice(["", "ООО"]), subscribers=people, numbers=numbers, caller_id=None
        )
    trunks = dict(BASE.trunks)
    for number in range(chance.randrange(3)):
        uri = f"sip:192.0.2.{10 + chance.randrange(3)}"
        trunks[f"more-{number}"] = msgspec.structs.replace(BASE.trunks["carrier"], peers=(uri,))
    return Document(trunks=trunks, routes=BASE.routes, media=BASE.media, tenants=tenants)


def commit(engine, document: Document) -> int:
    """Bring the directory to a Document in one revision."""
    with edit.writing(engine) as connection:
        held, wanted = rows.held(connection), rows.rows(document)
        edits = list(differences(held, wanted))
        return edit.commit(connection, edits, who="tester", what="dealt anew")


def held(path: Path) -> list[tuple[bytes, bytes]]:
    """Every record of the generation in use."""
    with lmdb.open(str(path / seal.current(path)), readonly=True, lock=False) as env, env.begin() as txn:
        return list(txn.cursor())


def anew(engine, path: Path) -> list[tuple[bytes, bytes]]:
    """Every record of a rebuild."""
    with store.reading(engine) as connection, seal.alone(path):
        generation.rebuild(path, following.whole(connection))
    return held(path)


def follow(engine, configured) -> bringing.Written | None:
    with store.reading(engine) as connection:
        return bringing.bring(connection, configured, Lists(configured))


@pytest.fixture
def node(tmp_path):
    configured = settings.load({"FMC_STATE": str(tmp_path / "state")})
    store.migrate(configured.database)
    return configured


@pytest.fixture
def engine(node):
    engine = store.engine_for(node.database)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("seed", range(12))
def test_what_is_followed_is_what_would_be_written_anew(node, engine, tmp_path, seed):
    chance = dice(seed)
    commit(engine, edge(chance))
    assert follow(engine, node).how == "rebuild"
    for _ in range(8):
        for _ in range(chance.randrange(1, 4)):
            commit(engine, edge(chance))
        written = follow(engine, node)
        assert written is None or (written.how, written.why) == ("update", "")
        assert held(node.snapshot) == anew(engine, tmp_path / "anew")
    assert verify.fault(node.snapshot / seal.current(node.snapshot)) == ""


@pytest.mark.system
@pytest.mark.parametrize("locale", ["C.UTF-8"])
def test_on_postgresql_too(tmp_path_factory, tmp_path, locale):
    with postgres.server(tmp_path_factory.mktemp("postgres") / "server") as url:
        configured = settings.load({"FMC_STATE": str(tmp_path / locale), "FMC_DATABASE": url})
        store.migrate(url)
        engine = store.engine_for(url)
        chance = dice(1)
        for _ in range(10):
            commit(engine, edge(chance))
            follow(engine, configured)
            assert held(configured.snapshot) == anew(engine, tmp_path / "anew")
        engine.dispose()


def test_two_who_swap_their_numbers(node, engine):
    one, two = "+79990000001", "+79990000002"

    def document(first: str, second: str) -> Document:
        people = {"101": Subscriber(msisdn=first), "102": Subscriber(msisdn=second)}
        return msgspec.structs.replace(BASE, tenants={"t": Tenant(subscribers=people)})

    commit(engine, document(one, two))
    follow(engine, node)
    for numbers in ((two, one), (one, two)):
        commit(engine, document(*numbers))
        assert follow(engine, node).how == "update"
        directory = SnapshotDirectory(node.snapshot)
        with directory:
            assert [directory.subscriber_by_msisdn(each).extension for each in numbers] == ["101", "102"]
        directory.close()


def start(engine, node, count: int = 3) -> None:
    chance = dice(3)
    for _ in range(count):
        commit(engine, edge(chance))
    follow(engine, node)


def test_only_what_changed_is_written(node, engine):
    start(engine, node)
    before = dict(held(node.snapshot))
    with edit.writing(engine) as connection:
        document = rows.document(connection)
        (key, person), *_ = rows.held(connection)[SubscriberRow].items()
        changed = edit.Edit(SubscriberRow, key, person, person | {"name": "Новое имя"})
        edit.commit(connection, [changed], who="tester", what="renamed")
    assert document.tenants
    follow(engine, node)
    after = dict(held(node.snapshot))
    touched = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert {key[:1] for key in touched} <= {b"c", b"r", b"e", b"m"}
    assert len(touched) <= 4


def test_globals_are_not_decoded_again_for_a_subscriber(node, engine):
    start(engine, node)
    directory = SnapshotDirectory(node.snapshot)
    with directory:
        first = directory.globals
    directory.close()
    with store.reading(engine) as connection:
        head = generation.to_go_on_from(node.snapshot)
        assert following.changes(connection, head).small is None
    assert first == bringing.held(node)[1]


@pytest.mark.parametrize("why", ["log", "history", "layout", "fields", "sealed", "gone", "older"])
def test_what_cannot_be_gone_on_from_is_written_anew(node, engine, why, monkeypatch, tmp_path):
    start(engine, node)
    generation_in_use = node.snapshot / seal.current(node.snapshot)
    commit(engine, edge(dice(4)))
    match why:
        case "log":
            with engine.begin() as connection:
                connection.execute(delete(ChangeRow).where(ChangeRow.revision == 4))
        case "history":
            with engine.begin() as connection:
                connection.execute(rows.table_of(RevisionRow).update().values(at=1))
        case "layout":
            for module in (snapshot, generation, verify):
                monkeypatch.setattr(module, "LAYOUT", snapshot.LAYOUT + 1)
        case "fields":
            monkeypatch.setattr(generation, "fields", lambda: 1)
        case "sealed":
            with (generation_in_use / seal.DATA).open("r+b") as file:
                file.seek(-4096 * 3, 2)
                file.write(b"\xff" * 4096 * 3)
        case "gone":
            (generation_in_use / seal.DATA).unlink()
        case "older":
            engine.dispose()
            Path(engine.url.database).unlink()
            store.migrate(node.database)
            commit(engine, edge(dice(5)))
    written = follow(engine, node)
    assert written.how == "rebuild"
    assert written.why
    assert held(node.snapshot) == anew(engine, tmp_path / "anew")


def test_many_changes_are_a_rebuild(node, engine, monkeypatch):
    start(engine, node)
    monkeypatch.setattr(following, "MOST_CHANGES", 1)
    commit(engine, edge(dice(4)))
    assert "take longer one by one" in follow(engine, node).why


def test_nothing_new_writes_nothing(node, engine):
    start(engine, node)
    changed = (node.snapshot / seal.current(node.snapshot) / seal.DATA).stat().st_mtime_ns
    assert follow(engine, node) is None
    assert (node.snapshot / seal.current(node.snapshot) / seal.DATA).stat().st_mtime_ns == changed


def test_an_unsealed_snapshot_that_is_whole_is_gone_on_from(node, engine):
    """So it is when the agent was killed after its commit, and when the machine was started again."""
    start(engine, node)
    (node.snapshot / seal.current(node.snapshot) / "seal.json").unlink()
    with pytest.raises(snapshot.SnapshotError, match="is missing"):
        SnapshotDirectory(node.snapshot)
    commit(engine, edge(dice(4)))
    assert follow(engine, node).how == "update"


def test_a_map_that_is_too_small_grows(node, engine, monkeypatch, tmp_path):
    for module in (snapshot, generation):
        monkeypatch.setattr(module, "MAP_SIZE", 1 << 16)
    people = {str(number): Subscriber(name="x" * 50) for number in range(1000, 1010)}
    for count in (10, 2000):
        people = {str(number): Subscriber(name="x" * 50) for number in range(1000, 1000 + count)}
        commit(engine, msgspec.structs.replace(BASE, tenants={"t": Tenant(subscribers=people)}))
        follow(engine, node)
        assert held(node.snapshot) == anew(engine, tmp_path / "anew")


# -- broken files --------------------------------------------------------------------------------------


def cut(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(2 * 4096)


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def zeroed(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(2 * 4096)
        opened.write(bytes(file.stat().st_size - 2 * 4096))


def garbage(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(2 * 4096)
        opened.write(dice(1).randbytes(file.stat().st_size - 2 * 4096))


def no_magic(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.write(dice(1).randbytes(2 * 4096))


DAMAGES = [cut, emptied, zeroed, garbage, no_magic, Path.unlink]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_what_is_damaged_is_refused_and_written_anew(node, engine, damage):
    """A reader that has the old one open, whose file was put aside, goes on; none is killed."""
    start(engine, node)
    running = SnapshotDirectory(node.snapshot)
    with running:
        revision = running.revision
    old = node.snapshot / seal.current(node.snapshot)
    # A running process keeps the pages of the file; the path gets a copy, which is then damaged.
    content = (old / seal.DATA).read_bytes()
    (old / seal.DATA).unlink()
    (old / seal.DATA).write_bytes(content)
    damage(old / seal.DATA)

    code = """
import sys
from pathlib import Path
from kemi.directory.snapshot import SnapshotDirectory, SnapshotError
try:
    SnapshotDirectory(Path(sys.argv[1]), aside=True)
except SnapshotError as error:
    sys.exit(str(error))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(node.snapshot)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 1, done
    assert "sync --once" in done.stderr

    with running:
        assert running.revision == revision
    written = follow(engine, node)
    assert written.how == "rebuild"
    time.sleep(snapshot.LOOK_SECONDS)
    with running:
        assert running.revision == revision
    assert running._name == seal.current(node.snapshot)
    running.close()


@pytest.mark.parametrize("damage", [cut, emptied, zeroed, garbage, no_magic], ids=lambda one: one.__name__)
def test_damage_that_the_seal_does_not_show_is_found_before_a_start(node, engine, damage):
    """After a start of the machine all of it is read, whatever the seal says."""
    start(engine, node)
    in_use = node.snapshot / seal.current(node.snapshot)
    assert verify.seal_where_whole(node.snapshot) == ""
    damage(in_use / seal.DATA)
    why = generation.verify_apart(in_use)
    assert why
    found = generation.to_go_on_from(node.snapshot)
    assert isinstance(found, str)


def test_a_byte_that_flipped_is_found(node, engine):
    start(engine, node)
    in_use = node.snapshot / seal.current(node.snapshot)
    content = (in_use / seal.DATA).read_bytes()
    (in_use / seal.DATA).write_bytes(content.replace(b"+7999000", b"+7999100"))
    assert "checksum" in generation.verify_apart(in_use)


def test_once_goes_on_without_a_database(node, engine, monkeypatch, capsys):
    start(engine, node)
    engine.dispose()
    Path(engine.url.database).unlink()
    (node.kamailio / "dispatcher.list").unlink()
    monkeypatch.setenv("FMC_STATE", str(node.state))
    assert sync.once() == 0
    assert "what is there goes on serving, revision 3" in capsys.readouterr().err
    assert (node.kamailio / "dispatcher.list").exists()
    (node.snapshot / "current").unlink()
    assert sync.once() == 1
