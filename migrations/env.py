"""Alembic's environment: migrates the connection that kemi.store gives, in that one's transaction."""

from alembic import context

import kemi.calls.tables
import kemi.directory.tables  # noqa: F401  both register their tables
from kemi.store import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
