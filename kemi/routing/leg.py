"""A leg while it is being decided on: what is known of it so far, and the story of how it became known."""

from typing import Literal

from kemi.numbering.model import Number
from kemi.routing.model import Call, Decision, Direction, Directory, Diverted, Subscriber, Target, Tenant, Why
from kemi.routing.reasons import REJECTIONS, Accepted, Rejected

__all__ = ["NOT_READ", "Leg", "Story"]

NOT_READ = Number("", None, "unknown", "unknown", "")
"""Stands for a number of a leg that was refused before it was looked at."""


class Story:
    """Collects the steps of a decision. On the SIP path nobody reads them: there nothing is written."""

    __slots__ = ("_steps",)

    def __init__(self, *, told: bool) -> None:
        self._steps: list[Why] | None = [] if told else None

    def tell(self, step: str, sentence: str, *values: object) -> None:
        """Add a step; `sentence` has a {} for each value."""
        if self._steps is not None:
            self._steps.append(Why(step, sentence.format(*values)))

    def steps(self) -> tuple[Why, ...]:
        return tuple(self._steps or ())


class Leg:
    """What is known of a leg. Its parts are filled in as they are found out; `reject` and `accept` end it.

    `host` is the edge's address:port for the URIs it writes. `private` is the caller's wish, `identity`
    what every header said, `calling_header` and `called_header` those that were believed. `tenant` and
    `subscriber` are the tenant's own party once it is known.
    """

    __slots__ = (
        "call",
        "called",
        "called_header",
        "calling",
        "calling_header",
        "direction",
        "directory",
        "diversions",
        "host",
        "identity",
        "private",
        "story",
        "subscriber",
        "tenant",
    )

    def __init__(self, call: Call, directory: Directory, host: str, story: Story) -> None:
        self.call = call
        self.directory = directory
        self.host = host
        self.story = story
        self.calling = NOT_READ
        self.called = NOT_READ
        self.private = False
        self.diversions: tuple[Diverted, ...] = ()
        self.identity: dict[str, Number] = {}
        self.calling_header: str | None = None
        self.called_header = ""
        self.direction: Direction = "unknown"
        self.tenant: Tenant | None = None
        self.subscriber: Subscriber | None = None

    def reject(self, reason: Rejected) -> Decision:
        """End the leg: it is refused."""
        rejection = REJECTIONS[reason]
        self.story.tell("reject", "{} {}", rejection.status, rejection.why)
        return self._decision("reject", reason, status=rejection.status)

    def accept(
        self,
        action: Literal["media", "trunk"],
        reason: Accepted,
        targets: tuple[Target, ...],
        *,
        service: str | None = None,
        record: bool = False,
        announce: bool = False,
        degraded: tuple[str, ...] = (),
    ) -> Decision:
        """End the leg: it goes to the first target that takes it."""
        for target in targets:
            self.story.tell("target", "{} to {}.", target.uri, target.trunk or "a media server")
        return self._decision(
            action,
            reason,
            targets=targets,
            service=service,
            record=record,
            announce=announce,
            degraded=degraded,
        )

    def _decision(
        self,
        action: Literal["media", "trunk", "reject"],
        reason: str,
        *,
        status: int | None = None,
        service: str | None = None,
        record: bool = False,
        announce: bool = False,
        targets: tuple[Target, ...] = (),
        degraded: tuple[str, ...] = (),
    ) -> Decision:
        return Decision(
            action=action,
            direction=self.direction,
            reason=reason,
            calling=self.calling,
            called=self.called,
            tenant=None if self.tenant is None else self.tenant.name,
            subscriber=None if self.subscriber is None else self.subscriber.extension,
            status=status,
            service=service,
            record=record,
            announce=announce,
            targets=targets,
            steps=self.story.steps(),
            identity=self.identity,
            calling_header=self.calling_header,
            called_header=self.called_header,
            degraded=degraded,
        )
