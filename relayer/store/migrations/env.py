"""Runs revisions on the connection that `relayer.store.migrate` hands over. Alembic loads it; nothing imports it."""

from __future__ import annotations

from alembic import context

_attributes = context.config.attributes

context.configure(
    connection=_attributes["connection"],
    target_metadata=_attributes["metadata"],
    version_table=_attributes["version_table"],
    # The connection is in a transaction, on SQLite too: a revision is applied whole or not at all.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
