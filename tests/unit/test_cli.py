"""fmcctl as people and scripts use it: answers, exit statuses, one line for an error."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml
from terminal import Input

import kemi.cli
from kemi.cli import app

CHECKOUT = Path(kemi.cli.__file__).parent.parent.parent
EXAMPLE = CHECKOUT / "examples" / "company.yaml"


def test_number_on_a_file_alone(answer):
    number = answer(
        "number",
        "--data",
        EXAMPLE,
        "--trunk",
        "mvno-main",
        "--role",
        "called",
        "--tenant",
        "company",
        "8-916-123-45-67",
    )
    assert number["raw"] == "8-916-123-45-67"
    assert number["canonical"] == "+79161234567"
    assert number["kind"] == "e164"
    assert number["shape"] == "national_trunk"
    assert [step["rule"] for step in number["trail"]] == ["separators", "national_trunk"]


@pytest.mark.parametrize(
    ("value", "kind", "canonical"),
    [
        ("201", "extension", None),
        ("112", "emergency", None),
        ("1234567", "e164", "+74951234567"),
        ("*21#", "service", None),
        ("sip:89161234567@ims.example;user=phone", "e164", "+79161234567"),
        ("99", "unknown", None),
    ],
)
def test_number_dialled_by_a_subscriber(answer, value, kind, canonical):
    number = answer(
        "number", "--data", EXAMPLE, "--trunk", "mvno-main", "--role", "called", "--tenant", "company", value
    )
    assert (number["kind"], number["canonical"]) == (kind, canonical)


@pytest.mark.parametrize(
    ("trunk", "role", "written", "shape"),
    [
        ("legacy-landline", "called", "89161234567", "national_trunk"),
        ("mvno-main", "calling", "79161234567", "e164_bare"),
        ("wholesale", "called", "+79161234567", "e164"),
    ],
)
def test_number_on_its_way_out(answer, trunk, role, written, shape):
    arguments = ("--trunk", trunk, "--role", role, "--direction", "egress", "+79161234567")
    number = answer("number", "--data", EXAMPLE, *arguments)
    assert number["raw"] == "+79161234567"
    assert (number["written"], number["shape"]) == (written, shape)
    assert number["trail"]


def changed_example(tmp_path, trunk, **keys):
    document = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    document["trunks"][trunk].update(keys)
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("to", "written"), [("+74951112233", "04951112233"), ("+4930123456", "004930123456")]
)
def test_number_on_its_way_out_with_the_prefixes_of_the_trunk(answer, tmp_path, to, written):
    """As the edge writes it: `explain` says the same."""
    prefixes = {"trunk": "0", "international": ["00"]}
    data = changed_example(tmp_path, "legacy-landline", prefixes=prefixes)
    asked = ("--trunk", "legacy-landline", "--role", "called", "--direction", "egress", to)
    assert answer("number", "--data", data, *asked)["written"] == written


def test_explain_says_who_is_called_where_the_trunk_looks(answer, tmp_path):
    data = changed_example(tmp_path, "wholesale", called_from="P-Called-Party-ID")
    asked = ("--trunk", "wholesale", "--from", "+79161234567", "--to", "+74957654321")
    assert answer("explain", "--data", data, *asked)["legs"][0]["reason"] == "did_called"
    header = ("--header", "p-called-party-id: <sip:+79990000201@x>")
    assert answer("explain", "--data", data, *asked, *header)["legs"][0]["reason"] == "sim_called"


def test_options_before_the_command_and_behind_it_say_the_same(fmcctl):
    asked = ("--trunk", "wholesale", "--role", "calling", "+79161234567")
    before = fmcctl("--data", EXAMPLE, "-F", "yaml", "number", *asked)
    behind = fmcctl("number", "--data", EXAMPLE, *asked, "--format", "yaml")
    assert before == behind
    assert yaml.safe_load(before[1])["canonical"] == "+79161234567"


def test_explain_follows_a_call_out(answer):
    first, second = answer(
        "explain", "--data", EXAMPLE, "--trunk", "mvno-main", "--from", "79990000201", "--to", "89161234567"
    )["legs"]
    assert (first["action"], first["direction"], first["subscriber"]) == ("media", "mobile_originated", "201")
    assert first["record"]
    assert "P-Asserted-Identity" in first["identity"]
    assert second["targets"][0]["trunk"] == "wholesale"
    assert second["targets"][0]["uri"].startswith("sip:+79161234567@")


def test_explain_takes_the_did_from_to(answer):
    legs = answer(
        "explain",
        "--data",
        EXAMPLE,
        "--trunk",
        "legacy-landline",
        "--from",
        "9161234567",
        "--to",
        "4951234567",
    )["legs"]
    assert legs[0]["service"] == "ivr:main"
    assert legs[0]["calling"]["canonical"] == "+79161234567"
    assert set(legs[0]["identity"]) == {"From", "To"}


def test_explain_believes_a_header_before_from(answer):
    asked = ("--trunk", "mvno-main", "--from", "79990000201", "--to", "89161234567")
    header = ("--header", "p-asserted-identity: <sip:79990000202@ims>", "--at", "2027-01-11T09:30:00+03:00")
    legs = answer("explain", "--data", EXAMPLE, *asked, *header)["legs"]
    assert legs[0]["subscriber"] == "202"


def test_explain_of_a_spoofed_number_is_an_outside_caller(answer):
    legs = answer(
        "explain", "--data", EXAMPLE, "--trunk", "wholesale", "--from", "+79990000201", "--to", "+79990000202"
    )["legs"]
    assert legs[0]["direction"] == "mobile_terminated"
    assert legs[0]["subscriber"] == "202"


def test_explain_of_a_refused_call_is_an_answer_too(answer):
    legs = answer(
        "explain", "--data", EXAMPLE, "--trunk", "wholesale", "--from", "x", "--to", "+79161234567"
    )["legs"]
    assert legs[0]["action"] == "reject"
    assert 400 <= legs[0]["status"] < 700


@pytest.mark.parametrize("noun", ["number", "explain", "apply"])
def test_tables_fit_80_columns_and_carry_no_colour_to_a_file(fmcctl, noun):
    arguments = {
        "number": ("--data", EXAMPLE, "--trunk", "mvno-main", "--role", "called", "8-916-123-45-67"),
        "explain": (
            "--data",
            EXAMPLE,
            "--trunk",
            "mvno-main",
            "--from",
            "79990000201",
            "--to",
            "89161234567",
        ),
        "apply": ("-f", EXAMPLE, "--dry-run"),
    }[noun]
    status, out, _ = fmcctl(noun, *arguments)
    assert status == 0
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80


def test_colours_where_they_are_wanted_and_none_with_no_color(fmcctl, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[32m+ trunks.mvno-main" in fmcctl("apply", "-f", EXAMPLE, "--dry-run")[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in fmcctl("apply", "-f", EXAMPLE, "--dry-run")[1]


def test_apply_makes_the_database_and_again_is_no_change(fmcctl, answer):
    status, out, err = fmcctl("apply", "-f", EXAMPLE, "--yes")
    assert (status, err) == (0, "")
    assert out.endswith("Revision 1: 17 added.\n")
    assert answer("apply", "-f", EXAMPLE, "--yes") == {"applied": False, "revision": 1, "changes": []}
    number = answer("number", "--trunk", "mvno-main", "--role", "called", "--tenant", "company", "202")
    assert number["kind"] == "extension"
    assert answer("explain", "--trunk", "mvno-main", "--from", "79990000201", "--to", "202")["legs"]


def test_apply_shows_what_changes(fmcctl, answer, tmp_path):
    fmcctl("apply", "-f", EXAMPLE, "--yes")
    changed = tmp_path / "changed.yaml"
    changed.write_text(EXAMPLE.read_text().replace("Отдел закупок", '"Закупки [1]"'))
    _, out, _ = fmcctl("apply", "-f", changed, "--dry-run")
    assert out.splitlines() == [
        "~ tenants.company.subscribers.201",
        "    name: Отдел закупок → Закупки [1]",
        "Would be: 1 changed.",
    ]
    made = answer("apply", "-f", changed, "--yes")
    assert made["applied"]
    assert made["revision"] == 2
    assert made["changes"] == [
        {
            "op": "change",
            "what": "tenants.company.subscribers.201",
            "fields": {"name": {"before": "Отдел закупок", "after": "Закупки [1]"}},
        }
    ]


def test_apply_shows_what_a_tenant_loses_that_is_named_without_some_of_its_settings(fmcctl, tmp_path):
    fmcctl("apply", "-f", EXAMPLE, "--yes")
    part = tmp_path / "part.yaml"
    part.write_text('tenants: {company: {area_code: "495", subscribers: {"205": {}}}}')
    _, out, _ = fmcctl("apply", "-f", part, "--dry-run")
    recording = "policy: all, announce: inbound, outbound, keep: 180d → policy: none, announce: —, keep: —"
    assert f"recording: {recording}" in " ".join(out.split())
    assert "name: ООО «Пример» → —" in out


def test_apply_without_a_terminal_wants_yes(fmcctl, tmp_path):
    status, _, err = fmcctl("apply", "-f", EXAMPLE)
    assert status == 2
    assert "--yes" in err
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(("yes", "status"), [(True, 0), (False, 1)])
def test_apply_asks_at_a_terminal(fmcctl, monkeypatch, tmp_path, yes, status):
    monkeypatch.setattr(sys, "stdin", Input(terminal=True))
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: yes)
    assert fmcctl("apply", "-f", EXAMPLE)[0] == status
    assert (tmp_path / "state" / "fmc.sqlite").exists() is yes


def test_a_bad_file_is_one_line_for_each_mistake_and_nothing_applied(fmcctl, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text(EXAMPLE.read_text().replace("channels: 300", "channels: x").replace("msisdn", "msisd", 1))
    status, out, err = fmcctl("apply", "-f", bad, "--yes")
    assert (status, out) == (2, "")
    assert [line.split(": ")[1] for line in err.splitlines()] == [
        "trunks.mvno-main.limits.channels",
        "tenants.company.subscribers.201.msisd",
    ]
    assert not (tmp_path / "state").exists()


def test_export_is_a_file_that_applies_as_no_change(fmcctl, answer, tmp_path):
    fmcctl("apply", "-f", EXAMPLE, "--yes")
    exported = tmp_path / "exported.yaml"
    exported.write_text(fmcctl("export")[1])
    assert answer("apply", "-f", exported, "--prune", "--yes")["changes"] == []


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (("nonsense",), 2, "No such command 'nonsense'."),
        (("number", "--trunk", "a", "1"), 2, "calling, called. See 'fmcctl number --help'."),
        (("number", "--trunk", "a", "--role", "x", "1"), 2, "'calling', 'called'"),
        (("number", "--trunk", "a", "--role", "called", "1"), 1, "run 'fmcctl apply -f FILE'"),
        (
            ("--data", "none.yaml", "number", "--trunk", "a", "--role", "called", "1"),
            2,
            "none.yaml: cannot be read",
        ),
        (("--data", EXAMPLE, "number", "--trunk", "a", "--role", "called", "1"), 2, "known are mvno-main"),
        (
            ("--data", EXAMPLE, "number", "--trunk", "wholesale", "--tenant", "x", "--role", "called", "1"),
            2,
            'no tenant "x"',
        ),
        (
            (
                "--data",
                EXAMPLE,
                "number",
                "--trunk",
                "wholesale",
                "--direction",
                "egress",
                "--role",
                "called",
                "1",
            ),
            2,
            "is not canonical",
        ),
        (
            (
                "--data",
                EXAMPLE,
                "explain",
                "--trunk",
                "wholesale",
                "--from",
                "1",
                "--to",
                "2",
                "--header",
                "x",
            ),
            2,
            "is no header",
        ),
        (
            ("--data", EXAMPLE, "explain", "--trunk", "wholesale", "--from", "1", "--to", "2", "--at", "now"),
            2,
            "is no time",
        ),
    ],
    ids=str,
)
def test_an_error_is_one_line_that_says_what_to_do(fmcctl, arguments, status, text):
    found, out, err = fmcctl(*arguments)
    assert (found, out) == (status, "")
    assert text in err
    assert err.count("\n") == 1


def test_a_database_that_cannot_be_used(fmcctl, monkeypatch, tmp_path):
    monkeypatch.setenv("FMC_DATABASE", "nonsense")
    status, _, err = fmcctl("export")
    assert status == 2
    assert "correct FMC_DATABASE" in err
    broken = tmp_path / "broken.sqlite"
    broken.write_text("this is no database, whatever its name says" * 100)
    monkeypatch.setenv("FMC_DATABASE", f"sqlite:///{broken}")
    status, _, err = fmcctl("export")
    assert status == 1
    assert "check FMC_DATABASE" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", [(), ("calls",)])
def test_a_command_that_holds_others_shows_them(fmcctl, words):
    status, out, err = fmcctl(*words)
    assert (status, out) == (2, "")
    assert err.startswith(f"Usage: {' '.join(('fmcctl', *words))} ")
    assert "\nCommands:\n" in err


def test_every_command_has_help_and_all_its_options_too():
    group = typer.main.get_command(app)
    context = typer.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command.help, name
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{name} {parameter.name}"


def test_the_module_runs_from_anywhere_without_importing_sql_for_a_file(tmp_path):
    code = """
import sys
from kemi.cli import main
status = main(sys.argv[1:])
sys.exit(90 if "sqlalchemy" in sys.modules or "rich.table" in sys.modules else status)
"""
    (tmp_path / "f.yaml").write_text(EXAMPLE.read_text())
    asked = [
        "number",
        "--data",
        "f.yaml",
        "--trunk",
        "wholesale",
        "--role",
        "calling",
        "+79161234567",
        "-F",
        "json",
    ]
    done = subprocess.run(
        [sys.executable, "-c", code, *asked], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["canonical"] == "+79161234567"
    module = [sys.executable, "-m", "kemi.cli", "number"]
    done = subprocess.run(module, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
