"""What is different between two ways to treat a call."""

from collections.abc import Iterator, Mapping
from itertools import zip_longest
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
    found = [Change(name, was[name], now[name]) for name in ("source", "error") if was[name] != now[name]]
    for number, (before, after) in enumerate(zip_longest(was["legs"], now["legs"]), 1):
        if before is None or after is None:
            found.append(Change(f"leg {number}", _words(before), _words(after)))
        else:
            # The second leg is what a media server would send out.
            found += _between("" if number == 1 else f"leg {number} ", dict(_leg(before)), dict(_leg(after)))
    return tuple(found)


def _between(prefix: str, was: _Leg, now: _Leg) -> Iterator[Change]:
    for name in dict.fromkeys((*was, *now)):
        if was.get(name) != now.get(name):
            yield Change(prefix + name, was.get(name), now.get(name))


def _words(leg: _Leg | None) -> str | None:
    """A leg that is not on the other side, as a whole."""
    if leg is None:
        return None
    target = next((_target(each) for each in leg["targets"]), str(leg["status"]))
    return f"{leg['action']} {leg['reason']}, {target}"


def _target(target: Mapping[str, Any]) -> str:
    return f"{target.get('trunk') or target.get('device') or 'media'} {target['uri']}"


def _leg(leg: _Leg) -> Iterator[tuple[str, Any]]:
    yield "calling", _number(leg["calling"])
    yield "called", _number(leg["called"])
    for name in _FACTS:
        yield name, leg[name]
    for number, target in enumerate(leg["targets"], 1):
        before = f"target {number}"
        yield before, _target(target)
        for key in ("masked", "masks"):
            if target.get(key):
                yield f"{before} {key}", True
        for name, value in target["headers"].items():
            yield f"{before} {name}", value


def _number(number: Mapping[str, Any]) -> str:
    return f"{number['value']} ({number['kind']})" if number["canonical"] is None else number["canonical"]
