"""fmcctl in this process, on a state of its own and without a terminal."""

import json
import sys

import pytest
from terminal import Input

from kemi.cli import main


@pytest.fixture
def _state(tmp_path, monkeypatch):
    for name in ("FMC_DATABASE", "FMC_LISTEN", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FMC_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(sys, "stdin", Input(terminal=False))


@pytest.fixture
def fmcctl(_state, capsys):
    """Runs a command: gives status, what it answered, what it complained about."""

    def run(*arguments: object) -> tuple[int, str, str]:
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def answer(fmcctl):
    """Runs a command that must succeed and gives its answer as a value."""

    def run(*arguments: object) -> object:
        status, out, err = fmcctl(*arguments, "-F", "json")
        assert (status, err) == (0, "")
        return json.loads(out)

    return run
