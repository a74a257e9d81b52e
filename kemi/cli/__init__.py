"""fmcctl: one module per noun, loaded when it is named."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from kemi.cli.completion import InstallOption, ShowOption, ready
from kemi.cli.output import DataOption, FormatOption, Given, examples, on_file

NOUNS = (
    "apply",
    "calls",
    "check",
    "destination",
    "explain",
    "export",
    "history",
    "ivr",
    "media",
    "number",
    "queue",
    "replay",
    "rollback",
    "route",
    "schedule",
    "status",
    "subscriber",
    "tenant",
    "trunk",
)


class _Nouns(TyperGroup):
    """Loads the module of the command that is named: `number --data` need not import SQL."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  the signature is typer's
        return list(NOUNS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  as above
        if cmd_name not in NOUNS:
            return None
        command = typer.main.get_command(import_module(f"kemi.cli.{cmd_name}").app)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=_Nouns,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(
    epilog=examples(
        "fmcctl apply -f company.yaml",
        "fmcctl --data company.yaml check",
        "fmcctl -F json calls list --since 2h",
        "fmcctl --install-completion bash",
    )
)
def fmcctl(
    context: typer.Context,
    *,
    form: FormatOption = None,
    data: DataOption = None,
    _install: InstallOption = None,
    _show: ShowOption = None,
) -> None:
    """Operate fmc-edge: what is provisioned, what would happen to a call, what did happen.

    Exit status: 0 done, 1 the answer is no, 2 bad usage.
    """
    context.obj = Given(format=form, data=data)
    on_file.set(data is not None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit status. Errors are one line each, on standard error."""
    ready()
    try:
        status = app(args=arguments, prog_name="fmcctl", standalone_mode=False)
    except typer.TyperException as error:
        sys.stderr.write(f"{_line(error)}\n")
        return error.exit_code
    except typer.Abort:
        sys.stderr.write("fmcctl: stopped, nothing was done\n")
        return 1
    return status or 0


def _line(error: typer.TyperException) -> str:
    """An error in its own words; one about the usage in one line, with where the usage stands."""
    where = getattr(error, "ctx", None)
    message = error.format_message()
    # A command that only holds others, named alone, gives its help as its complaint.
    if where is None or message.startswith("Usage:"):
        return message
    sentence = " ".join(message.split())
    return f"{sentence if sentence.endswith('.') else f'{sentence}.'} See '{where.command_path} --help'."
