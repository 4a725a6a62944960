"""What most steps of a request change is in no index, and the steps of a request lie beside one another.

Frozen: what a released revision does is never edited, so it names no class of the program.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "store_0007"
down_revision = "store_0006"
branch_labels = None
depends_on = None

# SQLite numbers rows by itself only in a column whose type is exactly INTEGER.
_ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_SETTLED = "('DELIVERED', 'HANDLER_FAILED', 'CANCELLED', 'ORPHANED', 'REJECTED')"
_EXECUTE = "mode = 0 AND status IN ('CERTIFIED', 'EXECUTION_HELD', 'DISPATCHED', 'FINAL', 'LANDED')"
_OUTCOME = "status IN ('CONCLUDED', 'ATTESTED', 'CALLBACK_HELD', 'SUBMITTED')"

_OLD_INDEXES = ("sender", "status", "expirable", "awaiting_execute", "awaiting_outcome")

_INDEXES = {
    "ix_requests_open": ("is_open = 1", ["source_chain", "row"]),
    "ix_requests_open_of_sender": ("is_open = 1", ["sender", "row"]),
    "ix_requests_settled": ("is_open = 0", ["source_chain", "status", "row"]),
    "ix_requests_settled_of_sender": ("is_open = 0", ["sender", "status", "row"]),
    "ix_requests_expiring": ("awaits = 'EXECUTE'", ["destination_chain", "expiry"]),
    "ix_requests_awaiting_execute": ("awaits = 'EXECUTE'", ["destination_gateway", "execute_root"]),
    "ix_requests_awaiting_outcome": ("awaits = 'OUTCOME'", ["source_gateway", "outcome_root"]),
}


def upgrade() -> None:
    """Three columns, other indexes, and the transitions in another order."""
    op.rename_table("transitions", "old_transitions")
    op.create_table(
        "transitions",
        sa.Column("request_row", _ROW, nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["request_row"], ["requests.row"]),
        sa.PrimaryKeyConstraint("request_row", "step", name="pk_new_transitions"),
        sqlite_with_rowid=False,
    )
    op.execute(
        'INSERT INTO transitions (request_row, step, "before", "after", cause, reason, at) '
        "SELECT request_row, row_number() OVER (PARTITION BY request_row ORDER BY row) - 1, "
        '"before", "after", cause, reason, at FROM old_transitions'
    )
    op.drop_table("old_transitions")
    for name in _OLD_INDEXES:
        op.drop_index(f"ix_requests_{name}", table_name="requests")
    op.add_column("requests", sa.Column("steps", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("requests", sa.Column("awaits", sa.Text(), nullable=False, server_default=""))
    op.add_column("requests", sa.Column("is_open", sa.BigInteger(), nullable=False, server_default="1"))
    op.execute(
        "UPDATE requests SET steps = (SELECT count(*) FROM transitions WHERE request_row = requests.row), "
        f"awaits = CASE WHEN {_EXECUTE} THEN 'EXECUTE' WHEN {_OUTCOME} THEN 'OUTCOME' ELSE '' END, "
        f"is_open = CASE WHEN status IN {_SETTLED} THEN 0 ELSE 1 END"
    )
    for name, (condition, columns) in _INDEXES.items():
        op.create_index(
            name, "requests", columns, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition)
        )
