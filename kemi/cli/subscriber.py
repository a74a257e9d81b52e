"""fmcctl subscriber: people and their SIMs, one at a time; many at once come from a file."""

from typing import Annotated

import typer

from kemi.cli import bulk
from kemi.cli.change import How, change
from kemi.cli.nouncommands import DryRunOption, Texts, YesOption, commands, named
from kemi.cli.output import FormatOption, examples
from kemi.directory import imperative
from kemi.directory.nouns import SUBSCRIBER, Names

app = commands(
    SUBSCRIBER,
    Texts(
        about="People of tenants and their SIMs: add, list, show, change, remove.",
        plural="subscribers",
        added="name='Отдел закупок' msisdn=+79990000201",
        changed="ring=mobile,device device.password_env=PW",
        columns=("name", "msisdn", "ring", "suspended"),
    ),
)


def _swap_sim(
    context: typer.Context,
    names: Names,
    msisdn: Annotated[str, typer.Argument(metavar="MSISDN", help="The number of the new SIM, E.164.")],
    *,
    dry_run: DryRunOption = False,
    form: FormatOption = None,
) -> None:
    what = f"{SUBSCRIBER.spoken(names)}: new SIM {msisdn}"
    how = How(dry_run=dry_run, form=form)
    change(context, what, lambda part: imperative.swap_sim(part, names, msisdn), how)


def _move(
    context: typer.Context,
    names: Names,
    extension: Annotated[str, typer.Argument(metavar="NEW", help="The new extension.")],
    *,
    dry_run: DryRunOption = False,
    form: FormatOption = None,
) -> None:
    what = f"{SUBSCRIBER.spoken(names)} moved to {extension}"
    how = How(dry_run=dry_run, form=form)
    change(context, what, lambda part: imperative.move(part, names, extension), how)


def _suspend(
    context: typer.Context,
    names: Names,
    *,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    form: FormatOption = None,
) -> None:
    spoken = SUBSCRIBER.spoken(names)
    how = How(question=f"Suspend {spoken}?", yes=yes, dry_run=dry_run, form=form)
    change(context, f"{spoken} suspended", lambda part: imperative.suspend(part, names, suspended=True), how)


def _resume(
    context: typer.Context,
    names: Names,
    *,
    dry_run: DryRunOption = False,
    form: FormatOption = None,
) -> None:
    what = f"{SUBSCRIBER.spoken(names)} resumed"
    how = How(dry_run=dry_run, form=form)
    change(context, what, lambda part: imperative.suspend(part, names, suspended=False), how)


app.command(
    "swap-sim",
    help="Give a subscriber another SIM.",
    epilog=examples("fmcctl subscriber swap-sim company 201 +79990000301"),
)(named(SUBSCRIBER, _swap_sim))
app.command(
    "move",
    help="Give a subscriber another extension; DIDs, queues, menus and voicemail boxes follow.",
    epilog=examples("fmcctl subscriber move company 201 301"),
)(named(SUBSCRIBER, _move))
app.command(
    "suspend",
    help="Let a SIM call emergency numbers only; it does not ring either.",
    epilog=examples("fmcctl subscriber suspend company 201 --yes"),
)(named(SUBSCRIBER, _suspend))
app.command(
    "resume",
    help="Let a suspended SIM call and be called again.",
    epilog=examples("fmcctl subscriber resume company 201"),
)(named(SUBSCRIBER, _resume))
app.command(
    "import",
    epilog=examples(
        "fmcctl subscriber import people.csv --dry-run",
        "fmcctl subscriber import people.csv --tenant company --skip-bad --yes",
    ),
)(bulk.import_subscribers)
app.command(
    "export",
    epilog=examples(
        "fmcctl subscriber export people.csv",
        "fmcctl subscriber export --tenant company --encoding windows-1251 old.csv",
    ),
)(bulk.export_subscribers)
