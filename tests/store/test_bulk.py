"""Many subscribers from a CSV file: what changes, what is refused, all or nothing; on SQLite and PostgreSQL."""

import io
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import postgres
import pytest
from sqlalchemy import event, func, select, text

from kemi import store
from kemi.directory import bulk, rows
from kemi.directory.apply import DirectoryChangedError, apply
from kemi.directory.csvfile import Table, write
from kemi.directory.document import Device, Document, Subscriber, Tenant
from kemi.directory.edit import changes_of, commit, undoing
from kemi.directory.tables import ChangeRow, RevisionRow, SubscriberRow
from kemi.directory.yamlfile import load

REPO = Path(store.__file__).parent.parent
EXAMPLE = REPO / "examples" / "company.yaml"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with postgres.server(tmp_path_factory.mktemp("postgres") / "server") as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def url(request, tmp_path):
    """An empty database, migrated."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'fmc.sqlite'}"
    else:
        url = request.getfixturevalue("server")
        engine = store.engine_for(url)
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        engine.dispose()
    store.migrate(url)
    return url


@pytest.fixture
def engine(url):
    """A directory with the example in it."""
    engine = store.engine_for(url)
    apply(engine, load(EXAMPLE), who="tester", file="company.yaml")
    yield engine
    engine.dispose()


def planned(engine, csv: str, **options) -> bulk.Plan:
    with store.reading(engine) as connection:
        return bulk.plan(connection, Table(csv.encode(), "f.csv", **options))


def put(engine, csv: str, **options) -> bulk.Plan:
    made = planned(engine, csv, **options)
    bulk.apply(engine, made, who="tester", file="f.csv")
    return made


def told(engine, csv: str) -> list[tuple[int | None, str, str]]:
    return [(problem.line, problem.key, problem.text) for problem in planned(engine, csv).problems]


def people(engine, tenant: str = "company"):
    with store.reading(engine) as connection:
        return rows.document(connection).tenants[tenant].subscribers


def exported(engine, tenant: str | None = None) -> str:
    file = io.StringIO()
    with store.reading(engine) as connection:
        write(file, bulk.subscribers(connection, tenant))
    return file.getvalue()


def test_new_subscribers_are_added_with_the_defaults_of_the_file(engine):
    csv = (
        "tenant;extension;name;msisdn;ring;device.password_env\n"
        "company;301;Новый;+79990000301;;\n"
        "company;302;;;mobile+device;SIP_302\n"
    )
    assert put(engine, csv).summary() == "2 added"
    assert people(engine)["301"] == Subscriber(name="Новый", msisdn="+79990000301")
    assert people(engine)["302"] == Subscriber(ring=("mobile", "device"), device=Device("SIP_302"))


def test_only_columns_of_the_file_change(engine):
    before = people(engine)
    csv = "tenant;extension;name\ncompany;201;Закупки\ncompany;202;Диспетчер логистики\n"
    made = put(engine, csv)
    assert made.summary() == "1 changed, 1 unchanged"
    (edit,) = made.edits
    assert edit.fields == {"name": ("Отдел закупок", "Закупки")}
    assert people(engine) == {**before, "201": msgspec.structs.replace(before["201"], name="Закупки")}


def test_an_empty_cell_is_the_default(engine):
    put(engine, "tenant;extension;msisdn;device.password_env;ring\ncompany;202;;;\n")
    assert people(engine)["202"] == Subscriber(name="Диспетчер логистики", crm_user=8)


def test_export_is_imported_as_no_change(engine):
    csv = exported(engine)
    assert csv.splitlines()[0].startswith("tenant;extension;name;msisdn;")
    made = planned(engine, csv)
    assert (len(made.edits), made.summary()) == (0, "3 unchanged")
    assert bulk.apply(engine, made, who="tester", file="f.csv") == made.revision


def test_one_revision_that_is_logged_and_can_be_undone(engine):
    before = people(engine)
    made = put(engine, "tenant;extension;name\ncompany;201;A\ncompany;301;B\n")
    with store.reading(engine) as connection:
        last = connection.execute(select(RevisionRow.number, RevisionRow.who, RevisionRow.what)).all()[-1]
        assert tuple(last) == (made.revision + 1, "tester", "f.csv: 1 added, 1 changed")
        assert changes_of(connection, made.revision + 1) == list(made.edits)
        back = undoing(connection, made.revision)
    with engine.begin() as connection:
        commit(connection, back, who="tester", what="rollback")
    assert people(engine) == before


def test_subscribers_swap_their_numbers(engine):
    csv = "tenant;extension;msisdn\ncompany;201;+79990000202\ncompany;202;+79990000201\n"
    assert put(engine, csv).summary() == "2 changed"
    assert people(engine)["201"].msisdn == "+79990000202"


def test_a_number_goes_to_another_tenant_when_its_owner_gives_it_up_later_in_the_file(engine, monkeypatch):
    monkeypatch.setattr(bulk, "BATCH", 1)
    apply(engine, Document(tenants={"other": Tenant()}), who="tester", file="f.yaml")
    csv = "tenant;extension;msisdn\nother;301;+79990000201\ncompany;201;\n"
    assert put(engine, csv).summary() == "1 added, 1 changed"
    assert people(engine, "other")["301"].msisdn == "+79990000201"


NOT_OURS = (
    "no trunk owns +74950000000, so it would never be presented; "
    "add it to numbers of the trunk whose operator lent it"
)


@pytest.mark.parametrize("batch", [1, 2, 2000])
def test_every_line_that_cannot_be_is_told(engine, monkeypatch, batch):
    monkeypatch.setattr(bulk, "BATCH", batch)
    before = people(engine)
    csv = (
        "tenant;extension;name;msisdn;caller_id;ring\n"
        "compny;301;A;;;\n"
        "company;301;B;+79990000301;;\n"
        "company;301;B;+79990000301;;\n"
        "company;112;C;;;\n"
        "company;302;D;+79990000301;;\n"
        "company;303;E;+79990000203;;\n"
        "company;304;F;+74951234567;;\n"
        "company;305;G;;+74950000000;\n"
        "company;306;H;;;device\n"
        "company;307;I;12;+74950000000;device\n"
        "company;308;J;+79990000308;;\n"
    )
    assert told(engine, csv) == [
        (2, "tenant", 'there is no tenant "compny"; did you mean company?'),
        (4, "extension", "301 is there twice, first in line 3; remove one or give it another extension"),
        (5, "extension", "112 is an emergency number in RU; choose another extension"),
        (6, "msisdn", "+79990000301 is there twice, first in line 3; remove it from one of them"),
        (
            7,
            "msisdn",
            "+79990000203 is already owned by tenants.company.subscribers.203; remove it from one of them",
        ),
        (
            8,
            "msisdn",
            "+74951234567 is already owned by tenants.company.numbers.+74951234567; remove it from one of them",
        ),
        (
            9,
            "caller_id",
            NOT_OURS,
        ),
        (
            10,
            "ring",
            "rings a device, but there is none; add device: {password_env: …} or ring only mobile",
        ),
        (
            11,
            "caller_id",
            NOT_OURS,
        ),
        (
            11,
            "msisdn",
            '"12" is no E.164 number; write plus, country code and number, like "+74951234567"',
        ),
    ]
    made = put(engine, csv)
    assert made.summary() == "2 added, 9 skipped"
    added = {name: person.name for name, person in people(engine).items() if name not in before}
    assert added == {"301": "B", "308": "J"}


@pytest.mark.parametrize("batch", [1, 2000])
def test_who_waits_for_the_number_of_a_line_that_is_wrong_is_skipped_too(engine, monkeypatch, batch):
    monkeypatch.setattr(bulk, "BATCH", batch)
    before = people(engine)
    csv = (
        "tenant;extension;msisdn;caller_id\n"
        "company;301;+79990000202;\n"
        "company;202;+79990000201;\n"
        "company;201;+79990000203;\n"
        "company;203;;+74950000000\n"
    )
    made = put(engine, csv)
    assert [(problem.line, problem.key) for problem in made.problems] == [
        (2, "msisdn"),
        (3, "msisdn"),
        (4, "msisdn"),
        (5, "caller_id"),
    ]
    assert (
        made.problems[0].text
        == "+79990000202 is of the subscriber in line 3, which is wrong; correct that line first"
    )
    assert made.skipped == 4
    assert people(engine) == before


def test_a_number_kept_by_a_line_is_not_free(engine):
    csv = "tenant;extension;msisdn\ncompany;301;+79990000201\ncompany;201;+79990000201\n"
    assert [(line, column) for line, column, _ in told(engine, csv)] == [(2, "msisdn"), (3, "msisdn")]


def test_a_plan_that_was_overtaken_is_not_written(engine):
    made = planned(engine, "tenant;extension\ncompany;301\n")
    apply(engine, Document(tenants={"other": Tenant()}), who="tester", file="f.yaml")
    with pytest.raises(DirectoryChangedError):
        bulk.apply(engine, made, who="tester", file="f.csv")
    assert "301" not in people(engine)


def test_a_batch_is_a_few_queries_that_use_the_keys_of_the_tables(engine):
    tenants = {f"t{n}": Tenant() for n in range(500)}
    apply(engine, Document(tenants=tenants), who="tester", file="f.yaml")
    asked = []

    @event.listens_for(engine, "before_cursor_execute")
    def _note(_connection, _cursor, statement, parameters, *_):
        asked.append((statement, parameters))

    lines = (f"t{n % 500};{1000 + n};+7998{n:07}\n" for n in range(2 * bulk.BATCH))
    made = planned(engine, "tenant;extension;msisdn\n" + "".join(lines))
    assert made.added == 2 * bulk.BATCH
    searches = [each for each in asked if " IN (" in each[0]]
    assert len(searches) == 2 * 3
    assert len(asked) < 20
    if engine.dialect.name == "sqlite":
        with engine.begin() as connection:
            for statement, parameters in searches:
                steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
                assert [step[-1] for step in steps if step[-1].startswith("SCAN subscribers")] == []


CHILD = """
import sys
from pathlib import Path
from kemi import store
from kemi.directory import bulk
from kemi.directory.csvfile import Table
engine = store.engine_for(sys.argv[1])
print("begun", flush=True)
with store.reading(engine) as connection:
    made = bulk.plan(connection, Table(Path(sys.argv[2]).read_bytes(), "f.csv"))
bulk.apply(engine, made, who="tester", file="f.csv")
"""


def counted(engine) -> tuple[int, ...]:
    """How many subscribers, revisions and logged changes there are, at one moment."""
    tables = (SubscriberRow, RevisionRow, ChangeRow)
    with store.reading(engine) as connection:
        counts = (select(func.count()).select_from(row).scalar_subquery() for row in tables)
        return tuple(connection.execute(select(*counts)).one())


def test_an_import_that_is_killed_leaves_the_old_or_the_new(url, engine, tmp_path):
    lines, base = 2500, counted(engine)
    csv = tmp_path / "f.csv"
    chance = random.Random(1)  # noqa: S311  no secret
    seconds, killed = 0.0, 0
    for round_ in range(21):
        csv.write_text(
            "tenant;extension;name;msisdn\n"
            + "".join(f"company;{round_:02}{n:04};A;+7998{round_:03}{n:04}\n" for n in range(lines))
        )
        command = [sys.executable, "-c", CHILD, url, str(csv)]
        environment = {**os.environ, "PYTHONPATH": str(REPO)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as child:
            child.stdout.readline()
            begun = time.monotonic()
            if round_:
                time.sleep(chance.uniform(0, seconds))
                child.send_signal(signal.SIGKILL)
            child.wait()
        if not round_:
            seconds = time.monotonic() - begun
            assert child.returncode == 0
        killed += child.returncode == -signal.SIGKILL
        new = [now - before for now, before in zip(counted(engine), base, strict=True)]
        whole = new[1]
        assert new == [whole * lines, whole, whole * lines]
    assert killed > 10
