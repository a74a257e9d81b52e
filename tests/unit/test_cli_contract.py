"""What holds for every command of fmcctl: help, examples that parse, keys for programs, errors, colours.

A new command is covered by being there: it needs examples (kemi.cli.output.examples), a line in
tests/golden/cli_json.yaml where it takes -F, and docs/cli.md written anew by tools/cli_docs.py.
"""

import json
import re
import runpy
import shlex
import shutil
import sqlite3
import unicodedata
from collections.abc import Iterator
from contextlib import closing, redirect_stdout
from pathlib import Path

import pytest
import yaml
from callevents import CALL, conversation
from rich.cells import cell_len
from typer.core import TyperGroup

import kemi.cli
from kemi.calls import store as calls
from kemi.calls.record import Recording
from kemi.cli import main
from kemi.cli.output import say, table
from kemi.cli.tree import commands, examples_of
from kemi.settings import load as settings
from kemi.store import engine_for

CHECKOUT = Path(kemi.cli.__file__).parents[2]
EXAMPLE = CHECKOUT / "examples" / "company.yaml"
PINNED = yaml.safe_load((CHECKOUT / "tests" / "golden" / "cli_json.yaml").read_text())

COMMANDS = {" ".join(words): (command, context) for words, command, context in commands()}
LEAVES = {words: held for words, held in COMMANDS.items() if not isinstance(held[0], TyperGroup)}


def options(words: str) -> set[str]:
    return {name for parameter in COMMANDS[words][0].params for name in parameter.opts}


# -- help ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", COMMANDS)
def test_everything_has_help_that_fits(words):
    command, context = COMMANDS[words]
    assert command.help
    for parameter in command.params:
        assert getattr(parameter, "help", None), parameter.name
    help_ = context.get_help()
    assert max(map(len, help_.splitlines())) <= 80
    assert "None" not in help_


def parsed(words: list[str]) -> str:
    """Parse a command line as the command itself does; gives the words of the command."""
    root, _ = COMMANDS[""]
    context = root.make_context("fmcctl", words)
    named = []
    while isinstance(context.command, TyperGroup):
        rest = [*context._protected_args, *context.args]
        assert rest, "names no command"
        name, command, rest = context.command.resolve_command(context, rest)
        named.append(name)
        context = command.make_context(name, rest, parent=context)
    return " ".join(named)


@pytest.mark.parametrize("words", LEAVES)
def test_every_command_has_examples_that_parse(words):
    lines = examples_of(LEAVES[words][0])
    assert lines
    for line in lines:
        # What follows > is the shell's.
        program, *arguments = shlex.split(line.partition(" > ")[0], comments=True)
        assert program == "fmcctl"
        assert parsed(arguments) in {words, words.removesuffix(" read")}, line
        assert len(line) <= 76


def test_the_examples_of_all_of_it_parse():
    for line in examples_of(COMMANDS[""][0]):
        arguments = shlex.split(line)[1:]
        assert arguments[0].startswith("--install") or parsed(arguments)


def test_the_page_of_the_documentation_is_current():
    page = runpy.run_path(str(CHECKOUT / "tools" / "cli_docs.py"))["page"]
    assert (CHECKOUT / "docs" / "cli.md").read_text() == page(), "run image/enter python tools/cli_docs.py"


# -- answers for programs --------------------------------------------------------------------------------

NAMED = {"trunks", "tenants", "subscribers", "numbers", "ivrs", "queues", "schedules", "destinations"}
NAMED |= {"headers", "fields", "choices", "identity", "presented"}
"""Keys whose mappings have names of the data for keys."""


def keys(value: object) -> set[str]:
    """The keys of an answer: `a.b`, `a[].b` in a list, `a.*.b` where the keys are names of the data."""
    found = set(walk(value, ""))
    # What is empty or null in one item of a list is a mapping in another.
    return {key for key in found if not any(other.startswith((f"{key}.", f"{key}[].")) for other in found)}


def walk(value: object, path: str) -> Iterator[str]:
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for item in value:
            yield from walk(item, f"{path}[]")
    elif isinstance(value, dict) and value:
        for name, item in value.items():
            name = "*" if path.rpartition(".")[2] in NAMED else name  # noqa: PLW2901  names of the data
            yield from walk(item, f"{path}.{name}".removeprefix("."))
    else:
        yield path


SPARE = """
trunks: {spare: {kind: carrier, peers: ["sip:192.0.2.9"], accept_from: [192.0.2.9]}}
tenants:
  empty: {}
  spare:
    subscribers: {"301": {}, "302": {}}
    ivrs: {spare: {greeting: welcome}}
    queues: {spare: {members: ["301"]}}
    schedules: {spare: {timezone: Europe/Moscow, open: ["Mon 09:00-10:00"]}}
"""
"""What nothing refers to, so that it can be removed."""


@pytest.fixture(scope="session")
def filled(tmp_path_factory):
    """A state with the example, something that can be removed, two revisions and a call in it."""
    home = tmp_path_factory.mktemp("contract")
    (home / "spare.yaml").write_text(SPARE)
    with pytest.MonkeyPatch.context() as patched, (home / "out").open("w") as out, redirect_stdout(out):
        patched.setenv("FMC_STATE", str(home / "state"))
        patched.delenv("FMC_DATABASE", raising=False)
        assert main(["apply", "-f", str(EXAMPLE), "--yes"]) == 0
        assert main(["apply", "-f", str(home / "spare.yaml"), "--yes"]) == 0
        engine = engine_for(settings().database)
        with engine.begin() as connection:
            calls.update(connection, conversation(), [calls.Found(CALL, "n", Recording("a.wav", 60.0, 9))])
        engine.dispose()
    return home / "state"


@pytest.fixture
def state(filled, tmp_path, _state, monkeypatch):
    shutil.copytree(filled, tmp_path / "state")
    monkeypatch.chdir(tmp_path)
    shutil.copy(EXAMPLE, "company.yaml")
    Path("people.csv").write_text("tenant;extension;name\ncompany;204;Склад\n")
    Path("sip.log").write_text(
        "127.0.0.1:6062 -> 127.0.0.1:5060\n\nINVITE sip:+74957654321@127.0.0.1 SIP/2.0\n"
        "Via: SIP/2.0/UDP 127.0.0.1:6062;branch=z9hG4bK1\nFrom: <sip:+79161234567@x>;tag=1\n"
        "To: <sip:+74957654321@x>\nCall-ID: 1\nCSeq: 1 INVITE\nMax-Forwards: 70\nContent-Length: 0\n\n"
    )


def test_every_answer_for_programs_is_pinned():
    assert set(PINNED) == {words for words in LEAVES if "--format" in options(words)}


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize("words", PINNED)
def test_the_keys_of_an_answer_stay(fmcctl, words):
    pinned = PINNED[words]
    arguments = shlex.split(pinned["asked"])
    assert parsed(arguments) in {words, words.removesuffix(" read")}
    status, out, err = fmcctl(*arguments, "-F", "json")
    assert (status, err) == (pinned.get("status", 0), "")
    answer = json.loads(out)
    assert keys(answer) == set(pinned["keys"])
    status, out, _ = fmcctl(*arguments, "--format", "yaml")
    assert status == pinned.get("status", 0)
    # What export writes as YAML is a file for apply: defaults are left out.
    assert keys(yaml.safe_load(out)) == keys(answer) or words == "export"


# -- tables ----------------------------------------------------------------------------------------------


def only(words: str) -> list[str]:
    """The command line that is pinned, without what makes it longer than people would write it."""
    return shlex.split(PINNED[words]["asked"])


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize("words", PINNED)
def test_tables_fit_80_columns_and_are_plain_in_a_pipe(fmcctl, words):
    _, out, err = fmcctl(*only(words))
    assert err == ""
    assert "\x1b" not in out
    wide = 110 if words == "replay" else 80
    # What is meant for another program is not folded: a file, a capture's rows.
    if words not in {"export", "subscriber export"}:
        assert max(map(cell_len, out.splitlines()), default=0) <= wide


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize("words", PINNED)
def test_no_color_is_honoured(fmcctl, monkeypatch, words):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    _, out, _ = fmcctl(*only(words))
    # Bold and dim are no colours.
    assert set(re.findall(r"\x1b\[([\d;]*)m", out)) <= {"0", "1", "2", "1;2"}


def test_columns_stand_below_each_other_in_every_script(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    names = [
        "Склад",
        "Ёлкин и и\u0306од",  # й as two characters
        "Café e\u0301t",
        "株式会社",
        "Ünïcødé",
        "Цех 🔥",
        "Ольга" + " очень" * 12,
    ]
    say(
        table(
            ("extension", "name", "ring"),
            [(str(200 + index), name, "mobile") for index, name in enumerate(names)],
        )
    )
    lines = capsys.readouterr().out.splitlines()
    assert max(map(cell_len, lines)) <= 80
    at = cell_len(lines[0][: lines[0].index("ring")])
    rows = [line for line in lines[1:] if line.startswith("2")]
    assert len(rows) == len(names)
    assert {cell_len(line[: line.index("mobile")]) for line in rows} == {at}
    assert {width(line[: line.index("mobile")]) for line in rows} == {at}


def width(text: str) -> int:
    """Columns of a text by Unicode alone (UAX 11): wide ones take two, marks that combine none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


# -- errors ----------------------------------------------------------------------------------------------


def needing(words: str) -> bool:
    return any(parameter.required for parameter in LEAVES[words][0].params)


@pytest.mark.usefixtures("_state")
@pytest.mark.parametrize("words", [words for words in LEAVES if needing(words)])
def test_what_is_missing_is_told_in_one_line(fmcctl, words):
    status, out, err = fmcctl(*words.split())
    assert (status, out) == (2, "")
    assert err.startswith("Missing ")
    assert err.count("\n") == 1


@pytest.mark.usefixtures("_state")
@pytest.mark.parametrize("words", LEAVES)
def test_a_wrong_option_is_told_in_one_line(fmcctl, words):
    status, out, err = fmcctl(*words.split(), "--nonsense")
    assert (status, out) == (2, "")
    assert "--nonsense" in err
    assert err.count("\n") == 1


WITHOUT_DIRECTORY = {"apply", "media add", "replay", "route add", "status", "tenant add", "trunk add"}
"""Those that make the database, that tell that there is none, and that are asked on a file above."""


@pytest.mark.usefixtures("_state")
@pytest.mark.parametrize("words", sorted(PINNED.keys() - WITHOUT_DIRECTORY))
def test_a_database_that_is_not_there_is_told_in_one_line(fmcctl, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    Path("people.csv").write_text("tenant;extension;name\ncompany;204;Склад\n")
    arguments = [word for word in only(words) if word != "--dry-run"]
    status, out, err = fmcctl(*arguments)
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert "fmcctl apply -f FILE" in err


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize("words", LEAVES)
def test_a_file_is_worked_on_or_refused(fmcctl, words):
    if "--data" in options(words):
        return
    arguments = only(words) if words in PINNED else words.split()
    status, out, err = fmcctl("--data", EXAMPLE, *arguments)
    assert (status, out) == (2, "")
    assert err == "this command works on the database, not on a file: leave --data out\n"


@pytest.mark.usefixtures("state")
def test_a_database_of_an_older_program_is_told(fmcctl):
    with closing(sqlite3.connect("state/fmc.sqlite")) as connection:
        connection.execute("ALTER TABLE trunks RENAME COLUMN kind TO sort")
    status, out, err = fmcctl("export")
    assert (status, out) == (1, "")
    assert "is older than this program: run 'fmcctl apply -f FILE'" in err
    assert err.count("\n") == 1
