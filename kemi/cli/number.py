"""fmcctl number: what a number is on a trunk, and how it is written there."""

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from kemi.cli.completion import tenants, trunks
from kemi.cli.did import with_dids
from kemi.cli.output import (
    DataOption,
    FormatOption,
    SnapshotOption,
    data_of,
    examples,
    format_of,
    noun,
    refuse,
    show,
    table,
)
from kemi.cli.source import Source, known_trunk, opened
from kemi.identity import user_of
from kemi.numbering.canonicalise import is_e164
from kemi.numbering.model import Number, Step, Written
from kemi.numbering.present import present
from kemi.routing.model import Directory, Trunk
from kemi.routing.reading import plan_for, read_number

if TYPE_CHECKING:
    from rich.table import Table


class Role(StrEnum):
    """Whose number it is."""

    CALLING = "calling"
    CALLED = "called"


class Way(StrEnum):
    """Which way the number goes."""

    INGRESS = "ingress"
    EGRESS = "egress"


app = noun()


@app.command(
    epilog=examples(
        "fmcctl number --trunk legacy-landline --role calling 84912345678",
        "fmcctl number --trunk mvno-main --role called --tenant company 89161234567",
        "fmcctl number --trunk wholesale --role called --direction egress +4930123456",
        "fmcctl --data edge.yaml number --trunk wholesale --role calling 9161234567",
    )
)
def number(
    context: typer.Context,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="The number as it arrived, or a SIP URI.")],
    *,
    trunk: Annotated[
        str, typer.Option("--trunk", help="The trunk it came from, or leaves on.", autocompletion=trunks)
    ],
    role: Annotated[Role, typer.Option("--role", help="Who calls or who is called.")],
    tenant: Annotated[
        str | None,
        typer.Option(
            "--tenant", help="Whose subscriber dialled it: extensions, area code.", autocompletion=tenants
        ),
    ] = None,
    direction: Annotated[
        Way, typer.Option("--direction", help="egress: how a canonical VALUE is written.")
    ] = Way.INGRESS,
    data: DataOption = None,
    snapshot: SnapshotOption = False,
    form: FormatOption = None,
) -> None:
    """Say what a number is, and by which rules."""
    user = user_of(value)
    with opened(data_of(context, data), snapshot=snapshot) as used:
        known = known_trunk(used.directory, trunk)
        read = (
            _written(user, known, role)
            if direction is Way.EGRESS
            else _read(user, known, role, tenant, used.directory)
        )
    answer = {**msgspec.structs.asdict(read), "directory": used.source}
    show(answer, format_of(context, form), lambda: _table(read, used.source))


def _read(value: str, trunk: Trunk, role: Role, tenant: str | None, directory: Directory) -> Number:
    dialler = None if tenant is None else directory.tenant(tenant)
    if tenant is not None and dialler is None:
        refuse(f'there is no tenant "{tenant}": see tenants in the file', 2)
    return read_number(value, trunk, role.value, directory, dialler)


def _written(value: str, trunk: Trunk, role: Role) -> Written:
    if value[:1] != "+" or not is_e164(value[1:]):
        refuse(f'"{value}" is not canonical: write plus, country code and number, like +79161234567', 2)
    header = "Request-URI" if role is Role.CALLED else "From"
    shape = trunk.egress.headers.get(header, trunk.egress.shape)
    return present(value, shape, plan_for(trunk), trunk.area_code)


def _table(read: Number | Written, used: Source) -> "Table":
    facts = [
        (name, "—" if fact is None else str(fact))
        for name, fact in msgspec.structs.asdict(read).items()
        if name != "trail"
    ]
    by = [("by", f"revision {used.revision}, this node's snapshot")] if used.source == "snapshot" else []
    return table(("", ""), [*facts, *_trail(read.trail), *by])


def _trail(trail: Iterable[Step]) -> Iterable[tuple[str, str]]:
    for index, step in enumerate(trail, 1):
        yield f"rule {index}", f"{step.rule}: {step.before} → {step.after}"


app = with_dids(app)
