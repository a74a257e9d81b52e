"""Every migration, down and up again, with an edge and its calls in the database."""

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import msgspec
import postgres
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from callevents import CALL, conversation
from sqlalchemy import Connection, insert, inspect, text
from structlog.testing import CapturingLogger

from kemi import metrics, settings, store
from kemi.agent import ship
from kemi.calls import spool
from kemi.calls.events import encode
from kemi.calls.tables import MediaFact, Recording
from kemi.directory import rows, yamlfile
from kemi.directory.apply import apply
from kemi.directory.tables import NodeRow

MIGRATIONS = Path(store.__file__).parent.parent / "migrations"
EXAMPLE = settings.CHECKOUT / "examples" / "company.yaml"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def url(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'fmc.sqlite'}"
        return
    with postgres.server(tmp_path / "server") as url:
        yield url


def config(connection: Connection) -> Config:
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS))
    made.attributes["connection"] = connection
    return made


def held(engine):
    """All rows of all tables."""
    engine.dispose()  # PostgreSQL's connections remember the columns of a `*`.
    with store.reading(engine) as connection:
        names = sorted(set(inspect(connection).get_table_names()) - {"alembic_version"})
        return {
            name: sorted(
                (dict(row) for row in connection.execute(text(f'SELECT * FROM "{name}"')).mappings()),  # noqa: S608
                key=repr,
            )
            for name in names
        }


@pytest.fixture
def node(url, tmp_path):
    store.migrate(url)
    metrics.use(tmp_path / "metrics")
    node = settings.load({"FMC_STATE": str(tmp_path), "FMC_DATABASE": url, "FMC_NODE": "edge-1"})
    for directory in (node.media_spool, node.recordings, node.spool):
        directory.mkdir()
    return node


@pytest.fixture
def engine(node):
    engine = store.engine_for(node.database)
    yield engine
    engine.dispose()


def fill(node, engine):
    """An edge with two revisions, a call with all that belongs to it, and a node that has reported."""
    document = yamlfile.load(EXAMPLE)
    tenant = document.tenants["company"]
    someone = msgspec.structs.replace(tenant.subscribers["201"], suspended=True, clir=True)
    tenant = msgspec.structs.replace(tenant, subscribers={**tenant.subscribers, "201": someone})
    apply(engine, document, who="tester", file="company.yaml")
    changed = msgspec.structs.replace(document, tenants={"company": tenant})
    apply(engine, changed, who="tester", file="changed.yaml")
    writer = spool.Writer(node.spool, "worker-1")
    for event in conversation()[:-1]:
        writer.append(encode(event))
    writer.close()
    agent = ship.Ship(node, engine, CapturingLogger())
    agent.round()
    agent._inbox.close()
    with engine.begin() as connection:
        connection.execute(insert(NodeRow).values(node="edge-1", at=1, revision=2, state={}))
        fact = {"call": CALL, "leg": "asterisk-1.1", "at": datetime.now(UTC), "server": "media-1"}
        connection.execute(insert(MediaFact).values(**fact, consent="played"))
        connection.execute(
            insert(Recording).values(call=CALL, path="a.wav", node="edge-1", seconds=1.0, bytes=44)
        )


def without(tables, *columns):
    """Rows without some columns."""
    return {
        name: [{key: value for key, value in row.items() if key not in columns} for row in found]
        for name, found in tables.items()
    }


def test_every_step_down_and_up_again_with_data(node, engine):
    """What a step down drops is gone; all else stays as it was, on the way back too."""
    fill(node, engine)
    with engine.begin() as connection:
        script = ScriptDirectory.from_config(config(connection))
    steps = [step.revision for step in script.walk_revisions()]
    before = held(engine)
    assert before.keys() == set(store.Base.metadata.tables)
    assert all(before.values()), [name for name, found in before.items() if not found]
    states = {steps[0]: before}
    for step, below in pairwise(steps):
        with engine.begin() as connection:
            command.downgrade(config(connection), below)
        states[below] = held(engine)
        above = states[step]
        assert states[below].keys() <= above.keys(), below
        for name, found in states[below].items():
            kept = set(found[0])
            assert len(found) == len(above[name]), (below, name)
            dropped = set(above[name][0]) - kept
            assert without({name: found})[name] == sorted(
                without({name: above[name]}, *dropped)[name], key=repr
            ), (below, name)
    for step in reversed(steps):
        store.migrate(node.database, step)
        again = held(engine)
        for name, found in again.items():
            gone = name not in states[steps[-1]] and not found
            assert gone or len(found) == len(before[name]), (step, name)
    with store.reading(engine) as connection:
        back = rows.document(connection)
    assert back == yamlfile.load(EXAMPLE)
    assert not apply(engine, back, who="tester", file="export.yaml").changes
    with engine.begin() as connection:
        command.downgrade(config(connection), "base")
    assert not set(held(engine)) - {"sqlite_sequence"}
