"""Suspended SIMs; whose number is presented and where DIDs lead is found without reading them all."""

import sqlalchemy as sa
from alembic import op

revision = "0006_suspended"
down_revision = "0005_nodes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "subscribers", sa.Column("suspended", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_index("ix_subscribers_caller_id", "subscribers", ["caller_id"])
    op.create_index("ix_dids_tenant_to", "dids", ["tenant", "to"])
    op.drop_index("ix_dids_tenant", "dids")


def downgrade() -> None:
    op.create_index("ix_dids_tenant", "dids", ["tenant"])
    op.drop_index("ix_dids_tenant_to", "dids")
    op.drop_index("ix_subscribers_caller_id", "subscribers")
    op.drop_column("subscribers", "suspended")
