"""Numbers and identity: trust, prefixes that differ from the plan, withheld numbers, what left."""

import sqlalchemy as sa
from alembic import op

revision = "0003_identity"
down_revision = "0002_calls"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    op.add_column("trunks", sa.Column("trusted", sa.Boolean()))
    op.add_column("trunks", sa.Column("prefixes", JSON))
    op.add_column("tenants", sa.Column("prefixes", JSON))
    op.add_column("subscribers", sa.Column("clir", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("legs", sa.Column("written", JSON))
    op.add_column("legs", sa.Column("presented", JSON))
    op.add_column("legs", sa.Column("connected", JSON))
    # Calls from before are not known to have left with anything.
    op.add_column("calls", sa.Column("egress", JSON, nullable=False, server_default="{}"))


def downgrade() -> None:
    op.drop_column("calls", "egress")
    op.drop_column("legs", "connected")
    op.drop_column("legs", "presented")
    op.drop_column("legs", "written")
    op.drop_column("subscribers", "clir")
    op.drop_column("tenants", "prefixes")
    op.drop_column("trunks", "prefixes")
    op.drop_column("trunks", "trusted")
