"""Call records: calls, their legs, what media servers said, recordings."""

import sqlalchemy as sa
from alembic import op

revision = "0002_calls"
down_revision = "0001"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True)
MOMENT = sa.DateTime(timezone=True)


def _of_call(table: str) -> tuple[sa.Column, sa.ForeignKeyConstraint]:
    return (
        sa.Column("call", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["call"], ["calls.id"], name=f"fk_{table}_call", ondelete="CASCADE"),
    )


def upgrade() -> None:
    op.create_table(
        "calls",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("tenant", sa.String()),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("calling", JSON),
        sa.Column("called", JSON),
        sa.Column("calling_number", sa.String()),
        sa.Column("called_number", sa.String()),
        sa.Column("answered_by", sa.String()),
        sa.Column("ingress_trunk", sa.String()),
        sa.Column("egress_trunk", sa.String()),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("answered_at", MOMENT),
        sa.Column("ended_at", MOMENT),
        sa.Column("duration", sa.Double()),
        sa.Column("talk", sa.Double()),
        sa.Column("status", sa.String()),
        sa.Column("sip_status", sa.Integer()),
        sa.Column("consent", sa.String()),
        sa.Column("degraded", JSON, nullable=False),
        sa.Column("identity", JSON, nullable=False),
        sa.Column("check_at", MOMENT),
        sa.Column("overdue", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_calls"),
    )
    op.create_index("ix_calls_newest", "calls", ["started_at", "id"])
    op.create_index("ix_calls_tenant_newest", "calls", ["tenant", "started_at", "id"])
    op.create_index("ix_calls_calling_number", "calls", ["calling_number"])
    op.create_index("ix_calls_called_number", "calls", ["called_number"])
    op.create_index("ix_calls_answered_by", "calls", ["answered_by"])
    op.create_index("ix_calls_check_at", "calls", ["check_at"])
    op.create_table(
        "legs",
        *_of_call("legs"),
        sa.Column("leg", sa.String(), nullable=False),
        sa.Column("started_at", MOMENT),
        sa.Column("node", sa.String()),
        sa.Column("source", sa.String()),
        sa.Column("sip_call_id", sa.String()),
        sa.Column("direction", sa.String()),
        sa.Column("action", sa.String()),
        sa.Column("reason", sa.String()),
        sa.Column("calling", JSON),
        sa.Column("called", JSON),
        sa.Column("tenant", sa.String()),
        sa.Column("subscriber", sa.String()),
        sa.Column("service", sa.String()),
        sa.Column("record", sa.Boolean()),
        sa.Column("announce", sa.Boolean()),
        sa.Column("planned_egress", sa.String()),
        sa.Column("refused_status", sa.Integer()),
        sa.Column("identity", JSON),
        sa.Column("degraded", JSON),
        sa.Column("answered_at", MOMENT),
        sa.Column("answered_egress", sa.String()),
        sa.Column("ended_at", MOMENT),
        sa.Column("failed_at", MOMENT),
        sa.Column("failed_status", sa.Integer()),
        sa.Column("failed_egress", sa.String()),
        sa.PrimaryKeyConstraint("call", "leg", name="pk_legs"),
    )
    op.create_table(
        "media_facts",
        *_of_call("media_facts"),
        sa.Column("leg", sa.String(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("server", sa.String(), nullable=False),
        sa.Column("consent", sa.String(), nullable=False),
        sa.Column("recording", sa.String()),
        sa.Column("dial_status", sa.String()),
        sa.PrimaryKeyConstraint("call", "leg", name="pk_media_facts"),
    )
    op.create_table(
        "recordings",
        *_of_call("recordings"),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("call", "path", name="pk_recordings"),
    )


def downgrade() -> None:
    for table in ("recordings", "media_facts", "legs", "calls"):
        op.drop_table(table)
