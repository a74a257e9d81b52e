"""How every command answers: tables for people, JSON and YAML for programs, one line for an error."""

import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeAlias

import msgspec
import typer
import yaml

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


FormatOption: TypeAlias = Annotated[
    Format | None, typer.Option("--format", "-F", help="How to write the answer (default: table).")
]
DataOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--data", metavar="FILE.yaml", help="Work on this file alone, without any database."),
]


SnapshotOption: TypeAlias = Annotated[
    bool,
    typer.Option("--snapshot", help="Work on this node's snapshot, which its SIP workers decide by."),
]


class Given(msgspec.Struct, frozen=True):
    """Options that may stand before the command as well as behind it; behind it wins."""

    format: Format | None = None
    data: Path | None = None


on_file: ContextVar[bool] = ContextVar("on_file", default=False)
"""Whether --data stands before the command: then the command must not work on the database unawares."""


def format_of(context: typer.Context, behind: Format | None) -> Format:
    """The format asked for, before or behind the command."""
    return behind or context.ensure_object(Given).format or Format.TABLE


def data_of(context: typer.Context, behind: Path | None) -> Path | None:
    """The file to work on instead of the database, where one was given."""
    return behind or context.ensure_object(Given).data


def noun() -> typer.Typer:
    """A command of its own; help is plain text, which wraps and pipes well."""
    return typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)


def examples(*lines: str) -> str:
    """What stands below the help of a command: whole command lines, which tests parse."""
    # \b keeps the lines as they are.
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


class Refusal(typer.TyperException):
    """The command cannot do what was asked: one line (or one for each error) that says what to do.

    `status` is the exit status: 1 when the answer is no, 2 when the asking was wrong.
    """

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.exit_code = status


def refuse(message: str, status: int = 1) -> NoReturn:
    """End the command with an error."""
    raise Refusal(message, status)


def needs_database() -> None:
    """End the command where it was asked to work on a file and cannot."""
    if on_file.get():
        refuse("this command works on the database, not on a file: leave --data out", 2)


def show(value: Any, form: Format, table: Callable[[], "RenderableType"]) -> None:
    """Write an answer on standard output; `table` is only made when people read it."""
    if form is Format.JSON:
        text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
        sys.stdout.write(f"{text}\n")
    elif form is Format.YAML:
        yaml.safe_dump(msgspec.to_builtins(value), sys.stdout, allow_unicode=True, sort_keys=False, width=110)
    else:
        say(table())


def say(*lines: "RenderableType") -> None:
    """Write for people: 80 columns where there is no terminal, colours unless NO_COLOR is set."""
    from rich.console import Console  # noqa: PLC0415  programs that read JSON need not wait for it

    console = Console(highlight=False)
    for line in lines:
        console.print(line)


def table(columns: Sequence[str], rows: Sequence[Sequence[str | None]], title: str | None = None) -> "Table":
    """A table without frame, and without a head where no column has a name.

    Long cells wrap; text of the data is never taken for markup.
    """
    from rich.table import Table  # noqa: PLC0415  as in say()
    from rich.text import Text  # noqa: PLC0415

    made = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        show_header=any(columns),
        header_style="bold",
    )
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text("—" if cell is None else cell) for cell in row))
    return made
