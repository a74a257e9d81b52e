"""The same directory and the same call records on PostgreSQL: what many nodes share."""

import sys
import threading
import time

import msgspec
import postgres
import pytest
from callevents import CALL, conversation
from sqlalchemy import select, text
from structlog.testing import CapturingLogger

from demo.processes import Process, stop_all
from kemi import metrics, settings, store
from kemi.agent import ship, sync
from kemi.agent.news import POLL_SECONDS, Listening, news_of
from kemi.calls import spool
from kemi.calls.events import Started, encode
from kemi.calls.listing import Wanted, newest
from kemi.directory import edit, imperative, nouns, rows, yamlfile
from kemi.directory.apply import apply
from kemi.directory.edit import commit, writing
from kemi.directory.listing import Wanted as Listed
from kemi.directory.listing import page
from kemi.directory.partial import Part
from kemi.directory.rollback import roll_back
from kemi.directory.snapshot import SnapshotDirectory, SnapshotError
from kemi.directory.tables import NodeRow, SubscriberRow
from kemi.numbering.model import Number, Step

pytestmark = pytest.mark.system

EXAMPLE = settings.CHECKOUT / "examples" / "company.yaml"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with postgres.server(tmp_path_factory.mktemp("postgres") / "server") as url:
        yield url


@pytest.fixture
def node(url, tmp_path):
    """A node whose database is empty and migrated."""
    engine = store.engine_for(url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    store.migrate(url)
    metrics.use(tmp_path / "metrics")
    return settings.load({"FMC_STATE": str(tmp_path), "FMC_DATABASE": url, "FMC_NODE": "edge-1"})


@pytest.fixture
def engine(node):
    engine = store.engine_for(node.database)
    yield engine
    engine.dispose()


def test_the_example_applies_once_and_comes_back(node, engine):
    document = yamlfile.load(EXAMPLE)
    assert apply(engine, document, who="tester", file="company.yaml").changes
    assert not apply(engine, document, who="tester", file="company.yaml").changes
    with store.reading(engine) as connection:
        assert rows.document(connection) == document
    sync.sync_once(node)
    with SnapshotDirectory(node.snapshot) as directory:
        assert directory.subscriber_by_msisdn("+79990000201").extension == "201"


def test_a_call_is_shipped_once_however_often_it_is_read(node, engine):
    for directory in (node.media_spool, node.recordings, node.spool):
        directory.mkdir()
    writer = spool.Writer(node.spool, "worker-1")
    for event in conversation()[:-1] * 2:
        writer.append(encode(event))
    writer.close()
    agent = ship.Ship(node, engine, CapturingLogger())
    agent.round()
    with store.reading(engine) as connection:
        (made,) = newest(connection, Wanted(), 10)
    assert (made.id, made.status) == (CALL, "answered")
    assert msgspec.to_builtins(made.calling)["value"] == "+79990000201"
    agent._inbox.close()


def test_a_number_that_holds_a_nul_character_is_a_record_too(node, engine):
    """What a stranger wrote as %00 in a URI must not keep the calls behind it from being shipped."""
    for directory in (node.media_spool, node.recordings, node.spool):
        directory.mkdir()
    odd = Number("12\0 34", None, "unknown", "unknown", "12\0 34", (Step("unknown", "12\0", "12\0"),))
    writer = spool.Writer(node.spool, "worker-1")
    hostile = {"calling": odd, "identity": {"From": odd}, "sip_call_id": "a\0b"}
    for event in conversation()[:-1]:
        changes = hostile if isinstance(event, Started) else {}
        writer.append(encode(msgspec.structs.replace(event, **changes)))
    writer.close()
    agent = ship.Ship(node, engine, CapturingLogger())
    agent.round()
    with store.reading(engine) as connection:
        (made,) = newest(connection, Wanted(), 10)
    assert made.status == "answered"
    assert made.calling is not None
    assert made.calling.raw == "12%00 34"
    agent._inbox.close()


def test_one_change_at_a_time_and_lists(node, engine):
    apply(engine, yamlfile.load(EXAMPLE), who="tester", file="company.yaml")
    for change in (
        lambda part: imperative.add(
            part, nouns.SUBSCRIBER, ("company", "204"), ["name=Ёж Ёжич", "crm_user=5"]
        ),
        lambda part: imperative.move(part, ("company", "201"), "301"),
        lambda part: imperative.set_(part, nouns.TRUNK, ("wholesale",), ["limits.channels=5"]),
        lambda part: imperative.suspend(part, ("company", "204"), suspended=True),
    ):
        with writing(engine) as connection:
            commit(connection, change(Part(connection)).changes, who="tester", what="test")
    sync.sync_once(node)
    with SnapshotDirectory(node.snapshot) as directory:
        assert directory.subscriber("company", "204").suspended
        assert directory.subscriber_by_msisdn("+79990000201").extension == "301"
    with store.reading(engine) as connection:

        def extensions(**wanted) -> list[str]:
            return [names[1] for names, _ in page(connection, nouns.SUBSCRIBER, Listed(**wanted)).found]

        assert extensions(search="ёжич") == ["204"]
        assert extensions(filters=("crm_user=5", "suspended=yes")) == ["204"]
        assert extensions(after="company/202", limit=2) == ["203", "204"]
        assert [names for names, _ in page(connection, nouns.ROUTE, Listed(after="+")).found] == [("+7495",)]
    roll_back(engine, 1, who="tester", expected=5)
    with store.reading(engine) as connection:
        assert rows.document(connection) == yamlfile.load(EXAMPLE)


def rename(engine, name: str) -> int:
    """Change one subscriber, as every writer does."""
    with edit.writing(engine) as connection:
        before = rows.held(connection)[SubscriberRow]["company", "201"]
        changed = edit.Edit(SubscriberRow, ("company", "201"), before, {**before, "name": name})
        return edit.commit(connection, [changed], who="tester", what="renamed")


@pytest.mark.usefixtures("node")
def test_news_come_at_once(engine):
    apply(engine, yamlfile.load(EXAMPLE), who="tester", file="company.yaml")
    news, stop = news_of(engine), threading.Event()
    assert isinstance(news, Listening)
    news.wait(stop)
    begun = time.monotonic()
    news.wait(stop)
    assert time.monotonic() - begun > POLL_SECONDS * 0.8
    threading.Timer(0.1, rename, (engine, "Закупки")).start()
    begun = time.monotonic()
    news.wait(stop)
    assert time.monotonic() - begun < POLL_SECONDS * 0.8
    # What was told while nobody waited is not lost.
    rename(engine, "Отдел")
    time.sleep(0.1)
    begun = time.monotonic()
    news.wait(stop)
    assert time.monotonic() - begun < POLL_SECONDS * 0.8
    news.close()


def test_the_agent_follows_also_after_its_connections_were_cut(node, engine):
    apply(engine, yamlfile.load(EXAMPLE), who="tester", file="company.yaml")
    variables = {"FMC_STATE": str(node.state), "FMC_DATABASE": node.database, "FMC_METRICS": "127.0.0.1:0"}
    agent = Process(
        "sync",
        (sys.executable, "-m", "kemi.agent", "sync"),
        node.state / "sync.log",
        {**variables, "FMC_NODE": "edge-1"},
    )
    agent.start()
    try:
        directory = opened(node)
        for number in range(4):
            if number == 2:
                with engine.begin() as connection:
                    connection.execute(
                        text(
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
                        )
                    )
            revision = rename(engine, f"name {number}")
            deadline = time.monotonic() + 8
            while read(directory) != (revision, f"name {number}"):
                assert time.monotonic() < deadline, agent.tail()
                time.sleep(0.01)
        directory.close()
        deadline = time.monotonic() + 10
        while "edge-1" not in (reported := nodes_of(engine)) or reported["edge-1"].revision < revision:
            assert time.monotonic() < deadline, agent.tail()
            time.sleep(0.05)
    finally:
        assert stop_all([agent]) == []


def opened(node) -> SnapshotDirectory:
    deadline = time.monotonic() + 8
    while True:
        try:
            return SnapshotDirectory(node.snapshot)
        except SnapshotError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def read(directory: SnapshotDirectory) -> tuple[int, str]:
    with directory:
        return directory.revision, directory.subscriber("company", "201").name


def nodes_of(engine) -> dict:
    with store.reading(engine) as connection:
        return {row.node: row for row in connection.execute(select(rows.table_of(NodeRow)))}
