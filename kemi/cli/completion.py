"""Shell completion: the scripts for each shell, and names of the directory that are completed.

The scripts ask the very command that stands on the line, so that they also serve bin/fmcctl of a checkout.
They are ours and not typer's, which looks for the shell among the parents of the process: inside the image
there are none.
"""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from typer.completion import get_completion_inspect_parameters

from kemi.cli.output import Refusal, refuse

__all__ = ["InstallOption", "ShowOption", "ready", "tenants", "trunks"]

MOST = 200
"""Names that are offered: more of them nobody reads."""

LARGEST = 1 << 20
"""Bytes of a file that is read while somebody waits for a name."""


class Shell(StrEnum):
    """A shell that completes."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


SCRIPTS = {
    Shell.BASH: """\
_fmcctl_completion() {
    local IFS=$'\\n'
    COMPREPLY=($(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD _FMCCTL_COMPLETE=complete_bash \\
        "${1/#\\~/$HOME}" 2>/dev/null))
}
complete -o default -F _fmcctl_completion fmcctl
""",
    Shell.ZSH: """\
#compdef fmcctl
_fmcctl_completion() {
    eval "$(_TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _FMCCTL_COMPLETE=complete_zsh \\
        ${~words[1]} 2>/dev/null)"
}
compdef _fmcctl_completion fmcctl
""",
    Shell.FISH: """\
function _fmcctl_completion
    set -lx _FMCCTL_COMPLETE complete_fish
    set -lx _TYPER_COMPLETE_FISH_ACTION $argv[1]
    set -lx _TYPER_COMPLETE_ARGS (commandline -cp)
    set -l command (string replace -r '^~' $HOME (commandline -opc)[1])
    $command 2>/dev/null
end
complete -c fmcctl -f -a '(_fmcctl_completion get-args)' -n '_fmcctl_completion is-args'
""",
}

FILES = {
    Shell.BASH: ".bash_completions/fmcctl.sh",
    Shell.ZSH: ".zfunc/_fmcctl",
    Shell.FISH: ".config/fish/completions/fmcctl.fish",
}
"""Where the scripts are installed, from the home directory on; fish finds its own."""

LINES = {
    Shell.BASH: (".bashrc", "source ~/.bash_completions/fmcctl.sh"),
    Shell.ZSH: (".zshrc", "fpath+=(~/.zfunc); autoload -Uz compinit; compinit"),
}
"""What the others must be told, and where."""


def _show(shell: Shell | None) -> None:
    if shell is not None:
        typer.echo(SCRIPTS[shell], nl=False)
        raise typer.Exit


def _install(shell: Shell | None) -> None:
    if shell is None:
        return
    home = Path.home()
    script = home / FILES[shell]
    try:
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(SCRIPTS[shell], encoding="utf-8")
        if shell in LINES:
            name, line = LINES[shell]
            told = home / name
            text = told.read_text(encoding="utf-8") if told.exists() else ""
            if line not in text.splitlines():
                with told.open("a", encoding="utf-8") as file:
                    file.write(f"{line}\n" if text[-1:] in {"", "\n"} else f"\n{line}\n")
    except OSError as error:
        refuse(
            f"{error.filename}: {error.strerror}: use --show-completion {shell} and put it where it belongs"
        )
    typer.echo(f"{script}: the next {shell} completes fmcctl")
    raise typer.Exit


ShowOption: TypeAlias = Annotated[
    Shell | None,
    typer.Option(
        "--show-completion",
        callback=_show,
        is_eager=True,
        expose_value=False,
        help="Print the completion script of a shell.",
    ),
]
InstallOption: TypeAlias = Annotated[
    Shell | None,
    typer.Option(
        "--install-completion",
        callback=_install,
        is_eager=True,
        expose_value=False,
        help="Put the completion script of a shell into the home directory.",
    ),
]


def trunks(context: typer.Context, incomplete: str) -> list[str]:
    """Names of trunks that begin so."""
    return _names(context, "trunks", incomplete)


def tenants(context: typer.Context, incomplete: str) -> list[str]:
    """Names of tenants that begin so."""
    return _names(context, "tenants", incomplete)


def _names(context: typer.Context, section: str, incomplete: str) -> list[str]:
    try:
        data = _data(context)
        found = _in_database(section, incomplete) if data is None else _in_file(data, section)
    except (Refusal, OSError):
        # Nobody asked for a complaint: the command itself will tell.
        return []
    return sorted(name for name in found if name.startswith(incomplete))[:MOST]


def _data(context: typer.Context | None) -> Path | None:
    """The file of --data, behind the command or before it."""
    while context is not None:
        given = context.params.get("data")
        if given:
            return Path(given)
        context = context.parent  # type: ignore[assignment]  # typer's are all of one kind
    return None


def _in_file(data: Path, section: str) -> list[str]:
    from kemi.cli.source import read_file  # noqa: PLC0415  every command imports this module

    return list(getattr(read_file(data), section)) if data.stat().st_size <= LARGEST else []


def _in_database(section: str, incomplete: str) -> list[str]:
    from sqlalchemy import select  # noqa: PLC0415  as above

    from kemi.cli.source import database  # noqa: PLC0415
    from kemi.directory.database import reading_directory  # noqa: PLC0415
    from kemi.directory.tables import TenantRow, TrunkRow  # noqa: PLC0415

    with database() as engine:
        name = TrunkRow.name if section == "trunks" else TenantRow.tenant
        query = select(name).where(name.startswith(incomplete, autoescape=True)).order_by(name).limit(MOST)
        with reading_directory(engine) as connection:
            return list(connection.execute(query).scalars())


def ready() -> None:
    """Make typer know the shells, where one of them asks."""
    if "_FMCCTL_COMPLETE" in os.environ:
        get_completion_inspect_parameters()
