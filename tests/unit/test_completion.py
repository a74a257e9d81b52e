"""Shell completion, as a shell asks for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import kemi.cli
from kemi.cli.completion import FILES, SCRIPTS, Shell

CHECKOUT = Path(kemi.cli.__file__).parents[2]
EXAMPLE = CHECKOUT / "examples" / "company.yaml"


@pytest.fixture
def shell(tmp_path):
    """Runs a bash that has the completion script and a program of this name in a directory of no PATH."""
    program = tmp_path / "some where" / "fmcctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m kemi.cli "$@"\n')
    program.chmod(0o755)
    (tmp_path / "script").write_text(SCRIPTS[Shell.BASH])
    environment = {**os.environ, "FMC_STATE": str(tmp_path / "state"), "HOME": str(tmp_path)}
    environment.pop("FMC_DATABASE", None)

    def complete(*words: str) -> list[str]:
        quoted = " ".join(f"'{word}'" for word in ("fmcctl", *words))
        script = f"""
            source '{tmp_path}/script'
            complete -p fmcctl >&2
            COMP_WORDS=({quoted}); COMP_CWORD={len(words)}
            _fmcctl_completion "$PROGRAM"
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        done = subprocess.run(
            ["bash", "--norc", "-c", script],
            check=True,
            capture_output=True,
            text=True,
            env={**environment, "PROGRAM": str(program)},
        )
        assert done.stderr == "complete -o default -F _fmcctl_completion fmcctl\n"
        return done.stdout.split()

    return complete


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("num",), ["number"]),
        (("calls", ""), ["list", "show"]),
        (("number", "--role", ""), ["calling", "called"]),
        (("explain", "--tr"), ["--trunk"]),
        (("--install-completion", ""), ["bash", "zsh", "fish"]),
        (("check", "--ignore", "no_"), ["no_phone", "no_answer", "no_voicemail"]),
        (("number", "--data", str(EXAMPLE), "--trunk", ""), ["legacy-landline", "mvno-main", "wholesale"]),
        (("--data", str(EXAMPLE), "explain", "--trunk", "w"), ["wholesale"]),
        (("number", "--data", str(EXAMPLE), "--tenant", "c"), ["company"]),
        (("number", "--data", "none.yaml", "--trunk", ""), []),
        (("number", "--trunk", ""), []),
    ],
    ids=" ".join,
)
def test_bash_is_offered(shell, words, offered):
    assert shell(*words) == offered


def test_names_are_those_of_the_database(fmcctl, shell):
    assert fmcctl("apply", "-f", EXAMPLE, "--yes")[0] == 0
    assert shell("number", "--trunk", "le") == ["legacy-landline"]
    assert shell("number", "--tenant", "") == ["company"]
    assert shell("number", "--tenant", "%") == []


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (
            {"_FMCCTL_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "fmcctl number --role call"},
            """_arguments '*: :(("calling"\n"called"))'""",
        ),
        (
            {
                "_FMCCTL_COMPLETE": "complete_fish",
                "_TYPER_COMPLETE_FISH_ACTION": "get-args",
                "_TYPER_COMPLETE_ARGS": "fmcctl number --role call",
            },
            "calling\ncalled",
        ),
    ],
    ids=["zsh", "fish"],
)
def test_other_shells_are_answered(fmcctl, capsys, monkeypatch, environment, said):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        fmcctl()
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"{said}\n"


@pytest.mark.parametrize("shell_name", list(Shell))
def test_it_is_installed_once(fmcctl, monkeypatch, tmp_path, shell_name):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    told = {"bash": ".bashrc", "zsh": ".zshrc"}.get(shell_name)
    if told:
        (tmp_path / told).write_text("alias ll='ls -l'")
    for _ in range(2):
        status, out, err = fmcctl("--install-completion", shell_name)
        assert (status, err) == (0, "")
        assert str(tmp_path / FILES[shell_name]) in out
    assert (tmp_path / FILES[shell_name]).read_text() == SCRIPTS[shell_name]
    assert fmcctl("--show-completion", shell_name) == (0, SCRIPTS[shell_name], "")
    if told:
        first, added = (tmp_path / told).read_text().splitlines()
        assert first == "alias ll='ls -l'"
        assert "fmcctl" in added or ".zfunc" in added


def test_a_home_that_cannot_be_written_is_said_in_one_line(fmcctl, monkeypatch, tmp_path):
    (tmp_path / "home").write_text("no directory")
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    status, out, err = fmcctl("--install-completion", "bash")
    assert (status, out) == (1, "")
    assert "use --show-completion bash" in err
    assert err.count("\n") == 1
