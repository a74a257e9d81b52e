"""Replayed calls as people read them: two lines a call, what came above what it is, 80 to 110 columns."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kemi.cli.calltable import SHORT, localised
from kemi.cli.output import say
from kemi.numbering.model import Number
from kemi.replay.raw import Address
from kemi.replay.run import Row, Tally
from kemi.routing.model import Decision

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

NARROW, WIDE = 80, 110
CHUNK = 100
"""Rows that are put on the screen at once: a long file is shown while it is read."""

MARK = "??"
"""Stands before everything that is not known, so that it is found without colours too."""


def _console() -> "Console":
    from rich.console import Console  # noqa: PLC0415  programs that read JSON need not wait for it

    console = Console(highlight=False)
    wide = console.width if console.is_terminal or "COLUMNS" in os.environ else WIDE
    # A narrower terminal folds the lines itself: cut, they would say less.
    console.width = min(max(wide, NARROW), WIDE)
    return console


class Rows:
    """The table. Its columns have one width from the first row to the last; `live`: each row at once."""

    def __init__(self, *, live: bool = False) -> None:
        self._chunk = 1 if live else CHUNK
        self._console = _console()
        self._rows: list[Row] = []
        self._begun = False

    @property
    def full(self) -> bool:
        """Whether it is time to flush."""
        return len(self._rows) >= self._chunk

    def add(self, row: Row) -> None:
        """Add a row."""
        self._rows.append(row)

    def flush(self) -> None:
        """Print what was added."""
        from rich.table import Table  # noqa: PLC0415  as above

        if not self._rows:
            return
        whole = self._console.width
        widths = [4, 8, 12, 14, 14] if whole < WIDE else [6, 8, 16, 17, 17]
        made = Table(
            box=None,
            pad_edge=False,
            padding=(0, 1, 0, 0),
            show_header=not self._begun,
            header_style="bold",
            width=whole,
        )
        for name, width in zip(("#", "time", "trunk", "calling", "called"), widths, strict=True):
            made.add_column(name, width=width, overflow="fold")
        made.add_column("decision", width=whole - sum(widths) - len(widths), overflow="fold")
        for row in self._rows:
            made.add_row(*_cells(row))
        self._console.print(made)
        self._rows.clear()
        self._begun = True


def _cells(row: Row) -> Iterator["Text"]:
    yield _stack(str(row.n), "")
    if row.at is None:
        yield _stack("—", f"{row.raw.where} {row.raw.place}")
    else:
        yield _stack(f"{localised(row.at):%H:%M:%S}", f"{localised(row.at):%m-%d}")
    yield _trunk(row)
    decision = row.decision
    if decision is None:
        yield _stack(row.calling or "—", "")
        yield _stack(row.called or "—", "")
        said = f"{MARK} unreadable: {row.error}" if row.error else f"{MARK} unknown source: gets no answer"
        yield _stack(said, "", first="bold red" if row.error else "yellow")
        return
    yield _number(decision.calling)
    yield _number(decision.called)
    yield _decided(decision)


def _stack(above: str, below: str, *, first: str = "", second: str = "") -> "Text":
    from rich.text import Text  # noqa: PLC0415  as above

    made = Text(_visible(above), style=first)
    if below:
        made.append(f"\n{_visible(below)}", style=second or "not bold default")
    return made


def _visible(text: str) -> str:
    """Without what a terminal would obey: this text came from the network."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _trunk(row: Row) -> "Text":
    if row.source is None:
        return _stack(f"{MARK} {endpoint(row.raw.source)}" if row.raw.source else MARK, "", first="yellow")
    way = "" if row.decision is None else SHORT[row.decision.direction]
    found = {"via": "by Via", "option": "by --trunk"}.get(row.by or "", "")
    return _stack(row.source, ", ".join(part for part in (way, found) if part))


def endpoint(address: Address) -> str:
    """An address as people write it."""
    host, port = address
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def _number(number: Number) -> "Text":
    if number.kind == "unknown":
        return _stack(number.raw or "—", f"{MARK} unknown", second="bold yellow")
    if number.kind == "e164":
        return _stack(number.raw, "" if number.raw == number.value else f"→ {number.value}")
    if number.kind == "withheld":
        return _stack(number.raw or "—", "withheld")
    return _stack(
        number.raw, number.kind if number.raw == number.value else f"→ {number.value} {number.kind}"
    )


def _decided(decision: Decision) -> "Text":
    if decision.action == "reject":
        return _stack(f"reject {decision.status} {decision.reason}", "", first="red")
    target = next(iter(decision.targets), None)
    where = ""
    if target is not None:
        name = target.trunk or target.device
        where = f"→ {f'{name} ' if name else ''}{target.uri.removeprefix('sip:')}"
    return _stack(f"{decision.action} {decision.reason}", where)


class Changes:
    """Calls that are treated in another way: what it was, what it is."""

    full = True

    def __init__(self) -> None:
        self._row: Row | None = None
        self._console = _console()

    def add(self, row: Row) -> None:
        """Add a row; it is printed before the next one."""
        self._row = row

    def flush(self) -> None:
        """Print what was added."""
        from rich.text import Text  # noqa: PLC0415  as above

        if self._row is None:
            return
        row, self._row = self._row, None
        when = f"{localised(row.at):%m-%d %H:%M:%S}" if row.at else f"{row.raw.where} {row.raw.place}"
        decision = row.decision
        calling, called = (
            (decision.calling.raw, decision.called.raw) if decision else (row.calling, row.called)
        )
        who = f"{calling or '—'} → {called or '—'}"
        head = f"#{row.n}  {when}  {row.source or f'{MARK} unknown source'}  {who}"
        lines = [Text(_visible(head), style="bold")]
        for change in row.changes:
            line = Text(f"    {change.what}: ")
            line.append(_visible(_value(change.was)), style="red")
            line.append(" → ")
            line.append(_visible(_value(change.now)), style="green")
            lines.append(line)
        for line in lines:
            self._console.print(line)


def _value(value: Any) -> str:
    if value is None or value == []:
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def summary(tally: Tally, notes: list[str], *, compared: bool) -> None:
    """The last lines: what there was."""
    from rich.text import Text  # noqa: PLC0415  as above

    parts = [f"{tally.invites} INVITE{'' if tally.invites == 1 else 's'}"]
    if compared:
        parts.append(f"{tally.changed} changed")
    parts += [f"{tally.unknown} unknown", f"{tally.unreadable} unreadable"]
    passed = [
        f"{count} {what}"
        for count, what in (
            (tally.repeated, "repeated"),
            (tally.outgoing, "outgoing"),
            (tally.within_dialog, "within a dialog"),
        )
        if count
    ]
    say(Text(", ".join(parts) + (f" (not shown: {', '.join(passed)})" if passed else "") + "."))
    for note in notes:
        say(Text(f"The file {note}."))
