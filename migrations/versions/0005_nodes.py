"""What each node says of itself, for all the others to see."""

import sqlalchemy as sa
from alembic import op

revision = "0005_nodes"
down_revision = "0004_changes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "nodes",
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("node", name="pk_nodes"),
    )


def downgrade() -> None:
    op.drop_table("nodes")
