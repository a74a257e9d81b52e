"""fmcctl number add, list, show, set, remove: public numbers of tenants (DIDs), one at a time.

`fmcctl number --trunk T --role R VALUE` reads a number instead: that is no word of these.
"""

from typing import Any

import typer
from typer.core import TyperGroup

VERBS = ("add", "list", "show", "set", "remove")


def with_dids(reading: typer.Typer) -> typer.Typer:
    """The command that reads a number, as the group of it and of what is done with DIDs."""

    def read(name: str | None) -> Any:
        command = typer.main.get_command(reading)
        command.name = name
        return command

    class Number(TyperGroup):
        """Loads SQL only for DIDs: a number can be read without it."""

        def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  the signature is typer's
            return ["read", *VERBS]

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            return read("read") if cmd_name == "read" else _dids().get_command(ctx, cmd_name)

        def make_context(
            self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
        ) -> Any:
            if not args or args[0] not in ("read", *VERBS, "-h", "--help"):
                # Under the group's own name: an error says how the command was called.
                return read(info_name).make_context(info_name, args, parent, **extra)
            return super().make_context(info_name, args, parent, **extra)

    app = typer.Typer(
        cls=Number,
        no_args_is_help=True,
        rich_markup_mode=None,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback(
        help="What a number is: 'fmcctl number --trunk T --role R VALUE' (see 'read'); the DIDs of tenants."
    )(_nothing)
    return app


def _nothing() -> None:
    """Only commands below it do something."""


def _dids() -> Any:
    from kemi.cli.nouncommands import Texts, commands  # noqa: PLC0415  see Number
    from kemi.directory.nouns import NUMBER  # noqa: PLC0415

    texts = Texts(
        about="Public numbers of tenants (DIDs).",
        plural="numbers",
        added="trunk=wholesale to=subscriber:201",
        changed="to=ivr:main",
        columns=("trunk", "to", "crm_routing"),
    )
    return typer.main.get_group(commands(NUMBER, texts))
