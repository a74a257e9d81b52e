"""The directory: trunks, routes, media servers, tenants, subscribers, DIDs and the revision log."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    op.create_table(
        "revisions",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_revisions"),
    )
    op.create_table(
        "trunks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("peers", JSON, nullable=False),
        sa.Column("accept_from", JSON, nullable=False),
        sa.Column("identity", JSON, nullable=False),
        sa.Column("called_from", sa.Text(), nullable=False),
        sa.Column("ingress", JSON, nullable=False),
        sa.Column("egress", JSON, nullable=False),
        sa.Column("numbers", JSON, nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("area_code", sa.Text()),
        sa.Column("on_media_down", sa.Text(), nullable=False),
        sa.Column("limits", JSON),
        sa.Column("register", JSON),
        sa.CheckConstraint("kind IN ('mvno', 'carrier')", name=op.f("ck_trunks_kind")),
        sa.PrimaryKeyConstraint("id", name="pk_trunks"),
        sa.UniqueConstraint("name", name="uq_trunks_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "routes",
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("trunks", JSON, nullable=False),
        sa.PrimaryKeyConstraint("prefix", "ordinal", name="pk_routes"),
    )
    op.create_table(
        "media_servers",
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("uri", name="pk_media_servers"),
    )
    op.create_table(
        "tenants",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("area_code", sa.Text()),
        sa.Column("caller_id", sa.Text()),
        sa.Column("recording", JSON, nullable=False),
        sa.Column("outbound", JSON, nullable=False),
        sa.PrimaryKeyConstraint("tenant", name="pk_tenants"),
    )
    op.create_table(
        "subscribers",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("extension", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("msisdn", sa.Text()),
        sa.Column("crm_user", sa.Integer()),
        sa.Column("ring", JSON, nullable=False),
        sa.Column("answer_confirm", sa.Boolean(), nullable=False),
        sa.Column("voicemail", sa.Boolean(), nullable=False),
        sa.Column("recording", sa.Text()),
        sa.Column("caller_id", sa.Text()),
        sa.Column("device", JSON),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name="fk_subscribers_tenant"),
        sa.PrimaryKeyConstraint("tenant", "extension", name="pk_subscribers"),
        sa.UniqueConstraint("msisdn", name="uq_subscribers_msisdn"),
    )
    op.create_table(
        "dids",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("trunk", sa.Text(), nullable=False),
        sa.Column("to", sa.Text(), nullable=False),
        sa.Column("crm_routing", sa.Text()),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name="fk_dids_tenant"),
        sa.ForeignKeyConstraint(["trunk"], ["trunks.name"], name="fk_dids_trunk"),
        sa.PrimaryKeyConstraint("number", name="pk_dids"),
    )
    op.create_index("ix_dids_tenant", "dids", ["tenant"])
    op.create_index("ix_dids_trunk", "dids", ["trunk"])
    op.create_table(
        "services",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("body", JSON, nullable=False),
        sa.CheckConstraint(
            "kind IN ('ivr', 'queue', 'schedule', 'destination')", name=op.f("ck_services_kind")
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.tenant"], name="fk_services_tenant"),
        sa.PrimaryKeyConstraint("tenant", "kind", "name", name="pk_services"),
    )


def downgrade() -> None:
    for table in (
        "services",
        "dids",
        "subscribers",
        "tenants",
        "media_servers",
        "routes",
        "trunks",
        "revisions",
    ):
        op.drop_table(table)
