"""The log of revisions and the way back; the base that a file was written from."""

from pathlib import Path

import msgspec
import pytest
from sqlalchemy import delete

from kemi import store
from kemi.directory import rows
from kemi.directory.apply import DirectoryChangedError, StaleBaseError, apply
from kemi.directory.document import Did, Document, Subscriber, Tenant
from kemi.directory.edit import changes_of, history
from kemi.directory.rollback import RollbackError, plan_back, roll_back
from kemi.directory.tables import ChangeRow
from kemi.directory.yamlfile import load

EXAMPLE = Path(store.__file__).parent.parent / "examples" / "company.yaml"


@pytest.fixture
def engine(tmp_path):
    url = f"sqlite:///{tmp_path / 'fmc.sqlite'}"
    store.migrate(url)
    engine = store.engine_for(url)
    yield engine
    engine.dispose()


def put(engine, document, **options):
    return apply(engine, document, who="tester", file="f.yaml", **options)


def held(engine) -> Document:
    with store.reading(engine) as connection:
        return rows.document(connection)


def newest(engine) -> int:
    with store.reading(engine) as connection:
        return rows.revision(connection)


def states(engine) -> list[Document]:
    """What the directory was at each revision, from 0: the example, changed in every way, emptied."""
    example = load(EXAMPLE)
    company = example.tenants["company"]
    people = company.subscribers
    swapped = {
        **people,
        "201": msgspec.structs.replace(people["201"], msisdn=people["202"].msisdn),
        "202": msgspec.structs.replace(people["202"], msisdn=people["201"].msisdn),
        "204": Subscriber(name="Новый"),
    }
    changed = msgspec.structs.replace(
        example,
        trunks=dict(reversed(example.trunks.items())),
        routes=example.routes[::-1],
        media=(),
        tenants={"company": msgspec.structs.replace(company, subscribers=swapped, destinations={})},
    )
    made = [Document(), example, changed, Document(), example]
    for document in made[1:]:
        put(engine, document, prune=True)
    return made


def test_every_revision_comes_back_exactly(engine):
    made = states(engine)
    for revision in (3, 2, 1, 4, 0, 2):
        roll_back(engine, revision, who="tester", expected=newest(engine))
        assert held(engine) == made[revision]
    with store.reading(engine) as connection:
        assert history(connection, 1)[0].what == "rollback to revision 2: 15 added"


def test_back_to_where_it_is_changes_nothing(engine):
    states(engine)
    assert roll_back(engine, 1, who="tester", expected=4).changes == ()
    assert newest(engine) == 4


def test_a_rollback_is_logged_as_a_change_like_any_other(engine):
    states(engine)
    made = roll_back(engine, 2, who="tester", expected=4)
    with store.reading(engine) as connection:
        assert sorted(map(str, changes_of(connection, 5))) == sorted(map(str, made.changes))


@pytest.mark.parametrize("revision", [-1, 5])
def test_there_is_no_such_revision(engine, revision):
    states(engine)
    with store.reading(engine) as connection, pytest.raises(RollbackError, match="newest is 4"):
        plan_back(connection, revision)


def test_the_way_back_ends_where_the_log_begins(engine):
    states(engine)
    with engine.begin() as connection:
        connection.execute(delete(ChangeRow).where(ChangeRow.revision <= 2))
    with store.reading(engine) as connection:
        with pytest.raises(RollbackError, match="revision 2 was made before changes were logged"):
            plan_back(connection, 1)
        assert plan_back(connection, 2).changes


def test_a_column_that_came_later_holds_its_default(engine):
    put(engine, load(EXAMPLE))
    put(engine, Document(), prune=True)
    log = rows.table_of(ChangeRow)
    people = (log.c.revision == 2, log.c.noun == "subscriber")
    with engine.begin() as connection:
        for row in connection.execute(log.select().where(*people)).all():
            older = {name: value for name, value in row.before.items() if name not in ("clir", "ring")}
            statement = log.update().where(log.c.revision == 2, log.c.ordinal == row.ordinal)
            connection.execute(statement.values(before={**older, "of_old": 1}))
    roll_back(engine, 1, who="tester", expected=2)
    person = held(engine).tenants["company"].subscribers["202"]
    assert (person.ring, person.clir, person.name) == (("mobile",), False, "Диспетчер логистики")


def test_what_would_not_be_valid_now_is_refused(engine, monkeypatch):
    put(engine, load(EXAMPLE))
    put(engine, Document(), prune=True)
    monkeypatch.setattr("kemi.directory.rollback.check", lambda _: [(("trunks", "a"), "is too old")])
    with pytest.raises(RollbackError, match=r"would not be valid now: trunks\.a: is too old"):
        roll_back(engine, 1, who="tester", expected=2)
    assert held(engine) == Document()


def test_a_rollback_that_was_overtaken_is_not_made(engine):
    made = states(engine)
    with pytest.raises(DirectoryChangedError):
        roll_back(engine, 2, who="tester", expected=3)
    assert held(engine) == made[4]


def test_a_file_of_an_older_revision_is_refused_only_if_it_changes_something(engine):
    example = load(EXAMPLE)
    put(engine, example)
    other = Document(tenants={"other": Tenant(name="Другой")})
    put(engine, other)
    assert put(engine, msgspec.structs.replace(example, revision=1)).changes == ()
    with pytest.raises(StaleBaseError):
        put(engine, msgspec.structs.replace(example, revision=1), prune=True)
    assert put(engine, msgspec.structs.replace(other, revision=2), prune=True).changes


def test_a_did_moves_between_tenants_and_back(engine):
    example = load(EXAMPLE)
    put(engine, example)
    company = example.tenants["company"]
    other = Tenant(
        subscribers={"301": Subscriber()}, numbers={"+74957654321": Did("wholesale", "subscriber:301")}
    )
    left = {number: did for number, did in company.numbers.items() if number != "+74957654321"}
    moved = {"company": msgspec.structs.replace(company, numbers=left), "other": other}
    put(engine, msgspec.structs.replace(example, tenants=moved), prune=True)
    roll_back(engine, 1, who="tester", expected=2)
    assert held(engine) == example
