"""fmcctl subscriber import and export: what is told, what is asked, which status, which bytes."""

import io
import json
import sys
from pathlib import Path

import pytest
import typer
from rich.console import Console
from terminal import Input

import kemi.cli
from kemi.cli import changes, waiting

EXAMPLE = Path(kemi.cli.__file__).parent.parent.parent / "examples" / "company.yaml"
HEAD = "tenant;extension;name;msisdn\n"
GOOD = f"{HEAD}company;301;Склад «Юг»;+79990000301\ncompany;202;Диспетчер;+79990000202\n"
BAD = f"{HEAD}company;301;Склад;+79990000301\ncompany;302;Ночь;302\ncompny;303;;\n"


@pytest.fixture
def people(fmcctl, tmp_path):
    """An example directory and a CSV file that stands beside it."""
    assert fmcctl("apply", "-f", EXAMPLE, "--yes")[0] == 0
    return tmp_path / "people.csv"


def test_import_adds_and_changes(fmcctl, answer, people):
    people.write_text(GOOD, encoding="windows-1251")
    status, out, err = fmcctl("subscriber", "import", people, "--yes")
    assert (status, out, err) == (0, "Revision 2: 1 added, 1 changed.\n", "")
    document = answer("export")
    assert document["tenants"]["company"]["subscribers"]["301"]["name"] == "Склад «Юг»"
    assert answer("subscriber", "import", people) == {
        "applied": False,
        "revision": 2,
        "added": 0,
        "changed": 0,
        "unchanged": 2,
        "skipped": 0,
        "problems": [],
    }


def test_a_dry_run_changes_nothing(fmcctl, people):
    people.write_text(GOOD)
    assert fmcctl("subscriber", "import", people, "--dry-run")[:2] == (
        0,
        "Would be: 1 added, 1 changed.\n",
    )
    assert fmcctl("subscriber", "import", people, "--dry-run")[1].startswith("Would be: 1 added")


def test_bad_lines_are_all_told_and_nothing_is_imported(fmcctl, people):
    people.write_text(BAD)
    status, out, err = fmcctl("subscriber", "import", people, "--yes")
    assert (status, out) == (2, "")
    first, second, last = err.splitlines()
    assert first.startswith(f'{people}:3: msisdn: "302" is no E.164 number; write plus')
    assert second == f'{people}:4: tenant: there is no tenant "compny"; did you mean company?'
    assert last == "nothing was imported: correct 2 lines of 3, or add --skip-bad to leave them out"
    assert "301" not in fmcctl("subscriber", "export")[1]


def test_programs_are_told_of_bad_lines_too(fmcctl, people):
    people.write_text(BAD)
    status, out, err = fmcctl("subscriber", "import", people, "--yes", "-F", "json")
    told = json.loads(out)
    assert status == 2
    assert (told["applied"], told["revision"], told["skipped"]) == (False, 1, 2)
    assert [(problem["line"], problem["column"]) for problem in told["problems"]] == [
        (3, "msisdn"),
        (4, "tenant"),
    ]
    assert len(err.splitlines()) == 3


def test_skip_bad_takes_the_others(fmcctl, people):
    people.write_text(BAD)
    status, out, err = fmcctl("subscriber", "import", people, "--skip-bad", "--yes")
    assert (status, out) == (0, "Revision 2: 1 added, 2 skipped.\n")
    assert len(err.splitlines()) == 2
    assert "company;301;Склад;" in fmcctl("subscriber", "export")[1]


def test_skip_bad_needs_one_good_line_and_quotes_that_close(fmcctl, people):
    people.write_text(f"{HEAD}company;3;;\n")
    status, _, err = fmcctl("subscriber", "import", people, "--skip-bad", "--yes")
    assert (status, err.splitlines()[-1]) == (2, "nothing was imported: no line is without mistakes")
    people.write_text(f'{GOOD}company;303;"Ночь;\ncompany;304;;\n')
    status, _, err = fmcctl("subscriber", "import", people, "--skip-bad", "--yes")
    assert status == 2
    assert "quotes that never close" in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "{file}:1: is empty; begin with a line that names the columns"),
        (b"tenant;extension;msisnd\n", "{file}:1: msisnd: is no known column; did you mean msisdn?"),
        (None, "{file}: cannot be read (No such file or directory)"),
    ],
)
def test_a_file_that_cannot_be_used(fmcctl, people, content, why):
    if content is not None:
        people.write_bytes(content)
    status, out, err = fmcctl("subscriber", "import", people, "--yes")
    assert (status, out) == (2, "")
    assert err.startswith(why.format(file=people))
    assert len(err.splitlines()) == 1


def test_without_a_directory_there_is_nobody_to_import_for(fmcctl, tmp_path):
    file = tmp_path / "people.csv"
    file.write_text(GOOD)
    status, _, err = fmcctl("subscriber", "import", file, "--yes")
    assert status == 1
    assert "there is no database" in err
    assert fmcctl("subscriber", "export")[0] == 1


def test_a_person_is_asked(fmcctl, people, monkeypatch):
    people.write_text(GOOD)
    assert fmcctl("subscriber", "import", people)[::2] == (
        2,
        "there is no terminal to ask at, nothing was done: add --yes to import, --dry-run to look\n",
    )
    monkeypatch.setattr(sys, "stdin", Input(terminal=True))
    asked = []
    monkeypatch.setattr(typer, "confirm", lambda question, **_: asked.append(question) or len(asked) > 1)
    assert fmcctl("subscriber", "import", people)[0] == 1
    assert fmcctl("subscriber", "import", people)[0] == 0
    assert asked == ["Import? 1 added, 1 changed"] * 2


def test_what_changed_meanwhile_is_not_overwritten(fmcctl, people, tmp_path, monkeypatch):
    people.write_text(GOOD)
    other = tmp_path / "other.yaml"
    other.write_text("tenants: {other: {name: Другие}}\n")

    def meanwhile(question: str, **_: object) -> None:
        if question.startswith("Import"):
            assert fmcctl("apply", "-f", other, "--yes")[0] == 0

    monkeypatch.setattr(changes, "confirm", meanwhile)
    status, _, err = fmcctl("subscriber", "import", people)
    assert status == 1
    assert err.startswith("somebody else changed the directory meanwhile, nothing was imported")


def test_one_tenant_for_all_lines(fmcctl, people):
    people.write_text("extension;name\n301;Склад\n")
    assert fmcctl("subscriber", "import", people, "--tenant", "company", "--yes")[0] == 0
    assert (
        fmcctl("subscriber", "export", "--tenant", "company")[1].splitlines()[-1].startswith("company;301;")
    )
    for command in (("import", people), ("export",)):
        status, _, err = fmcctl("subscriber", *command, "--tenant", "compny")
        assert (status, err) == (2, 'there is no tenant "compny"; did you mean company?\n')


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251"])
def test_a_file_that_was_exported_is_imported_as_no_change(fmcctl, people, encoding):
    assert fmcctl("subscriber", "export", people, "--encoding", encoding) == (0, "", "")
    content = people.read_bytes()
    assert content.startswith(b"\xef\xbb\xbftenant;" if encoding == "utf-8" else b"tenant;")
    assert "Отдел закупок" in content.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    assert people.stat().st_mode & 0o777 == 0o640
    assert fmcctl("subscriber", "import", people) == (0, "Revision 1: 3 unchanged.\n", "")


@pytest.mark.usefixtures("people")
def test_standard_output_has_no_mark(fmcctl):
    status, out, err = fmcctl("subscriber", "export")
    assert (status, err) == (0, "")
    assert out.startswith("tenant;extension;name;msisdn;")
    assert len(out.splitlines()) == 4


def test_letters_that_the_encoding_does_not_have(fmcctl, people, tmp_path):
    people.write_text(f"{HEAD}company;301;日本;\n")
    fmcctl("subscriber", "import", people, "--yes")
    old = people.read_bytes()
    status, _, err = fmcctl("subscriber", "export", people, "--encoding", "windows-1251")
    assert (status, err) == (1, 'company 301: windows-1251 does not have "日"; leave --encoding out\n')
    assert people.read_bytes() == old
    assert sorted(each.name for each in tmp_path.iterdir()) == ["people.csv", "state"]


def test_a_place_that_cannot_be_written(fmcctl, people):
    status, _, err = fmcctl("subscriber", "export", people / "nowhere.csv")
    assert status == 1
    assert err.startswith(f"{people}/nowhere.csv: cannot be written (No such file or directory)")


def test_a_bar_is_shown_at_a_terminal_after_two_seconds(monkeypatch):
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=60)
    monkeypatch.setattr("rich.console.Console", lambda **_: terminal)
    with waiting.Bar("writing", 10) as bar:
        bar.add(1)
        assert shown.getvalue() == ""
        monkeypatch.setattr(waiting.time, "monotonic", lambda: float("inf"))
        bar.add(1)
        bar.add(1)
    assert "writing" in shown.getvalue()
    assert "30%" in shown.getvalue()


def test_no_bar_without_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(waiting, "PATIENCE", 0.0)
    with waiting.Bar("writing", 10) as bar:
        bar.add(1)
        bar.add(1)
    assert capsys.readouterr().err == ""
