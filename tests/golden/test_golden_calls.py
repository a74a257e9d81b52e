"""Calls and what becomes of them, one readable file each: calls/*.yaml.

A file holds a call, what differs from the example's directory (`changes`), and what `explain` says. After a
wanted change of a decision write them anew and read the difference:

    image/enter python tests/golden/test_golden_calls.py && git diff tests/golden
"""

import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))

from company import DIDS, HOST, TRUNKS, directory

from kemi.routing.explain import explain
from kemi.routing.memory import MemoryDirectory
from kemi.routing.model import Call, Did, Trunk

CALLS = Path(__file__).parent / "calls"
FILES = sorted(CALLS.glob("*.yaml"))


def changed(values, key: str, changes: dict[str, dict[str, Any]], kind):
    """Those values, with the fields that a file changes."""
    return tuple(
        msgspec.convert(msgspec.to_builtins(value) | changes.get(getattr(value, key), {}), kind)
        for value in values
    )


def directory_of(changes: dict[str, Any]) -> MemoryDirectory:
    return directory(
        trunks=changed(TRUNKS, "name", changes.get("trunks", {}), Trunk),
        dids=changed(DIDS, "number", changes.get("numbers", {}), Did),
    )


def number(value: dict[str, Any]) -> str:
    """A number on one line: what it is, what arrived, what each rule made of it."""
    steps = "".join(f" → {step['after']} ({step['rule']})" for step in value["trail"])
    return f"{value['kind']} {value['raw'] or '(empty)'}{steps}"


def presented(trail: list[dict[str, Any]]) -> str:
    """How the numbers of a header that left came to be what they are, on one line."""
    return ", ".join(f"{step['before']} → {step['after']} ({step['rule']})" for step in trail)


def readable(leg: dict[str, Any]) -> dict[str, Any]:
    """A leg with numbers and steps on one line each, without what is empty."""
    short = {key: value for key, value in leg.items() if value not in (None, [], {})}
    for key in ("calling", "called"):
        short[key] = number(leg[key])
    short["identity"] = {header: number(value) for header, value in leg["identity"].items()}
    for target in short.get("targets", ()):
        for header, trail in target.get("presented", {}).items():
            target["presented"][header] = presented(trail)
    short["steps"] = [f"{step['step']}: {step['why']}" for step in leg["steps"]]
    return short


def render(text: str) -> str:
    """A file as it should be: its call and changes, and what explain says of them now."""
    given = yaml.safe_load(text)
    call = msgspec.convert(given["call"], Call)
    legs = explain(call, directory_of(given.get("changes", {})), HOST)["legs"]
    given["legs"] = [readable(leg) for leg in legs]
    return yaml.safe_dump(given, allow_unicode=True, sort_keys=False, width=110)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_call_goes_where_its_file_says(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert render(text).splitlines() == text.splitlines()


def test_there_are_files() -> None:
    assert len(FILES) > 20


if __name__ == "__main__":
    for file in FILES:
        file.write_text(render(file.read_text(encoding="utf-8")), encoding="utf-8")
