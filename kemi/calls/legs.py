"""What the events of one call say, leg by leg, whatever their order and however often they come.

Pure. Where two events of a kind contradict each other the rule below decides by their content alone, so
that every order of arrival gives the same leg.
"""

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from kemi.calls.events import Answered, Connected, Ended, Event, Failed, Media, Started, encode

E = TypeVar("E", Started, Answered, Ended, Failed, Connected, Media)


class Leg(msgspec.Struct):
    """One leg: what each kind of event said of it, None until it came; `connected` by side."""

    started: Started | None = None
    answered: Answered | None = None
    ended: Ended | None = None
    failed: Failed | None = None
    connected: dict[str, Connected] = {}

    @property
    def was_answered(self) -> bool:
        """Only an answered leg has an end, so an end tells it too."""
        return self.answered is not None or self.ended is not None

    @property
    def over_at(self) -> int | None:
        """When the leg was over, or None while it is not known to be. An answer outweighs a failure."""
        if self.ended:
            return self.ended.at
        if self.answered:
            return None
        if self.failed:
            return self.failed.at
        if self.started and self.started.status is not None:
            return self.started.at
        return None

    @property
    def first_at(self) -> int:
        """When the leg is first known to have existed."""
        if self.started:
            return self.started.at
        events = (self.answered, self.ended, self.failed, *self.connected.values())
        return min(event.at for event in events if event)


class Facts(msgspec.Struct):
    """All that is known of one call: its legs by their id, and its media facts by their channel's."""

    legs: dict[str, Leg] = {}
    media: dict[str, Media] = {}

    def add(self, events: Iterable[Event]) -> None:
        """Take events in; once or more often, in any order."""
        for event in events:
            if isinstance(event, Media):
                self.media[event.leg] = _last(self.media.get(event.leg), event)
                continue
            leg = self.legs.setdefault(event.leg, Leg())
            match event:
                case Started():
                    # Decided on again when no media server took the call: the last decision holds.
                    leg.started = _last(leg.started, event)
                case Answered():
                    leg.answered = _first(leg.answered, event)
                case Ended():
                    leg.ended = _first(leg.ended, event)
                case Failed():
                    leg.failed = _last(leg.failed, event)
                case Connected():
                    leg.connected[event.side] = _last(leg.connected.get(event.side), event)


def _order(event: Event) -> tuple[int, bytes]:
    return event.at, encode(event)


def _first(known: E | None, new: E) -> E:
    return new if known is None or (known != new and _order(new) < _order(known)) else known


def _last(known: E | None, new: E) -> E:
    return new if known is None or (known != new and _order(new) > _order(known)) else known
