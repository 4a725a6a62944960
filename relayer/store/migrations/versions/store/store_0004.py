"""What a cancel gave back, of requests that are still to pay whoever executed them.

Frozen: what a released revision does is never edited, so it names no class of the program.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "store_0004"
down_revision = "store_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One column."""
    op.add_column("requests", sa.Column("returned_fee", sa.LargeBinary(32), nullable=True))
