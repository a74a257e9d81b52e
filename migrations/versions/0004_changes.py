"""The log of revisions: every row that one changed, as it was before and after."""

import sqlalchemy as sa
from alembic import op

revision = "0004_changes"
down_revision = "0003_identity"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    op.create_table(
        "changes",
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("noun", sa.Text(), nullable=False),
        sa.Column("key", JSON, nullable=False),
        sa.Column("before", JSON),
        sa.Column("after", JSON),
        sa.ForeignKeyConstraint(["revision"], ["revisions.number"], name="fk_changes_revision"),
        sa.PrimaryKeyConstraint("revision", "ordinal", name="pk_changes"),
    )


def downgrade() -> None:
    op.drop_table("changes")
