"""What an accepted signer set was accepted to follow.

What was accepted before does not say it, and is not guessed: the operator accepts anew what no gateway has applied yet.

Frozen: what a released revision does is never edited, so it names no class of the program.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "store_0006"
down_revision = "store_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table, made anew."""
    op.drop_table("accepted_sets")
    op.create_table(
        "accepted_sets",
        sa.Column("epoch", sa.LargeBinary(8), nullable=False),
        sa.Column("predecessor", sa.LargeBinary(), nullable=False),
        sa.Column("signer_set", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", "predecessor", name="pk_accepted_sets"),
    )
