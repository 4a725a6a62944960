"""The signing guard as first released.

Frozen: what a released revision does is never edited, so it names no class of the program.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "guard_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Every table and index."""
    op.create_table(
        "guard_claims",
        sa.Column("guard_key", sa.LargeBinary(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(32), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("guard_key", name="pk_guard_claims"),
    )
