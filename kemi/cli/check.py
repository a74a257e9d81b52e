"""fmcctl check: what is legal in a directory but wrong."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kemi.cli.output import (
    DataOption,
    Format,
    FormatOption,
    data_of,
    examples,
    format_of,
    noun,
    refuse,
    say,
    show,
)
from kemi.cli.source import Source, read_document, source_of
from kemi.directory.audit import RULES, Remark, audit
from kemi.directory.lines import Lines
from kemi.directory.nodes import spell

if TYPE_CHECKING:
    from rich.table import Table

MOST_SHOWN = 200
"""Findings listed for people; the rest is counted."""

app = noun()


def _rules(incomplete: str) -> list[str]:
    return [rule for rule in RULES if rule.startswith(incomplete)]


@app.command(
    epilog=examples(
        "fmcctl check",
        "fmcctl check --data new.yaml",
        "fmcctl check --ignore recorded_untold --ignore unused",
        "fmcctl check -F json",
    )
)
def check(
    context: typer.Context,
    *,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore", metavar="RULE", help="Leave out what this rule finds.", autocompletion=_rules
        ),
    ] = None,
    data: DataOption = None,
    form: FormatOption = None,
) -> None:
    """Find what is legal in the directory but wrong, and say what to do.

    An error never works: a DID that nobody can reach. A warning works, but hardly as it was meant. The rules
    are listed in docs/check.md. Exit status: 0 nothing found, 1 something found, 2 a file that apply refuses.
    """
    for rule in ignore or ():
        if rule not in RULES:
            refuse(f'there is no rule "{rule}": see docs/check.md', 2)
    file = data_of(context, data)
    document = read_document(file)
    found = [each for each in audit(document) if each.rule not in (ignore or ())]
    lines = _lines(file, found)
    if file is not None:
        found = [each for _, each in sorted(zip(lines, found, strict=True), key=lambda pair: pair[0] or 0)]
        lines = sorted(lines, key=lambda line: line or 0)
    wanted = format_of(context, form)
    if wanted is Format.TABLE:
        _say(found, lines)
    else:
        show(_answer(found, lines, source_of(file, document)), wanted, str)
    if found:
        raise typer.Exit(1)


def _lines(file: Path | None, found: Sequence[Remark]) -> list[int | None]:
    """The line of each; None of what stands in a database."""
    if file is None or not found:
        return [None for _ in found]
    known = Lines(file)
    return [known.of(each.path) for each in found]


def _answer(found: Sequence[Remark], lines: Iterable[int | None], used: Source) -> dict[str, Any]:
    counted = Counter(each.severity for each in found)
    return {
        "errors": counted["error"],
        "warnings": counted["warning"],
        "findings": [
            {
                "severity": each.severity,
                "rule": each.rule,
                "key": spell(each.path),
                "line": line,
                "text": each.text,
                "do": each.do,
                "examples": each.examples,
            }
            for each, line in zip(found, lines, strict=True)
        ],
        "directory": used,
    }


def _say(found: Sequence[Remark], lines: Sequence[int | None]) -> None:
    if not found:
        say("Nothing found.")
        return
    say(_table(found[:MOST_SHOWN], lines))
    if len(found) > MOST_SHOWN:
        say(f"… and {len(found) - MOST_SHOWN} more")
    counted = Counter(each.severity for each in found)
    words = (
        f"{counted[one]} {one}{'' if counted[one] == 1 else 's'}"
        for one in ("error", "warning")
        if counted[one]
    )
    say(f"{', '.join(words)}.")


def _table(found: Sequence[Remark], lines: Iterable[int | None]) -> "Table":
    """Two lines or more for each: where and by which rule, and below it what and what to do."""
    from rich.table import Table  # noqa: PLC0415  as in kemi.cli.output
    from rich.text import Text  # noqa: PLC0415

    made = Table(box=None, pad_edge=False, show_header=False)
    made.add_column(width=7)
    made.add_column(overflow="fold")
    for each, line in zip(found, lines, strict=False):
        where = Text(spell(each.path), style="bold")
        where.append(f"{'' if line is None else f' (line {line})'}  {each.rule}", style="not bold dim")
        where.append(f"\n{each.text}; {each.do}", style="not bold not dim")
        made.add_row(Text(each.severity, style="red" if each.severity == "error" else "yellow"), where)
    return made
