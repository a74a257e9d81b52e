"""All commands with their names, for those who speak of each: the page of the documentation, tests."""

from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperGroup

from kemi.cli import app

__all__ = ["commands", "examples_of"]

WIDTH = 80
"""Columns of a help text, whatever the terminal."""


def commands() -> Iterator[tuple[tuple[str, ...], Any, typer.Context]]:
    """Each command, those that hold others first: its words without `fmcctl`, itself, a context to ask in."""
    root = typer.main.get_command(app)
    context = typer.Context(root, info_name="fmcctl", terminal_width=WIDTH, **root.context_settings)
    yield from _below((), root, context)


def _below(
    words: tuple[str, ...], command: Any, context: typer.Context
) -> Iterator[tuple[tuple[str, ...], Any, typer.Context]]:
    yield words, command, context
    if isinstance(command, TyperGroup):
        for name in command.list_commands(context):
            held: Any = command.get_command(context, name)
            yield from _below((*words, name), held, typer.Context(held, info_name=name, parent=context))


def examples_of(command: Any) -> list[str]:
    """The command lines that stand below the help of a command."""
    lines = (command.epilog or "").splitlines()
    return [line.strip() for line in lines if line.startswith("  fmcctl ")]
