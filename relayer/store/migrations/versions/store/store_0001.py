"""The store as first released.

Frozen: what a released revision does is never edited, so it names no class of the program.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "store_0001"
down_revision = None
branch_labels = None
depends_on = None

# SQLite numbers rows by itself only in a column whose type is exactly INTEGER.
_ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Every table and index."""
    op.create_table(
        "answers",
        sa.Column("row", _ROW, nullable=False),
        sa.Column("request_id", sa.LargeBinary(32), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("pin_number", sa.LargeBinary(8), nullable=False),
        sa.Column("pin_hash", sa.LargeBinary(), nullable=False),
        sa.Column("child_number", sa.LargeBinary(8), nullable=False),
        sa.Column("child_hash", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.LargeBinary(), nullable=False),
        sa.Column("return_data", sa.LargeBinary(), nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("row", name="pk_answers"),
        sa.UniqueConstraint("request_id", name="uq_answers_request_id"),
    )
    op.create_index("ix_answers_chain_child_number", "answers", ["chain", "child_number"])
    op.create_table(
        "attestations",
        sa.Column("row", _ROW, nullable=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("gateway", sa.LargeBinary(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.LargeBinary(8), nullable=False),
        sa.Column("signer", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("row", name="pk_attestations"),
        sa.UniqueConstraint("root", "gateway", "epoch", "signer", name="uq_attestations_root_gateway_epoch_signer"),
    )
    op.create_index("ix_attestations_signer_row", "attestations", ["signer", "row"])
    op.create_table(
        "batches",
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("route", sa.LargeBinary(), nullable=False),
        sa.Column("verifying_gateway", sa.LargeBinary(), nullable=False),
        sa.Column("verifying_chain", sa.Text(), nullable=False),
        sa.Column("first_height", sa.LargeBinary(8), nullable=False),
        sa.Column("statements", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("root", name="pk_batches"),
    )
    op.create_table(
        "certificates",
        sa.Column("row", _ROW, nullable=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("gateway", sa.LargeBinary(), nullable=False),
        sa.Column("epoch", sa.LargeBinary(8), nullable=False),
        sa.Column("encoded", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("row", name="pk_certificates"),
        sa.UniqueConstraint("root", "gateway", "epoch", name="uq_certificates_root_gateway_epoch"),
    )
    op.create_table(
        "cursors",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("final_number", sa.LargeBinary(8), nullable=False),
        sa.Column("final_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("chain", name="pk_cursors"),
    )
    op.create_table(
        "epochs",
        sa.Column("gateway", sa.LargeBinary(), nullable=False),
        sa.Column("epoch", sa.LargeBinary(8), nullable=False),
        sa.Column("signer_set", sa.LargeBinary(), nullable=False),
        sa.Column("valid_until", sa.LargeBinary(8), nullable=False),
        sa.PrimaryKeyConstraint("gateway", "epoch", name="pk_epochs"),
    )
    op.create_table(
        "evidence",
        sa.Column("row", _ROW, nullable=False),
        sa.Column("offence", sa.Text(), nullable=False),
        sa.Column("signer", sa.LargeBinary(), nullable=False),
        sa.Column("guard_key", sa.LargeBinary(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("row", name="pk_evidence"),
        sa.UniqueConstraint("offence", "signer", "guard_key", name="uq_evidence_offence_signer_guard_key"),
    )
    op.create_table(
        "fee_entries",
        sa.Column("row", _ROW, nullable=False),
        sa.Column("request_id", sa.LargeBinary(32), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", sa.LargeBinary(32), nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("row", name="pk_fee_entries"),
    )
    op.create_index("ix_fee_entries_request_id", "fee_entries", ["request_id"])
    op.create_table(
        "foreign_statements",
        sa.Column("row", _ROW, nullable=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("signer", sa.LargeBinary(), nullable=False),
        sa.Column("statements", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("row", name="pk_foreign_statements"),
        sa.UniqueConstraint("root", "signer", name="uq_foreign_statements_root_signer"),
    )
    op.create_table(
        "outbox",
        sa.Column("row", _ROW, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.LargeBinary(), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row", name="pk_outbox"),
        sa.UniqueConstraint("kind", "subject", name="uq_outbox_kind_subject"),
    )
    op.create_index("ix_outbox_kind_chain_due_at", "outbox", ["kind", "chain", "due_at"])
    op.create_index("ix_outbox_kind_due_at", "outbox", ["kind", "due_at"])
    op.create_table(
        "peer_cursors",
        sa.Column("peer", sa.LargeBinary(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("peer", name="pk_peer_cursors"),
    )
    op.create_table(
        "receipts",
        sa.Column("row", _ROW, nullable=False),
        sa.Column("request_id", sa.LargeBinary(32), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.LargeBinary(), nullable=False),
        sa.Column("return_data", sa.LargeBinary(), nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False),
        sa.Column("outcome_root", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("row", name="pk_receipts"),
        sa.UniqueConstraint("request_id", name="uq_receipts_request_id"),
    )
    op.create_index("ix_receipts_chain_block_hash", "receipts", ["chain", "block_hash"])
    op.create_table(
        "request_counts",
        sa.Column("source_chain", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source_chain", "status", name="pk_request_counts"),
    )
    op.create_table(
        "requests",
        sa.Column("row", _ROW, nullable=False),
        sa.Column("request_id", sa.LargeBinary(32), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("mode", sa.BigInteger(), nullable=False),
        sa.Column("source_chain", sa.Text(), nullable=False),
        sa.Column("destination_chain", sa.Text(), nullable=False),
        sa.Column("source_gateway", sa.LargeBinary(), nullable=False),
        sa.Column("destination_gateway", sa.LargeBinary(), nullable=False),
        sa.Column("sender", sa.LargeBinary(), nullable=False),
        sa.Column("route", sa.LargeBinary(), nullable=False),
        sa.Column("block_number", sa.LargeBinary(8), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False),
        sa.Column("tx_index", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False),
        sa.Column("source_timestamp", sa.LargeBinary(8), nullable=False),
        sa.Column("fee", sa.LargeBinary(32), nullable=False),
        sa.Column("deadline", sa.LargeBinary(8), nullable=False),
        sa.Column("expiry", sa.LargeBinary(8), nullable=False),
        sa.Column("hold_reason", sa.Text(), nullable=False),
        sa.Column("is_execute_certified", sa.Boolean(), nullable=False),
        sa.Column("execute_root", sa.LargeBinary(), nullable=False),
        sa.Column("outcome_root", sa.LargeBinary(), nullable=False),
        sa.Column("execute_tx_hash", sa.LargeBinary(), nullable=False),
        sa.Column("callback_tx_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("row", name="pk_requests"),
        sa.UniqueConstraint("request_id", name="uq_requests_request_id"),
    )
    op.create_index(
        "ix_requests_awaiting_execute",
        "requests",
        ["destination_gateway", "execute_root"],
        sqlite_where=sa.text(
            "mode = 0 AND (status = 'CERTIFIED' OR status = 'EXECUTION_HELD' OR status = 'DISPATCHED' OR status = 'FINAL' OR status = 'LANDED')"
        ),
        postgresql_where=sa.text(
            "mode = 0 AND (status = 'CERTIFIED' OR status = 'EXECUTION_HELD' OR status = 'DISPATCHED' OR status = 'FINAL' OR status = 'LANDED')"
        ),
    )
    op.create_index(
        "ix_requests_awaiting_outcome",
        "requests",
        ["source_gateway", "outcome_root"],
        sqlite_where=sa.text(
            "status = 'CONCLUDED' OR status = 'ATTESTED' OR status = 'CALLBACK_HELD' OR status = 'SUBMITTED'"
        ),
        postgresql_where=sa.text(
            "status = 'CONCLUDED' OR status = 'ATTESTED' OR status = 'CALLBACK_HELD' OR status = 'SUBMITTED'"
        ),
    )
    op.create_index(
        "ix_requests_expirable",
        "requests",
        ["destination_chain", "expiry"],
        sqlite_where=sa.text(
            "mode = 0 AND (status = 'CERTIFIED' OR status = 'EXECUTION_HELD' OR status = 'DISPATCHED')"
        ),
        postgresql_where=sa.text(
            "mode = 0 AND (status = 'CERTIFIED' OR status = 'EXECUTION_HELD' OR status = 'DISPATCHED')"
        ),
    )
    op.create_index("ix_requests_place", "requests", ["source_gateway", "block_number", "tx_index", "log_index"])
    op.create_index(
        "ix_requests_queries",
        "requests",
        ["route", "block_number", "tx_index", "log_index"],
        sqlite_where=sa.text("mode = 1"),
        postgresql_where=sa.text("mode = 1"),
    )
    op.create_index("ix_requests_sender", "requests", ["sender", "status", "row"])
    op.create_index("ix_requests_status", "requests", ["source_chain", "status", "row"])
    op.create_table(
        "seen_blocks",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("number", sa.LargeBinary(8), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("parent_hash", sa.LargeBinary(), nullable=False),
        sa.Column("timestamp", sa.LargeBinary(8), nullable=False),
        sa.PrimaryKeyConstraint("chain", "number", name="pk_seen_blocks"),
    )
    op.create_table(
        "transactions",
        sa.Column("row", _ROW, nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("sender", sa.LargeBinary(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(8), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("to", sa.LargeBinary(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("gas_limit", sa.LargeBinary(8), nullable=False),
        sa.Column("value", sa.LargeBinary(32), nullable=False),
        sa.Column("request_ids", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("mined_number", sa.LargeBinary(8), nullable=True),
        sa.Column("mined_hash", sa.LargeBinary(), nullable=True),
        sa.Column("gas_used", sa.LargeBinary(8), nullable=False),
        sa.Column("cost", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("row", name="pk_transactions"),
        sa.UniqueConstraint("chain", "sender", "nonce", name="uq_transactions_chain_sender_nonce"),
    )
    op.create_index(
        "ix_transactions_open",
        "transactions",
        ["chain", "nonce"],
        sqlite_where=sa.text("status = 'SIGNED' OR status = 'MINED'"),
        postgresql_where=sa.text("status = 'SIGNED' OR status = 'MINED'"),
    )
    op.create_table(
        "attempts",
        sa.Column("row", _ROW, nullable=False),
        sa.Column("transaction_row", _ROW, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("max_fee", sa.LargeBinary(32), nullable=False),
        sa.Column("priority_fee", sa.LargeBinary(32), nullable=False),
        sa.Column("sent_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["transaction_row"],
            ["transactions.row"],
        ),
        sa.PrimaryKeyConstraint("row", name="pk_attempts"),
        sa.UniqueConstraint("transaction_row", "hash", name="uq_attempts_transaction_row_hash"),
    )
    op.create_table(
        "carried_requests",
        sa.Column("request_id", sa.LargeBinary(32), nullable=False),
        sa.Column("transaction_row", _ROW, nullable=False),
        sa.ForeignKeyConstraint(
            ["transaction_row"],
            ["transactions.row"],
        ),
        sa.PrimaryKeyConstraint("request_id", "transaction_row", name="pk_carried_requests"),
    )
    op.create_table(
        "conclusions",
        sa.Column("request_row", _ROW, autoincrement=False, nullable=False),
        sa.Column("outcome", sa.LargeBinary(), nullable=False),
        sa.Column("return_data", sa.LargeBinary(), nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_row"],
            ["requests.row"],
        ),
        sa.PrimaryKeyConstraint("request_row", name="pk_conclusions"),
    )
    op.create_table(
        "foreign_mentions",
        sa.Column("signer", sa.LargeBinary(), nullable=False),
        sa.Column("request_id", sa.LargeBinary(32), nullable=False),
        sa.Column("foreign_row", _ROW, nullable=False),
        sa.ForeignKeyConstraint(
            ["foreign_row"],
            ["foreign_statements.row"],
        ),
        sa.PrimaryKeyConstraint("signer", "request_id", "foreign_row", name="pk_foreign_mentions"),
    )
    op.create_table(
        "request_bodies",
        sa.Column("request_row", _ROW, autoincrement=False, nullable=False),
        sa.Column("encoded", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_row"],
            ["requests.row"],
        ),
        sa.PrimaryKeyConstraint("request_row", name="pk_request_bodies"),
    )
    op.create_table(
        "transitions",
        sa.Column("row", _ROW, nullable=False),
        sa.Column("request_row", _ROW, nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_row"],
            ["requests.row"],
        ),
        sa.PrimaryKeyConstraint("row", name="pk_transitions"),
    )
    op.create_index("ix_transitions_request_row", "transitions", ["request_row"])
