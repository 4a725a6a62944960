"""Halts of chains outlive the process.

Frozen: what a released revision does is never edited, so it names no class of the program.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "store_0003"
down_revision = "store_0002"
branch_labels = None
depends_on = None

# SQLite numbers rows by itself only in a column whose type is exactly INTEGER.
_ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """One table."""
    op.create_table(
        "halts",
        sa.Column("row", _ROW, nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("held_number", sa.LargeBinary(8), nullable=True),
        sa.Column("held_hash", sa.LargeBinary(), nullable=True),
        sa.Column("found_hash", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("resumed_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("row", name="pk_halts"),
        sa.UniqueConstraint("chain", "at", name="uq_halts_chain_at"),
    )
