"""fmcctl explain: what the edge would do with a call, and why."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from kemi.cli.completion import trunks
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
from kemi.identity import HEADERS
from kemi.routing.explain import call_from
from kemi.routing.explain import explain as follow
from kemi.routing.model import Call, Trunk
from kemi.settings import load as settings

if TYPE_CHECKING:
    from rich.console import Group

_NAMES = {name.lower(): name for name in HEADERS}
IDENTITY_HEADERS = frozenset(
    {"from", "p-asserted-identity", "p-served-user", "p-preferred-identity", "remote-party-id"}
)

app = noun()


@app.command(
    epilog=examples(
        "fmcctl explain --trunk mvno-main --from 79990000201 --to 89161234567",
        "fmcctl explain --trunk legacy-landline --from 9161234567 --to 4951234567",
        "fmcctl explain --trunk mvno-main --from 79990000201 --to '#31#84951112233'",
        "fmcctl explain --snapshot --trunk wholesale --from 1 --to +74957654321",
        "fmcctl --data new.yaml explain --trunk wholesale --from 1 --to 2 -F json",
    )
)
def explain(
    context: typer.Context,
    *,
    trunk: Annotated[
        str, typer.Option("--trunk", help="The trunk the call comes from.", autocompletion=trunks)
    ],
    calling: Annotated[str, typer.Option("--from", help="Who calls: a number or a SIP URI.")],
    called: Annotated[str, typer.Option("--to", help="Who is called: a number or a SIP URI.")],
    header: Annotated[
        list[str] | None, typer.Option("--header", metavar="'NAME: VALUE'", help="A header of the INVITE.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="ISO8601", help="When; nothing depends on the time yet.")
    ] = None,
    data: DataOption = None,
    snapshot: SnapshotOption = False,
    form: FormatOption = None,
) -> None:
    """Say what the edge would do with a call, leg by leg, and why.

    The production decision runs; nothing is sent. --from stands in From; on an mvno trunk also in
    P-Asserted-Identity, as that network sends it, unless a --header says who calls. --to stands in To and
    in the Request-URI; on a trunk with called_from: To the Request-URI names nobody, and on one with
    P-Called-Party-ID it stands there too.
    """
    headers = _headers(header or [])
    if at is not None:
        _moment(at)
    with opened(data_of(context, data), snapshot=snapshot) as used:
        call = _call(known_trunk(used.directory, trunk), calling, called, headers)
        followed = follow(call, used.directory, settings().listen)
    answer = {**followed, "directory": used.source}
    show(answer, format_of(context, form), lambda: _tables(followed["legs"], used.source))


def _headers(lines: Iterable[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            refuse(f"--header \"{line}\" is no header: write it like 'Privacy: id'", 2)
        # A header given twice is a list (RFC 3261 section 7.3.1), however its name is written.
        name = _NAMES.get(name.strip().lower(), name.strip())
        headers[name] = ", ".join(filter(None, (headers.get(name), value.strip())))
    return headers


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        refuse(f'--at "{text}" is no time: write it like 2027-01-11T09:30:00+03:00', 2)


def _call(trunk: Trunk, calling: str, called: str, headers: Mapping[str, str]) -> Call:
    call = call_from(trunk.name, calling, called, headers)
    said = {name.lower() for name in headers}
    if trunk.kind == "mvno" and IDENTITY_HEADERS.isdisjoint(said):
        asserted = {"P-Asserted-Identity": call.headers["From"]}
        call = msgspec.structs.replace(call, headers={**call.headers, **asserted})
    if trunk.called_from == "To":
        call = msgspec.structs.replace(call, ruri="sip:edge")
    elif trunk.called_from == "P-Called-Party-ID" and "p-called-party-id" not in said:
        party = {"P-Called-Party-ID": call.headers["To"]}
        call = msgspec.structs.replace(call, headers={**call.headers, **party})
    return call


def _tables(legs: list[dict[str, Any]], used: Source) -> "Group":
    from rich.console import Group, RenderableType  # noqa: PLC0415  programs that read JSON need not wait for it

    parts: list[RenderableType] = []
    for number, leg in enumerate(legs, 1):
        rows = [*_facts(leg), *_targets(leg), *_steps(leg)]
        parts += ["", table(("", ""), rows, title=f"Leg {number}: {_headline(leg)}")]
    if used.source == "snapshot":
        parts += ["", f"By revision {used.revision}, this node's snapshot."]
    return Group(*parts[1:])


def _headline(leg: Mapping[str, Any]) -> str:
    where = f"rejected with {leg['status']}" if leg["action"] == "reject" else f"to {leg['action']}"
    return f"{leg['direction']}, {where} ({leg['reason']})"


def _facts(leg: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    yield "calling", _number(leg["calling"])
    yield "called", _number(leg["called"])
    if leg["tenant"]:
        yield "tenant", leg["tenant"]
    if leg["subscriber"]:
        yield "subscriber", leg["subscriber"]
    if leg["service"]:
        yield "service", leg["service"]
    if leg["action"] == "media":
        yield "recorded", "yes" if leg["record"] else "no"
        yield "announced", "yes" if leg["announce"] else "no"
    if leg["degraded"]:
        yield "without", ", ".join(leg["degraded"])


def _number(number: Mapping[str, Any]) -> str:
    if number["raw"] == number["value"]:
        return f"{number['raw'] or '—'} ({number['shape'] or number['kind']})"
    return f"{number['raw'] or '—'} → {number['value']} ({number['shape'] or number['kind']})"


def _targets(leg: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for number, target in enumerate(leg["targets"], 1):
        yield f"target {number}", f"{target.get('trunk') or target.get('device') or 'media'}  {target['uri']}"
        for name, value in target["headers"].items():
            yield "", f"{name}: {value}"


def _steps(leg: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for number, step in enumerate(leg["steps"], 1):
        yield f"step {number}", f"{step['step']}: {step['why']}"
