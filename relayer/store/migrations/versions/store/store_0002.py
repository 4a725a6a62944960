"""Signer sets that the operator accepted.

Frozen: what a released revision does is never edited, so it names no class of the program.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "store_0002"
down_revision = "store_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table."""
    op.create_table(
        "accepted_sets",
        sa.Column("epoch", sa.LargeBinary(8), nullable=False),
        sa.Column("signer_set", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", name="pk_accepted_sets"),
    )
