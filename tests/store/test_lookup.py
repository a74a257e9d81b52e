"""The directory as SQL answers for it, and as this node's snapshot does: the same as the file, one revision."""

import json
from pathlib import Path

import pytest

from kemi.agent.sync import sync_once
from kemi.cli import main
from kemi.directory import lookup, values
from kemi.directory.apply import apply
from kemi.directory.database import reading_directory
from kemi.directory.yamlfile import load
from kemi.routing.explain import call_from, explain
from kemi.settings import load as settings
from kemi.store import engine_for, migrate

EXAMPLE = Path(lookup.__file__).parents[2] / "examples" / "company.yaml"
HOST = "127.0.0.1:5060"


@pytest.fixture
def engine(tmp_path, monkeypatch):
    monkeypatch.setenv("FMC_STATE", str(tmp_path))
    for name in ("FMC_DATABASE", "FMC_LISTEN"):
        monkeypatch.delenv(name, raising=False)
    url = settings().database
    migrate(url)
    made = engine_for(url)
    apply(made, load(EXAMPLE), who="test", file="company.yaml")
    yield made
    made.dispose()


CALLS = [
    ("mvno-main", "<sip:79990000201@ims>", "89161234567"),
    ("mvno-main", "<sip:79990000201@ims>", "202"),
    ("mvno-main", "<sip:79990000201@ims>", "84951234567"),
    ("mvno-main", "<sip:70000000000@ims>", "112"),
    ("legacy-landline", "<sip:9161234567@x>", "4951234567"),
    ("wholesale", "<sip:+79161234567@x>", "+79990000203"),
    ("wholesale", "<sip:anonymous@x>", "nobody\0at all"),
    ("nowhere", "1", "2"),
]


@pytest.mark.parametrize("call", CALLS)
def test_a_call_is_explained_alike_from_sql_and_from_the_file(engine, call):
    known = values.directory(load(EXAMPLE))
    with reading_directory(engine) as connection:
        directory = lookup.DatabaseDirectory(connection)
        assert explain(call_from(*call), directory, HOST) == explain(call_from(*call), known, HOST)
        assert explain(call_from(*call), directory, HOST) == explain(call_from(*call), known, HOST)
        assert directory.revision == 1
        assert directory.media == ("sip:127.0.0.1:5080",)
        assert (directory.trunks(), directory.routes()) == (known.trunks(), known.routes())


def test_looking_does_not_read_everybody(engine, monkeypatch):
    monkeypatch.setattr(lookup.rows, "document", None)
    monkeypatch.setattr(lookup.rows, "held", None)
    with reading_directory(engine) as connection:
        directory = lookup.DatabaseDirectory(connection)
        assert directory.subscriber("company", "202").name == "Диспетчер логистики"
        assert directory.subscriber("company", "299") is None
        assert directory.tenant("nobody") is None
        assert directory.did("+74951234567").to == "ivr:main"


def answer(capsys, *arguments: object) -> dict:
    status = main([*map(str, arguments), "-F", "json"])
    captured = capsys.readouterr()
    assert (status, captured.err) == (0, "")
    return json.loads(captured.out)


NUMBER = ("number", "--trunk", "mvno-main", "--role", "called", "--tenant", "company")
EXPLAIN = ("explain", "--trunk", "wholesale", "--from", "+79161234567", "--to", "+79990000203")


@pytest.mark.parametrize("asked", [(*NUMBER, "202"), EXPLAIN], ids=["number", "explain"])
@pytest.mark.usefixtures("engine")
def test_an_answer_says_which_directory_it_is_by(capsys, tmp_path, asked):
    sync_once(settings())
    by = {
        "database": answer(capsys, *asked),
        "snapshot": answer(capsys, *asked, "--snapshot"),
        "file": answer(capsys, *asked, "--data", EXAMPLE),
    }
    assert {name: one.pop("directory") for name, one in by.items()} == {
        "database": {"source": "database", "where": settings().database, "revision": 1},
        "snapshot": {"source": "snapshot", "where": str(tmp_path / "snapshot"), "revision": 1},
        "file": {"source": "file", "where": str(EXAMPLE), "revision": None},
    }
    assert by["database"] == by["snapshot"] == by["file"]


def test_the_snapshot_is_that_of_the_workers_also_where_the_database_is_ahead(engine, capsys, tmp_path):
    sync_once(settings())
    changed = tmp_path / "changed.yaml"
    changed.write_text(EXAMPLE.read_text().replace('"202": {', '"205": {').replace('"202"', '"205"'))
    changed.write_text(changed.read_text().replace("subscriber:202", "subscriber:205"))
    apply(engine, load(changed), who="test", file="changed.yaml", prune=True)
    assert answer(capsys, *NUMBER, "202", "--snapshot")["kind"] == "extension"
    now = answer(capsys, *NUMBER, "202")
    assert (now["kind"], now["directory"]["revision"]) == ("unknown", 2)
    main([*NUMBER, "202", "--snapshot"])
    assert "revision 1, this node's snapshot" in capsys.readouterr().out


@pytest.mark.usefixtures("engine")
def test_errors_about_the_snapshot_are_one_line(capsys):
    assert main([*NUMBER, "202", "--snapshot"]) == 1
    assert "no snapshot" in capsys.readouterr().err
    assert main([*NUMBER, "202", "--snapshot", "--data", str(EXAMPLE)]) == 2
    assert capsys.readouterr().err == "--snapshot and --data name two directories: leave one of them out\n"


@pytest.mark.usefixtures("engine")
def test_replay_by_the_snapshot_knows_the_media_servers(capsys, tmp_path):
    sync_once(settings())
    log = tmp_path / "sip.log"
    log.write_text(
        "127.0.0.1:6062 -> 127.0.0.1:5060\n\nINVITE sip:+74957654321@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP "
        "127.0.0.1:6062;branch=z9hG4bK1\r\nFrom: <sip:+79161234567@x>;tag=1\r\nTo: <sip:+74957654321@x>\r\n"
        "Call-ID: 1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
    by = [answer(capsys, "replay", log, *option) for option in ((), ("--snapshot",), ("--data", EXAMPLE))]
    assert [one.pop("directory")["source"] for one in by] == ["database", "snapshot", "file"]
    assert by[0] == by[1] == by[2]
    assert by[0]["calls"][0]["legs"][0]["subscriber"] == "203"
