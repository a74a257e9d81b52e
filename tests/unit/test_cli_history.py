"""fmcctl history and rollback, and the revision that an export carries."""

import re
import sys
from pathlib import Path

import typer
from sqlalchemy import text
from terminal import Input

import kemi.cli
from kemi import settings, store

EXAMPLE = Path(kemi.cli.__file__).parent.parent.parent / "examples" / "company.yaml"


def changed(tmp_path) -> Path:
    file = tmp_path / "changed.yaml"
    file.write_text(EXAMPLE.read_text().replace("Отдел закупок", "Закупки"))
    return file


def test_who_when_and_what(fmcctl, answer, monkeypatch, tmp_path):
    monkeypatch.setenv("SUDO_USER", "anna")
    fmcctl("apply", "-f", EXAMPLE, "--yes")
    fmcctl("apply", "-f", changed(tmp_path), "--yes")
    second, first = answer("history")["revisions"]
    assert (first["revision"], first["who"], first["what"]) == (1, "anna", "company.yaml: 17 added")
    assert second["what"] == "changed.yaml: 1 changed"
    assert first["at"].endswith("Z")
    assert answer("history", "--limit", "1") == {"revisions": [second]}
    assert answer("history", "--before", "2") == {"revisions": [first]}
    one = answer("history", "2")
    assert one["changes"][0]["fields"] == {"name": {"before": "Отдел закупок", "after": "Закупки"}}


def test_history_in_local_time(fmcctl, monkeypatch, tmp_path):
    monkeypatch.setenv("TZ", "MSK-3")
    fmcctl("apply", "-f", EXAMPLE, "--yes")
    fmcctl("apply", "-f", changed(tmp_path), "--yes")
    status, out, _ = fmcctl("history")
    assert status == 0
    assert re.match(r"revision +when +who +what +\n2 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", out)
    status, out, _ = fmcctl("history", "2")
    assert "\n~ tenants.company.subscribers.201\n    name: Отдел закупок → Закупки\n" in out
    assert max(map(len, out.splitlines())) <= 80


def test_history_of_a_revision_from_before_the_log(fmcctl):
    fmcctl("apply", "-f", EXAMPLE, "--yes")
    engine = store.engine_for(settings.load().database)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM changes"))
    engine.dispose()
    assert "is not known" in fmcctl("history", "1")[1]
    status, _, err = fmcctl("rollback", "0", "--yes")
    assert (status, err.count("\n")) == (1, 1)
    assert "before changes were logged" in err


def test_history_of_what_is_not_there(fmcctl):
    assert fmcctl("history")[0] == 1
    fmcctl("apply", "-f", EXAMPLE, "--yes")
    status, out, err = fmcctl("history", "2")
    assert (status, out, err) == (1, "", "there is no revision 2: see 'fmcctl history'\n")


def test_rollback_shows_asks_and_is_a_new_revision(fmcctl, answer, tmp_path):
    fmcctl("apply", "-f", EXAMPLE, "--yes")
    fmcctl("apply", "-f", changed(tmp_path), "--yes")
    status, out, err = fmcctl("rollback", "1")
    assert status == 2
    assert "Закупки → Отдел закупок" in out
    assert "--yes" in err
    assert fmcctl("rollback", "1", "--dry-run")[1].endswith("Would be: 1 changed.\n")
    made = answer("rollback", "1", "--yes")
    assert (made["applied"], made["revision"]) == (True, 3)
    assert answer("history")["revisions"][0]["what"] == "rollback to revision 1: 1 changed"
    assert answer("apply", "-f", EXAMPLE, "--prune", "--yes")["changes"] == []
    assert fmcctl("rollback", "1", "--yes")[1] == "Revision 3: no change.\n"
    assert answer("rollback", "2", "--yes")["revision"] == 4


def test_rollback_overtaken_while_it_was_asked(fmcctl, monkeypatch, tmp_path):
    fmcctl("apply", "-f", EXAMPLE, "--yes")
    fmcctl("apply", "-f", changed(tmp_path), "--yes")
    monkeypatch.setattr(sys, "stdin", Input(terminal=True))
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: bool(fmcctl("rollback", "0", "--yes")) or True)
    status, _, err = fmcctl("rollback", "1")
    assert status == 1
    assert "somebody else changed the directory" in err


def test_an_export_says_its_revision_and_is_refused_when_that_has_passed(fmcctl, answer, tmp_path):
    fmcctl("apply", "-f", EXAMPLE, "--yes")
    exported = tmp_path / "exported.yaml"
    exported.write_text(fmcctl("export")[1])
    assert exported.read_text().startswith("revision: 1\n")
    fmcctl("apply", "-f", changed(tmp_path), "--yes")
    for option in ("--dry-run", "--yes"):
        status, out, err = fmcctl("apply", "-f", exported, option)
        assert (status, out, err.count("\n")) == (1, "", 1)
        assert "written at revision 1, the directory is at 2" in err
    exported.write_text(fmcctl("export")[1].replace("Закупки", "Снабжение"))
    assert answer("apply", "-f", exported, "--yes")["revision"] == 3


def test_a_revision_is_a_whole_number(fmcctl, tmp_path):
    file = tmp_path / "f.yaml"
    file.write_text("revision: -1\n")
    status, _, err = fmcctl("apply", "-f", file, "--dry-run")
    assert (status, err) == (2, f"{file}:1: revision: is -1; it must be a whole number, 0 or more\n")
