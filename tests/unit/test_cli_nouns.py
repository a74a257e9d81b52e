"""fmcctl subscriber, number, trunk and all other nouns: one change at a time, lists, questions."""

import json
import shlex
import sys
from pathlib import Path

import pytest
import typer
import yaml
from terminal import Input

import kemi.cli
from kemi.cli import app

EXAMPLE = Path(kemi.cli.__file__).parent.parent.parent / "examples" / "company.yaml"
NOUNS = {
    "trunk": ("trunks", ["wholesale"], "country=KZ"),
    "route": ("routes", ["+7495"], "trunks=wholesale"),
    "tenant": ("tenants", ["company"], "area_code=812"),
    "subscriber": ("subscribers", ["company", "201"], "name=Закупки"),
    "number": ("numbers", ["company", "+74951234567"], "to=queue:sales"),
    "ivr": ("ivrs", ["company", "main"], "direct_dial=no"),
    "queue": ("queues", ["company", "sales"], "strategy=random"),
    "schedule": ("schedules", ["company", "office"], "timezone=Asia/Omsk"),
    "destination": ("destinations", ["company", "warehouse"], "url=https://a.example/"),
}


@pytest.fixture
def edge(fmcctl):
    assert fmcctl("apply", "-f", EXAMPLE, "--yes")[0] == 0
    return fmcctl


@pytest.mark.parametrize("noun", NOUNS)
def test_every_noun_lists_shows_and_sets(edge, answer, noun):
    plural, names, change = NOUNS[noun]
    listed = answer(noun, "list")
    assert set(listed) == {plural, "after"}
    shown = answer(noun, "show", *names)
    assert shown in listed[plural]
    assert list(shown.values())[: len(names)] == names
    key, _, value = change.partition("=")
    made = answer(noun, "set", *names, change)
    assert (made["applied"], made["revision"], len(made["changes"])) == (True, 2, 1)
    assert key in made["changes"][0]["fields"]
    after = answer(noun, "show", *names)
    assert {name for name in after if after[name] != shown[name]} == {key}
    assert str(after[key]) in (value, "False", f"['{value}']")
    assert edge(noun, "set", *names, change)[1].endswith("Revision 2: no change.\n")
    assert answer("history", "2")["who"]


@pytest.mark.parametrize("noun", [*NOUNS, "media"])
def test_tables_fit_80_columns(edge, noun):
    names = NOUNS[noun][1] if noun in NOUNS else ["sip:127.0.0.1:5080"]
    for arguments in (["list"], ["show", *names]):
        status, out, err = edge(noun, *arguments)
        assert (status, err) == (0, "")
        assert out
        assert max(map(len, out.splitlines())) <= 80


def test_add_shows_what_is_new_and_prints_the_revision(edge):
    status, out, _ = edge("subscriber", "add", "company", "204", "name=Новый", "msisdn=+79990000204")
    assert (status, out) == (0, "+ tenants.company.subscribers.204\nRevision 2: 1 added.\n")
    status, out, _ = edge("media", "add", "sip:127.0.0.2:5080", "--dry-run")
    assert (status, out) == (0, "+ media.sip:127.0.0.2:5080\nWould be: 1 added.\n")


def test_the_first_command_makes_the_database(fmcctl, answer):
    assert fmcctl("tenant", "list")[0] == 1
    assert fmcctl("subscriber", "add", "company", "201")[0] == 1
    assert answer("tenant", "add", "company", "name=ООО «Пример»")["revision"] == 1
    assert answer("subscriber", "add", "company", "201")["revision"] == 2


def test_mistakes_are_told_at_once_and_nothing_changes(edge, answer):
    status, out, err = edge("subscriber", "set", "company", "201", "msisd=+79990000209", "crm_user=x")
    assert (status, out) == (2, "")
    assert err.splitlines() == [
        "tenants.company.subscribers.201.crm_user: is text; it must be a whole number",
        "tenants.company.subscribers.201.msisd: is no known key; did you mean msisdn?",
    ]
    assert len(answer("history")["revisions"]) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("subscriber", "remove", "company", "201"), "queues.sales.members"),
        (("tenant", "remove", "company"), "3 subscribers"),
        (("subscriber", "add", "compny", "201"), "did you mean company?"),
        (("subscriber", "list", "compny"), "did you mean company?"),
        (("trunk", "show", "wholesal"), "did you mean wholesale?"),
    ],
)
def test_a_refusal_is_one_line(edge, arguments, told):
    status, out, err = edge(*arguments)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert told in err


@pytest.mark.parametrize(
    "arguments", [("remove", "company", "203"), ("suspend", "company", "203")], ids=lambda words: words[0]
)
def test_where_it_hurts_is_asked(edge, answer, monkeypatch, arguments):
    edge("number", "remove", "company", "+74957654321", "--yes")
    status, out, err = edge("subscriber", *arguments)
    assert status == 2
    assert "tenants.company.subscribers.203" in out
    assert "add --yes" in err
    monkeypatch.setattr(sys, "stdin", Input(terminal=True))
    asked = []
    monkeypatch.setattr(typer, "confirm", lambda question, **_: bool(asked.append(question)))
    assert edge("subscriber", *arguments)[0] == 1
    assert asked == [f"{arguments[0].capitalize()} subscriber 203 of company?"]
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: True)
    assert edge("subscriber", *arguments)[0] == 0
    assert len(answer("history")["revisions"]) == 3


def test_what_changed_while_it_was_asked_is_not_overwritten(edge, answer, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Input(terminal=True))

    def confirm(*_, **__):
        assert edge("subscriber", "set", "company", "203", "name=Другой")[0] == 0
        return True

    monkeypatch.setattr(typer, "confirm", confirm)
    status, _, err = edge("subscriber", "suspend", "company", "203")
    assert status == 1
    assert "somebody else changed the directory" in err
    assert not answer("subscriber", "show", "company", "203")["suspended"]


def test_suspend_resume_swap_and_move(edge, answer):
    assert edge("subscriber", "suspend", "company", "201", "--yes")[1] == (
        "~ tenants.company.subscribers.201\n    suspended: no → yes\nRevision 2: 1 changed.\n"
    )
    assert [
        person["extension"] for person in answer("subscriber", "list", "-w", "suspended=true")["subscribers"]
    ] == ["201"]
    assert answer("subscriber", "resume", "company", "201")["revision"] == 3
    assert answer("subscriber", "swap-sim", "company", "201", "+79990000301")["revision"] == 4
    status, out, _ = edge("subscriber", "move", "company", "201", "301")
    assert status == 0
    assert "    members: 201, 202 → 301, 202\n" in out
    what = [entry["what"] for entry in answer("history", "--limit", "4")["revisions"]]
    assert what == [
        "subscriber 201 of company moved to 301",
        "subscriber 201 of company: new SIM +79990000301",
        "subscriber 201 of company resumed",
        "subscriber 201 of company suspended",
    ]


def test_lists_page_and_search(edge, answer):
    for number in range(5):
        edge(
            "subscriber",
            "add",
            "company",
            f"30{number}",
            f"name=Щука {number}",
            f"msisdn=+7999000030{number}",
        )
    edge("tenant", "add", "alpha", "name=Альфа")
    edge("subscriber", "add", "alpha", "201", "name=Ёж")

    def extensions(*arguments) -> list[str]:
        return [person["extension"] for person in answer("subscriber", "list", *arguments)["subscribers"]]

    first = answer("subscriber", "list", "--limit", "3")
    assert first["after"] == "company/202"
    assert [person["tenant"] for person in first["subscribers"]] == ["alpha", "company", "company"]
    assert extensions("--after", first["after"]) == ["203", "300", "301", "302", "303", "304"]
    assert extensions("company", "--after", "302") == ["303", "304"]
    assert extensions("--search", "щУКа", "--limit", "2") == ["300", "301"]
    assert extensions("--search", "0000303") == ["303"]
    assert extensions("--search", "%") == []
    assert extensions("company", "--where", "crm_user=7") == ["201"]
    assert extensions("--where", "msisdn=") == ["201"]
    assert answer("subscriber", "list", "company", "--after", "304") == {"subscribers": [], "after": None}
    _, out, _ = edge("subscriber", "list", "company", "--limit", "2")
    assert out.splitlines()[-1] == "… and more: add --after 202"
    assert [one["tenant"] for one in answer("tenant", "list", "-s", "альф")["tenants"]] == ["alpha"]
    assert [one["route"] for one in answer("route", "list", "--after", "+")["routes"]] == ["+7495"]
    assert answer("number", "list", "alpha")["numbers"] == []
    assert [one["number"] for one in answer("number", "list", "-w", "trunk=wholesale")["numbers"]] == [
        "+74957654321"
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("subscriber", "list", "-w", "ring=mobile"), "ring: cannot be asked for; use name, msisdn"),
        (("subscriber", "list", "-w", "crm_user=x"), "crm_user: is text"),
        (("ivr", "list", "-w", "greeting=x"), "use --search"),
        (("subscriber", "list", "--after", "201"), "write it like company/201"),
    ],
)
def test_a_list_that_cannot_be(edge, arguments, told):
    status, out, err = edge(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert told in err


def test_number_reads_numbers_as_before(edge, answer):
    asked = ("--trunk", "mvno-main", "--role", "called", "--tenant", "company", "8-916-123-45-67")
    assert answer("number", *asked) == answer("number", "read", *asked)
    assert edge("number", "--trunk", "a", "1")[2].endswith("See 'fmcctl number --help'.\n")
    status, out, _ = edge("number", "--help")
    assert status == 0
    assert {"read", "add", "list", "show", "set", "remove"} <= {
        line.split()[0] for line in out.splitlines() if line
    }


def test_yaml_says_the_same(edge, answer):
    _, out, _ = edge("trunk", "show", "wholesale", "-F", "yaml")
    assert yaml.safe_load(out) == answer("trunk", "show", "wholesale")
    _, out, _ = edge("-F", "json", "queue", "list")
    assert json.loads(out) == answer("queue", "list")


@pytest.mark.parametrize("noun", [*NOUNS, "media"])
def test_examples_say_what_the_keys_may_be(edge, noun):
    """What help shows is taken, apart from what is there already or is not there."""
    group = typer.main.get_command(app).get_command(None, noun)
    for verb in ("add", "set"):
        command = group.get_command(None, verb)
        if command is None:
            continue
        for line in command.epilog.splitlines()[2:]:
            _, *words = shlex.split(line)
            status, _, err = edge(*words, "--dry-run")
            assert status == 0 or (status == 1 and ("already" in err or "there is no" in err)), err
