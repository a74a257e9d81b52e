"""SQL tables of call records: what each leg's events said, and the record made from them.

`calls` is derived: it can be computed again from `legs`, `media_facts` and `recordings` at any time.
"""

from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import JSON, BigInteger, DateTime, Dialect, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from kemi.calls.events import Connected
from kemi.calls.record import Sent
from kemi.numbering.model import Number, Step
from kemi.store import Base

T = TypeVar("T")


class Moment(TypeDecorator[datetime]):
    """A point of time with its zone, always UTC; SQLite keeps no zone of its own."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Document(TypeDecorator[T]):
    """A value of `kind` as JSON."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: T | None, _: Dialect) -> Any:
        return msgspec.to_builtins(value)

    def process_result_value(self, value: Any, _: Dialect) -> T | None:
        return None if value is None else msgspec.convert(value, self.kind)


NUMBER: Document[Number] = Document(Number)
NUMBERS: Document[dict[str, Number]] = Document(dict[str, Number])
SENT: Document[dict[str, Sent]] = Document(dict[str, Sent])
WRITTEN: Document[dict[str, dict[str, str]]] = Document(dict[str, dict[str, str]])
PRESENTED: Document[dict[str, dict[str, tuple[Step, ...]]]] = Document(dict[str, dict[str, tuple[Step, ...]]])
SAID: Document[tuple[Connected, ...]] = Document(tuple[Connected, ...])
REASONS: Document[tuple[str, ...]] = Document(tuple[str, ...])


class Call(Base):
    """One physical call: its record, and when to look again for what its media server owes.

    `calling_number` and `called_number` are the numbers' values, to search by. `check_at` is set while a
    recording or a media event is awaited; `overdue` says that the waiting is over.
    """

    __tablename__ = "calls"

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant: Mapped[str | None]
    direction: Mapped[str]
    calling: Mapped[Number | None] = mapped_column(NUMBER)
    called: Mapped[Number | None] = mapped_column(NUMBER)
    calling_number: Mapped[str | None] = mapped_column(index=True)
    called_number: Mapped[str | None] = mapped_column(index=True)
    answered_by: Mapped[str | None] = mapped_column(index=True)
    ingress_trunk: Mapped[str | None]
    egress_trunk: Mapped[str | None]
    started_at: Mapped[datetime] = mapped_column(Moment)
    answered_at: Mapped[datetime | None] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    duration: Mapped[float | None]
    talk: Mapped[float | None]
    status: Mapped[str | None]
    sip_status: Mapped[int | None]
    consent: Mapped[str | None]
    degraded: Mapped[tuple[str, ...]] = mapped_column(REASONS)
    identity: Mapped[dict[str, Number]] = mapped_column(NUMBERS)
    egress: Mapped[dict[str, Sent]] = mapped_column(SENT)
    check_at: Mapped[datetime | None] = mapped_column(Moment, index=True)
    overdue: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (
        Index("ix_calls_newest", "started_at", "id"),
        Index("ix_calls_tenant_newest", "tenant", "started_at", "id"),
    )


def _call() -> Mapped[str]:
    return mapped_column(ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True)


class Leg(Base):
    """One leg, each column as its event said it; what has not been said yet is null.

    From Started: `node` to `degraded` and `started_at`; `refused_status` is the edge's own refusal,
    `planned_egress` the first trunk to try; the trunk that answered or failed stands beside its event.
    """

    __tablename__ = "legs"

    call: Mapped[str] = _call()
    leg: Mapped[str] = mapped_column(primary_key=True)
    started_at: Mapped[datetime | None] = mapped_column(Moment)
    node: Mapped[str | None]
    source: Mapped[str | None]
    sip_call_id: Mapped[str | None]
    direction: Mapped[str | None]
    action: Mapped[str | None]
    reason: Mapped[str | None]
    calling: Mapped[Number | None] = mapped_column(NUMBER)
    called: Mapped[Number | None] = mapped_column(NUMBER)
    tenant: Mapped[str | None]
    subscriber: Mapped[str | None]
    service: Mapped[str | None]
    record: Mapped[bool | None]
    announce: Mapped[bool | None]
    planned_egress: Mapped[str | None]
    refused_status: Mapped[int | None]
    identity: Mapped[dict[str, Number] | None] = mapped_column(NUMBERS)
    written: Mapped[dict[str, dict[str, str]] | None] = mapped_column(WRITTEN)
    presented: Mapped[dict[str, dict[str, tuple[Step, ...]]] | None] = mapped_column(PRESENTED)
    connected: Mapped[tuple[Connected, ...] | None] = mapped_column(SAID)
    degraded: Mapped[tuple[str, ...] | None] = mapped_column(REASONS)
    answered_at: Mapped[datetime | None] = mapped_column(Moment)
    answered_egress: Mapped[str | None]
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    failed_at: Mapped[datetime | None] = mapped_column(Moment)
    failed_status: Mapped[int | None]
    failed_egress: Mapped[str | None]


class MediaFact(Base):
    """What a media server said of one of its channels when it ended."""

    __tablename__ = "media_facts"

    call: Mapped[str] = _call()
    leg: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment)
    server: Mapped[str]
    consent: Mapped[str]
    recording: Mapped[str | None]
    dial_status: Mapped[str | None]


class Recording(Base):
    """A recording that was found; `path` is below the recordings directory of `node`."""

    __tablename__ = "recordings"

    call: Mapped[str] = _call()
    path: Mapped[str] = mapped_column(primary_key=True)
    node: Mapped[str]
    seconds: Mapped[float]
    bytes: Mapped[int] = mapped_column(BigInteger)
