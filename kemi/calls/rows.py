"""Rows of kemi.calls.tables and the values they stand for, in both directions."""

from typing import Any

import msgspec

from kemi.calls.events import Answered, Ended, Failed, Media, Started
from kemi.calls.legs import Leg
from kemi.calls.record import CallRecord, Recording, microseconds, moment

Row = dict[str, Any]

SAME = (
    "node",
    "source",
    "direction",
    "action",
    "reason",
    "calling",
    "called",
    "sip_call_id",
    "tenant",
    "subscriber",
    "service",
    "record",
    "announce",
    "identity",
    "written",
    "presented",
    "degraded",
)
"""Fields of Started that are columns of the same name."""


def from_leg(call: str, name: str, leg: Leg) -> Row:
    """Make the row of a leg."""
    started, answered, ended, failed = leg.started, leg.answered, leg.ended, leg.failed
    row: Row = {"call": call, "leg": name}
    row.update((column, getattr(started, column, None)) for column in SAME)
    row.update(
        started_at=moment(started.at) if started else None,
        planned_egress=started.egress if started else None,
        refused_status=started.status if started else None,
        answered_at=moment(answered.at) if answered else None,
        answered_egress=answered.egress if answered else None,
        ended_at=moment(ended.at) if ended else None,
        failed_at=moment(failed.at) if failed else None,
        failed_status=failed.status if failed else None,
        failed_egress=failed.egress if failed else None,
        connected=tuple(leg.connected.values()),
    )
    return row


def to_leg(row: Row) -> Leg:
    """Undo `from_leg`."""
    call, name = row["call"], row["leg"]
    leg = Leg()
    if row["started_at"]:
        leg.started = Started(
            call=call,
            leg=name,
            at=microseconds(row["started_at"]),
            egress=row["planned_egress"],
            status=row["refused_status"],
            **{column: row[column] for column in SAME if row[column] is not None},
        )
    if row["answered_at"]:
        leg.answered = Answered(call, name, microseconds(row["answered_at"]), row["answered_egress"])
    if row["ended_at"]:
        leg.ended = Ended(call, name, microseconds(row["ended_at"]))
    if row["failed_at"]:
        leg.failed = Failed(
            call, name, microseconds(row["failed_at"]), row["failed_status"], row["failed_egress"]
        )
    for said in row["connected"] or ():
        leg.connected[said.side] = said
    return leg


def from_media(fact: Media) -> Row:
    """Make the row of a media fact."""
    return {**msgspec.structs.asdict(fact), "at": moment(fact.at)}


def to_media(row: Row) -> Media:
    """Undo `from_media`."""
    return Media(**{**row, "at": microseconds(row["at"])})


def from_record(made: CallRecord) -> Row:
    """Make the row of a record, without its recordings, which are rows of their own."""
    row = msgspec.structs.asdict(made)
    del row["recordings"]
    row.update(
        calling_number=made.calling.value if made.calling else None,
        called_number=made.called.value if made.called else None,
    )
    return row


def to_record(row: Row, recordings: tuple[Recording, ...]) -> CallRecord:
    """Undo `from_record`."""
    return CallRecord(
        recordings=recordings,
        **{name: row[name] for name in CallRecord.__struct_fields__ if name != "recordings"},
    )
