"""What is different between two ways to treat a call."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

__all__ = ["Change", "changes"]

_Leg: TypeAlias = Mapping[str, Any]

_FACTS = (
    "direction",
    "action",
    "reason",
    "status",
    "tenant",
    "subscriber",
    "service",
    "record",
    "announce",
    "degraded",
)


class Change(msgspec.Struct, frozen=True):
    """One thing that changes; None where it was not, or will not be."""

    what: str
    was: Any
    now: Any


def changes(was: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[Change, ...]:
    """Everything that is different; empty where nobody could tell the difference.

    Both have `source`, `error` and `legs`. How it came about (steps, trails) is left out.
    """
    facts = dict(_facts(was)), dict(_facts(now))
    names = dict.fromkeys((*facts[0], *facts[1]))
    return tuple(
        Change(name, facts[0].get(name), facts[1].get(name))
        for name in names
        if facts[0].get(name) != facts[1].get(name)
    )


def _facts(outcome: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "source", outcome["source"]
    yield "error", outcome["error"]
    for number, leg in enumerate(outcome["legs"], 1):
        # The second leg is what a media server would send out.
        before = "" if number == 1 else f"leg {number} "
        for name, value in _leg(leg):
            yield before + name, value


def _leg(leg: _Leg) -> Iterator[tuple[str, Any]]:
    yield "calling", _number(leg["calling"])
    yield "called", _number(leg["called"])
    for name in _FACTS:
        yield name, leg[name]
    for number, target in enumerate(leg["targets"], 1):
        before = f"target {number}"
        yield before, f"{target.get('trunk') or target.get('device') or 'media'} {target['uri']}"
        if target.get("masked"):
            yield f"{before} masked", True
        for name, value in target["headers"].items():
            yield f"{before} {name}", value


def _number(number: Mapping[str, Any]) -> str:
    return f"{number['value']} ({number['kind']})" if number["canonical"] is None else number["canonical"]
