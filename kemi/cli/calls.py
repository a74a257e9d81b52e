"""fmcctl calls: what became of calls."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Annotated, Any, get_args

import msgspec
import typer
from sqlalchemy import Connection

from kemi.calls.listing import Wanted, beginning_with, newest
from kemi.calls.record import CallRecord, Recording, Status
from kemi.cli import calltable
from kemi.cli.output import FormatOption, examples, format_of, refuse, show
from kemi.cli.source import database
from kemi.directory.database import reading_directory
from kemi.numbering.canonicalise import reader
from kemi.numbering.model import Shape
from kemi.numbering.plan import PLANS
from kemi.routing.model import Direction
from kemi.settings import load as settings

TYPED: tuple[Shape, ...] = (
    "e164",
    "e164_bare",
    "national_trunk",
    "national",
    "international_prefix",
    "international_00",
)
"""How a person may write a number to look for."""

SPANS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="What became of calls: list them, show one."
)


@app.command(
    "list",
    epilog=examples(
        "fmcctl calls list --since 2h",
        "fmcctl calls list --number 89161234567 --status missed",
        "fmcctl calls list --tenant company --direction inbound -F json",
    ),
)
def list_(
    context: typer.Context,
    *,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Calls of this tenant.")] = None,
    number: Annotated[
        str | None, typer.Option("--number", help="Calls from, to or answered by this number or extension.")
    ] = None,
    direction: Annotated[
        Direction | None,
        typer.Option(
            "--direction", metavar="DIRECTION", help=f"Calls of this one: {', '.join(get_args(Direction))}."
        ),
    ] = None,
    status: Annotated[Status | None, typer.Option("--status", help="Calls that ended so.")] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="WHEN", help="30m, 2h, 7d ago, or a time like 2027-01-11T09:30."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = 20,
    form: FormatOption = None,
) -> None:
    """List calls, the latest first."""
    wanted = Wanted(
        tenant=tenant,
        numbers=None if number is None else readings(number),
        direction=direction,
        status=status,
        since=None if since is None else _moment(since),
    )
    with _reading() as connection:
        found = newest(connection, wanted, limit)
    show([_contract(call) for call in found], format_of(context, form), lambda: calltable.listing(found))


@app.command(
    "show", epilog=examples("fmcctl calls show 01938f6e-0001-7000", "fmcctl calls show 01938f6e -F yaml")
)
def show_(
    context: typer.Context,
    call: Annotated[str, typer.Argument(metavar="ID", help="The call's id, or how it begins.")],
    form: FormatOption = None,
) -> None:
    """Show all that is known of one call."""
    with _reading() as connection:
        found = beginning_with(connection, call, 3)
    if not found:
        refuse(f'there is no call "{call}": see fmcctl calls list')
    if len(found) > 1 and found[0].id != call:
        refuse(f'several calls begin with "{call}", {found[0].id} and {found[1].id} among them: give more', 2)
    show(_contract(found[0]), format_of(context, form), lambda: calltable.details(found[0]))


def readings(number: str) -> frozenset[str]:
    """Every number that these digits can mean to a person, and the digits themselves (an extension)."""
    read = (reader((shape,), plan, None).read(number, "called") for plan in PLANS.values() for shape in TYPED)
    return frozenset((number, *(each.canonical for each in read if each.canonical)))


def _moment(text: str) -> datetime:
    span = re.fullmatch(r"(\d{1,6})([mhd])", text)
    if span:
        return calltable.now() - int(span[1]) * SPANS[span[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        refuse(f'--since "{text}" is no time: write it like 2h, 7d or 2027-01-11T09:30', 2)
    return moment if moment.tzinfo else calltable.localised(moment)


@contextmanager
def _reading() -> Iterator[Connection]:
    with database() as engine, reading_directory(engine) as connection:
        yield connection


def _contract(call: CallRecord) -> dict[str, Any]:
    """The record as contracts.md has it. Nothing delivers records yet, so there are no deliveries."""
    return {
        **msgspec.structs.asdict(call),
        "recordings": [_recording(each) for each in call.recordings],
        "deliveries": [],
    }


def _recording(recording: Recording) -> dict[str, Any]:
    file = settings().recordings / recording.path
    return {
        "path": recording.path,
        "url": file.as_uri() if file.exists() else None,
        "seconds": recording.seconds,
        "bytes": recording.bytes,
    }
