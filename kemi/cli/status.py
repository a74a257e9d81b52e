"""fmcctl status: how each node is, and why something is not well."""

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from sqlalchemy import Connection, delete, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from kemi.agent import nodestate
from kemi.agent.health import Lag, NodeReport, lag_of, report, span
from kemi.agent.nodestate import NodeState, Peer
from kemi.cli.output import (
    Format,
    FormatOption,
    examples,
    format_of,
    needs_database,
    noun,
    refuse,
    say,
    show,
    table,
)
from kemi.cli.source import database
from kemi.directory import rows, seal
from kemi.directory.database import NoDirectoryError, reading_directory
from kemi.directory.snapshot import SnapshotDirectory, SnapshotError
from kemi.directory.tables import NodeRow, RevisionRow
from kemi.settings import Settings
from kemi.settings import load as settings
from kemi.store import engine_for

if TYPE_CHECKING:
    from rich.table import Table

AGAIN_SECONDS = 2.0

app = noun()


class Status(msgspec.Struct, frozen=True):
    """`revision` is the database's; `database` why it does not answer, "" where it does."""

    revision: int | None
    database: str
    nodes: tuple[NodeReport, ...]

    @property
    def well(self) -> bool:
        return not self.database and not any(node.problems for node in self.nodes)


@app.command(
    epilog=examples(
        "fmcctl status", "fmcctl status --watch", "fmcctl status -F json", "fmcctl status --forget edge-9"
    )
)
def status(
    context: typer.Context,
    *,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Look again every two seconds, until Ctrl-C.")
    ] = False,
    forget: Annotated[
        str | None,
        typer.Option("--forget", metavar="NODE", help="First strike out a node that is no more."),
    ] = None,
    form: FormatOption = None,
) -> None:
    """Show how each node is: revision, lag, trunks, media servers, agents, and why something is not well.

    This node is asked itself, also where the database does not answer; the others as they last reported.
    Exit status 0 when all is well, 1 when something is not.
    """
    needs_database()
    form = format_of(context, form)
    if forget is not None:
        _forget(forget)
    while True:
        found = look(settings())
        _tell(found, form, watch=watch)
        if not watch:
            break
        try:
            time.sleep(AGAIN_SECONDS)
        except KeyboardInterrupt:
            break
    if not found.well:
        raise typer.Exit(1)


def _tell(found: Status, form: Format, *, watch: bool) -> None:
    if form is not Format.TABLE:
        show(_plain(found), form, str)
        return
    if watch:
        Console().clear()
    say(Group(*_words(found)))


def _forget(node: str) -> None:
    with database() as engine, engine.begin() as connection:
        if not connection.execute(delete(NodeRow).where(NodeRow.node == node)).rowcount:
            refuse(f'no node "{node}" has reported: see fmcctl status')


# -- looking -------------------------------------------------------------------------------------------


def look(configured: Settings) -> Status:
    """Ask the database about all nodes, and this node itself."""
    own, now = _own(configured), time.time()
    why, revision = "", None
    made: dict[int, float] = {}
    reported: dict[str, Any] = {}
    engine = engine_for(configured.database)
    try:
        with reading_directory(engine) as connection:
            reported = _reported(connection)
            revision = rows.revision(connection)
            held = [own.revision or 0, *(row.revision for row in reported.values())]
            made = _made(connection, [number + 1 for number in held])
    except NoDirectoryError as error:
        why = str(error)
    except (SQLAlchemyError, OSError) as error:
        why = f"{engine.url.render_as_string()} does not answer ({str(error).partition(chr(10))[0]})"
    finally:
        engine.dispose()

    def lag(number: int | None) -> Lag | None:
        return None if revision is None else lag_of(number, revision, made, now)

    found = [
        report(
            name,
            nodestate.from_json(row.state),
            own=False,
            heard=max(0.0, now - row.at / 1e6),
            lag=lag(row.revision),
            now=now,
        )
        for name, row in reported.items()
        if name != configured.node
    ]
    if configured.node in reported or not found or _is_node(configured):
        found.append(report(configured.node, own, own=True, heard=0.0, lag=lag(own.revision), now=now))
    return Status(revision, why, tuple(sorted(found, key=lambda one: one.node)))


def _reported(connection: Connection) -> dict[str, Any]:
    if not inspect(connection).has_table(NodeRow.__tablename__):
        # An older version made the database; the next change of the directory migrates it.
        return {}
    query = select(NodeRow.node, NodeRow.at, NodeRow.revision, NodeRow.state)
    return {row.node: row for row in connection.execute(query)}


def _made(connection: Connection, numbers: Sequence[int]) -> dict[int, float]:
    """When revisions were made, in seconds since the epoch."""
    query = select(RevisionRow.number, RevisionRow.at).where(RevisionRow.number.in_(numbers))
    return {number: at / 1e6 for number, at in connection.execute(query)}


def _is_node(configured: Settings) -> bool:
    """Whether an edge lives here at all, and not only somebody who administrates others."""
    return seal.current(configured.snapshot) is not None or configured.kamailio_rpc.exists()


def _own(configured: Settings) -> NodeState:
    follow = nodestate.read_follow(configured)
    try:
        directory = SnapshotDirectory(configured.snapshot, aside=True)
    except SnapshotError as error:
        return nodestate.observe(
            configured, None, revision=None, revision_at=None, snapshot=str(error), follow=follow
        )
    try:
        with directory:
            small, number, at = directory.globals, directory.revision, directory.at
    finally:
        directory.close()
    return nodestate.observe(configured, small, revision=number, revision_at=at, snapshot="", follow=follow)


# -- telling -------------------------------------------------------------------------------------------


def _plain(found: Status) -> dict[str, Any]:
    return {
        "well": found.well,
        "revision": found.revision,
        "database": {"answers": not found.database, "why": found.database or None},
        "nodes": [_node(node) for node in found.nodes],
    }


def _node(node: NodeReport) -> dict[str, Any]:
    state = node.state
    return {
        "node": node.node,
        "own": node.own,
        "well": not node.problems,
        "heard_seconds": round(node.heard, 1),
        "revision": None if state is None else state.revision,
        "lag": None
        if node.lag is None
        else {"revisions": node.lag.revisions, "seconds": round(node.lag.seconds, 1)},
        "snapshot_age_seconds": None if node.age is None else round(node.age, 1),
        "agents": {} if state is None else state.agents,
        "spool": None if state is None else state.spool,
        "trunks": [] if state is None else state.trunks,
        "media": [] if state is None else state.media,
        "problems": node.problems,
        "notes": node.notes,
    }


def _words(found: Status) -> Iterator[RenderableType]:
    if found.database:
        yield f"[red]The database does not help:[/] {escape(found.database)}"
    else:
        yield f"Revision {found.revision}"
    yield _nodes(found.nodes)
    for node in found.nodes:
        if node.own and node.state is not None and (node.state.trunks or node.state.media):
            yield ""
            yield _peers(node.state)
    notes = [f"{escape(node.node)}: {escape(note)}" for node in found.nodes for note in node.notes]
    if notes:
        yield ""
        yield from notes
    yield ""
    if found.well:
        yield "[green]All is well.[/]"
        return
    for node in found.nodes:
        for problem in node.problems:
            yield f"[red]{escape(node.node)}: {escape(problem.what)}[/]"
            yield f"    {escape(problem.do)}"


def _nodes(nodes: Sequence[NodeReport]) -> "Table":
    columns = ("node", "revision", "behind", "snapshot", "sync", "ship", "spool", "heard")
    return table(columns, [_line(node) for node in nodes])


def _line(node: NodeReport) -> tuple[str | None, ...]:
    state, lag = node.state, node.lag
    agents = {} if state is None else state.agents
    behind = None
    if lag is not None:
        behind = f"{lag.revisions}, {span(lag.seconds)}" if lag.revisions else "0"
    return (
        node.node,
        None if state is None or state.revision is None else str(state.revision),
        behind,
        None if node.age is None else f"{span(node.age)} ago",
        *("runs" if agents.get(role) else "gone" for role in ("sync", "ship")),
        None if state is None or state.spool is None else str(state.spool),
        "here" if node.own else f"{span(node.heard)} ago",
    )


def _peers(state: NodeState) -> "Table":
    def lines(name: str, peers: Sequence[Peer]) -> Iterator[tuple[str, str, str]]:
        for number, peer in enumerate(peers):
            yield "" if number else name, peer.uri, peer.health

    found = [line for trunk in state.trunks for line in lines(f"trunk {trunk.name}", trunk.peers)]
    return table(("this node", "peer", "state"), [*found, *lines("media", state.media)])
