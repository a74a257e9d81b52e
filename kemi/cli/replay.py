"""fmcctl replay: what the edge would do with the calls of a capture or a log."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Self

import msgspec
import typer

from kemi.cli.calltable import localised
from kemi.cli.completion import trunks
from kemi.cli.output import (
    DataOption,
    Format,
    FormatOption,
    SnapshotOption,
    data_of,
    examples,
    format_of,
    noun,
    refuse,
)
from kemi.cli.replaytable import Changes, Rows, summary
from kemi.cli.replaywriter import Writer
from kemi.cli.source import Opened, Source, known_trunk, opened
from kemi.replay.reading import UnknownFileError, invites
from kemi.replay.run import Row, Side, Tally, replay
from kemi.replay.sources import Sources
from kemi.settings import load as settings

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE = 2.0
"""Seconds after which a person wants to see that it goes on."""

app = noun()


@app.command(
    "replay",
    epilog=examples(
        "fmcctl replay yesterday.pcap",
        "fmcctl replay yesterday.pcap --data new.yaml --against old.yaml",
        "fmcctl replay --snapshot sip.log --trunk wholesale",
        "fmcctl replay - -F json",
    ),
)
def replay_(
    context: typer.Context,
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="A pcap or pcapng file, or text with SIP messages; - for stdin."),
    ],
    *,
    trunk: Annotated[
        str | None,
        typer.Option(
            "--trunk",
            help="Whose the INVITEs are that come from no address of a trunk.",
            autocompletion=trunks,
        ),
    ] = None,
    data: DataOption = None,
    snapshot: SnapshotOption = False,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="OLD.yaml", help="Show only what changes from this file on."),
    ] = None,
    form: FormatOption = None,
) -> None:
    """Decide again on the calls of a capture or a log; nothing is sent.

    The production decision runs on every initial INVITE that came to the edge. With --against only calls
    that are treated in another way are shown, and the exit status is 1 where there are any.
    """
    tally = Tally()
    with ExitStack() as stack:
        used = stack.enter_context(opened(data_of(context, data), snapshot=snapshot))
        if trunk is not None:
            known_trunk(used.directory, trunk)
        before = None if against is None else _side(stack.enter_context(opened(against)), trunk)
        _replay(file, _side(used, trunk), before, tally, format_of(context, form), used.source)
    if tally.changed:
        raise typer.Exit(1)


def _replay(  # noqa: PLR0917  all that it depends on
    file: str, side: Side, before: Side | None, tally: Tally, wanted: Format, used: Source
) -> None:
    notes: list[str] = []
    legs = wanted is not Format.TABLE
    try:
        with _opened(file) as stream, _Bar(stream) as bar:
            rows = replay(bar.watched(invites(stream, notes.append)), side, before, tally, legs=legs)
            shown = (row for row in rows if before is None or row.changes)
            _write(shown, wanted, bar, _Tail(tally, notes, used, compared=before is not None))
    except UnknownFileError as error:
        refuse(f"{file} {error}", 2)
    except BrokenPipeError:
        # Who reads has enough (head, less); whatever Python still wants to write goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        refuse(f"{file}: cannot be read ({error.strerror}): check the name and the rights", 2)


def _side(used: Opened, trunk: str | None) -> Side:
    return Side(used.directory, Sources(used.directory.trunks(), used.media), settings().listen, trunk)


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    with Path(file).open("rb") as stream:
        yield stream


class _Tail(msgspec.Struct, frozen=True):
    """What is said behind the calls."""

    tally: Tally
    notes: list[str]
    used: Source
    compared: bool

    def plain(self) -> dict[str, Any]:
        """For programs."""
        changed = self.tally.changed if self.compared else None
        counted = msgspec.structs.asdict(self.tally) | {"changed": changed}
        return counted | {"notes": self.notes, "directory": self.used}


def _write(rows: Iterable[Row], wanted: Format, bar: "_Bar", tail: _Tail) -> None:
    if wanted is not Format.TABLE:
        writer = Writer(sys.stdout, wanted)
        for row in rows:
            writer.write(_plain(row, compared=tail.compared))
        writer.end(tail.plain())
        return
    # What comes from a pipe may be a capture that goes on.
    table: Rows | Changes = Changes() if tail.compared else Rows(live=bar.endless)
    for row in rows:
        table.add(row)
        if table.full:
            with bar.away():
                table.flush()
    bar.end()
    table.flush()
    summary(tail.tally, tail.notes, compared=tail.compared)


def _plain(row: Row, *, compared: bool) -> dict[str, Any]:
    """A row as programs read it: the contract of docs/replay.md."""
    plain: dict[str, Any] = {
        "n": row.n,
        "at": None if row.at is None else localised(row.at).astimezone(UTC),
        row.raw.where: row.raw.place,
        "source": row.source,
        "source_by": row.by,
        "sip_call_id": row.sip_call_id,
        "error": row.error,
        "legs": row.legs,
    }
    if compared:
        plain["changes"] = row.changes
    return plain


class _Bar:
    """How far it is, on a terminal, once it takes long. It stands on stderr, where rows may go too."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._begun = time.monotonic()
        self.endless = stream is getattr(sys.stdin, "buffer", None)
        self._size = os.fstat(stream.fileno()).st_size if sys.stderr.isatty() else 0
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def watched(self, raws: Iterable[Any]) -> Iterator[Any]:
        """The same, with a look at the clock at each."""
        for raw in raws:
            self._look()
            yield raw

    def _look(self) -> None:
        if not self._size or time.monotonic() - self._begun < PATIENCE:
            return
        if self._progress is None:
            from rich.console import Console  # noqa: PLC0415  what is over soon need not wait for it
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn  # noqa: PLC0415

            self._progress = Progress(
                "reading",
                BarColumn(),
                TaskProgressColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
                redirect_stdout=False,
            )
            self._progress.add_task("", total=self._size)
            self._progress.start()
        self._progress.update(self._progress.task_ids[0], completed=self._stream.tell())

    @contextmanager
    def away(self) -> Iterator[None]:
        """Out of the way of what is printed."""
        if self._progress is None:
            yield
            return
        self._progress.stop()
        yield
        self._progress.start()

    def end(self) -> None:
        """For good."""
        if self._progress is not None:
            self._progress.stop()
