"""What is DISPATCHED is left to its transaction: it is no longer among what is to be let expire.

Frozen: what a released revision does is never edited, so it names no class of the program.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "store_0005"
down_revision = "store_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One index, narrower."""
    op.drop_index("ix_requests_expirable", table_name="requests")
    expirable = sa.text("mode = 0 AND (status = 'CERTIFIED' OR status = 'EXECUTION_HELD')")
    op.create_index(
        "ix_requests_expirable",
        "requests",
        ["destination_chain", "expiry"],
        sqlite_where=expirable,
        postgresql_where=expirable,
    )
