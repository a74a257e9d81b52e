"""What a person and a script are told of a run: a table, and var/demo/report.json (contracts.md)."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from demo.result import Result


def write_json(path: Path, results: Sequence[Result], seconds: float) -> None:
    """Write the report; a call without a record has its scenario, its verdict and its checks."""
    passed = sum(result.ok for result in results)
    report = {
        "calls": [_entry(result) for result in results],
        "passed": passed,
        "failed": len(results) - passed,
        "seconds": round(seconds, 1),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n")


def _entry(result: Result) -> dict[str, Any]:
    checks = [
        {"name": check.name, "expected": check.expected, "seen": check.seen, "ok": check.ok}
        for check in result.checks
    ]
    return {
        **(result.record or {}),
        "scenario": result.scenario.name,
        "ok": result.ok,
        "checks": checks,
    }


def table(results: Sequence[Result]) -> Table:
    """One line a call: the verdict, the call, what arrived, was heard, and stands in the record."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "call", "arrived as", "heard", "call record"):
        made.add_column(heading)
    for result in results:
        verdict = Text("ok", "green") if result.ok else Text("FAILED", "bold red")
        seen = (Text(", ".join(words) or "—") for words in (result.arrived, result.heard, result.kept))
        made.add_row(verdict, result.scenario.title, *seen)
    return made


def tell(console: Console, results: Sequence[Result]) -> None:
    """Print the table and, for each call that went wrong, every check that failed."""
    console.print(table(results))
    for result in results:
        if result.ok:
            continue
        console.print(Text(f"\n{result.scenario.name}: {result.scenario.title}", "bold red"))
        for check in result.failures:
            console.print(Text(f"  {check.name}: expected {check.expected}, seen {check.seen}"))
