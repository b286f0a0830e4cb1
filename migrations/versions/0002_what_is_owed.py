"""What is owed: policies of plans, pauses, terms, balances, discounts, disputes, payouts, sealed books.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_FILL = (
    # The loop looks at a subscription when its period opens or its end has come.
    "UPDATE subscriptions SET due_at = CASE WHEN cancel_at IS NOT NULL AND (next_period_at IS NULL OR cancel_at < next_period_at) THEN cancel_at ELSE next_period_at END WHERE status <> 'ended'",
    "UPDATE subscriptions SET access = 'none' WHERE status IN ('pending', 'unpaid', 'ended')",
    "UPDATE subscriptions SET cycles_done = (SELECT count(*) FROM periods WHERE periods.subscription_id = subscriptions.id AND periods.kind = 'regular')",
    "UPDATE subscriptions SET is_set_up = (cycles_done > 0)",
    # Revenue that was earned before the ledger released any is caught up with at the next tick.
    "UPDATE invoices SET release_at = opened_at WHERE number IS NOT NULL",
    # What is paid was captured whole: no part of a line was ever captured alone.
    "UPDATE invoice_lines SET captured_amount = amount, captured_quantity = quantity WHERE invoice_id IN (SELECT id FROM invoices WHERE captured = total AND total > 0)",
    "UPDATE credit_notes SET effect_refund = total",
)
"""What rows written before mean under the new columns."""

_APPEND_ONLY = {
    "sqlite": (
        "CREATE TRIGGER IF NOT EXISTS ledger_transactions_no_update BEFORE UPDATE ON ledger_transactions BEGIN SELECT RAISE(ABORT, 'ledger_transactions is written once: no update'); END",
        "CREATE TRIGGER IF NOT EXISTS ledger_transactions_no_delete BEFORE DELETE ON ledger_transactions BEGIN SELECT RAISE(ABORT, 'ledger_transactions is written once: no delete'); END",
        "CREATE TRIGGER IF NOT EXISTS ledger_entries_no_update BEFORE UPDATE ON ledger_entries BEGIN SELECT RAISE(ABORT, 'ledger_entries is written once: no update'); END",
        "CREATE TRIGGER IF NOT EXISTS ledger_entries_no_delete BEFORE DELETE ON ledger_entries BEGIN SELECT RAISE(ABORT, 'ledger_entries is written once: no delete'); END",
        "CREATE TRIGGER IF NOT EXISTS ledger_blocks_no_update BEFORE UPDATE ON ledger_blocks BEGIN SELECT RAISE(ABORT, 'ledger_blocks is written once: no update'); END",
        "CREATE TRIGGER IF NOT EXISTS ledger_blocks_no_delete BEFORE DELETE ON ledger_blocks BEGIN SELECT RAISE(ABORT, 'ledger_blocks is written once: no delete'); END",
        "CREATE TRIGGER IF NOT EXISTS ledger_block_members_no_update BEFORE UPDATE ON ledger_block_members BEGIN SELECT RAISE(ABORT, 'ledger_block_members is written once: no update'); END",
        "CREATE TRIGGER IF NOT EXISTS ledger_block_members_no_delete BEFORE DELETE ON ledger_block_members BEGIN SELECT RAISE(ABORT, 'ledger_block_members is written once: no delete'); END",
    ),
    "postgresql": (
        "CREATE OR REPLACE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '23001', MESSAGE = TG_TABLE_NAME || ' is written once: no ' || lower(TG_OP); END $$",
        "CREATE OR REPLACE TRIGGER ledger_transactions_no_rewriting BEFORE UPDATE OR DELETE ON ledger_transactions FOR EACH ROW EXECUTE FUNCTION refuse_rewriting()",
        "CREATE OR REPLACE TRIGGER ledger_entries_no_rewriting BEFORE UPDATE OR DELETE ON ledger_entries FOR EACH ROW EXECUTE FUNCTION refuse_rewriting()",
        "CREATE OR REPLACE TRIGGER ledger_blocks_no_rewriting BEFORE UPDATE OR DELETE ON ledger_blocks FOR EACH ROW EXECUTE FUNCTION refuse_rewriting()",
        "CREATE OR REPLACE TRIGGER ledger_block_members_no_rewriting BEFORE UPDATE OR DELETE ON ledger_block_members FOR EACH ROW EXECUTE FUNCTION refuse_rewriting()",
        "CREATE OR REPLACE TRIGGER ledger_transactions_no_emptying BEFORE TRUNCATE ON ledger_transactions FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()",
        "CREATE OR REPLACE TRIGGER ledger_entries_no_emptying BEFORE TRUNCATE ON ledger_entries FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()",
        "CREATE OR REPLACE TRIGGER ledger_blocks_no_emptying BEFORE TRUNCATE ON ledger_blocks FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()",
        "CREATE OR REPLACE TRIGGER ledger_block_members_no_emptying BEFORE TRUNCATE ON ledger_block_members FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()",
    ),
}
"""The ledger is written once: the database refuses every later change of it."""


def upgrade() -> None:
    # SQLite writes an added column onto the last line of a table; a rebuilt one reads like the models.
    rebuilt = "always" if op.get_bind().dialect.name == "sqlite" else "never"

    op.create_table(
        "catch_up_approvals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("policy", sa.String(length=16), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "\"policy\" IN ('bill_each', 'bill_current', 'forgive')", name=op.f("ck_catch_up_approvals_policy_known")
        ),
        sa.CheckConstraint("valid_from < valid_until", name=op.f("ck_catch_up_approvals_valid_for_a_while")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catch_up_approvals")),
    )
    op.create_table(
        "ledger_blocks",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("transactions", sa.Integer(), nullable=False),
        sa.Column("previous_sha256", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("last_id", sa.Uuid(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(seq = 1) = (previous_sha256 = '0000000000000000000000000000000000000000000000000000000000000000')",
            name=op.f("ck_ledger_blocks_only_the_first_has_none_before"),
        ),
        sa.CheckConstraint("seq >= 1 AND transactions >= 1", name=op.f("ck_ledger_blocks_counts_from_one")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_ledger_blocks")),
        sa.UniqueConstraint("previous_sha256", name=op.f("uq_ledger_blocks_previous_sha256")),
    )
    op.create_table(
        "customer_balances",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_customer_balances_never_negative")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_customer_balances_customer_id")),
        sa.PrimaryKeyConstraint("customer_id", "currency", name=op.f("pk_customer_balances")),
    )
    op.create_table(
        "payouts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider_account", sa.String(), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("fees", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["provider_account"], ["provider_accounts.name"], name=op.f("fk_payouts_provider_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payouts")),
        sa.UniqueConstraint("provider_account", "reference", name=op.f("uq_payouts_provider_account_reference")),
    )
    op.create_table(
        "price_replacements",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("price_id", sa.Uuid(), nullable=False),
        sa.Column("new_price_id", sa.Uuid(), nullable=False),
        sa.Column("from_date", sa.Date(), nullable=False),
        sa.Column("whom", sa.String(length=16), nullable=False),
        sa.Column("notice_days", sa.Integer(), nullable=False),
        sa.Column("consent", sa.String(length=16), nullable=False),
        sa.Column("told_through", sa.Uuid(), nullable=True),
        sa.Column("scheduled", sa.Integer(), nullable=False),
        sa.Column("passed_over", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "\"consent\" IN ('none', 'opt_in', 'opt_out')", name=op.f("ck_price_replacements_consent_known")
        ),
        sa.CheckConstraint("\"whom\" IN ('all', 'new_only')", name=op.f("ck_price_replacements_whom_known")),
        sa.CheckConstraint("notice_days >= 0", name=op.f("ck_price_replacements_notice_not_negative")),
        sa.ForeignKeyConstraint(["new_price_id"], ["prices.id"], name=op.f("fk_price_replacements_new_price_id")),
        sa.ForeignKeyConstraint(["price_id"], ["prices.id"], name=op.f("fk_price_replacements_price_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_replacements")),
        sa.UniqueConstraint("price_id", name=op.f("uq_price_replacements_price_id")),
    )
    with op.batch_alter_table("price_replacements", schema=None) as batch_op:
        batch_op.create_index(
            "ix_price_replacements_due",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        )

    op.create_table(
        "discounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=True),
        sa.Column("amount", sa.Integer(), nullable=True),
        sa.Column("cycles", sa.Integer(), nullable=True),
        sa.Column("cycles_used", sa.Integer(), nullable=False),
        sa.Column("article_number", sa.String(length=255), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(percent IS NULL) <> (amount IS NULL)", name=op.f("ck_discounts_percent_or_amount")),
        sa.CheckConstraint("cycles IS NULL OR cycles >= 1", name=op.f("ck_discounts_cycles_positive")),
        sa.CheckConstraint("percent IS NULL OR percent BETWEEN 1 AND 10000", name=op.f("ck_discounts_percent_bounded")),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name=op.f("fk_discounts_subscription_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_discounts")),
    )
    with op.batch_alter_table("discounts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_discounts_subscription_id"), ["subscription_id"], unique=False)

    op.create_table(
        "provider_account_paces",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("bucket_level", sa.BigInteger(), nullable=False),
        sa.Column("bucket_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paced_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("breaker", sa.String(length=16), nullable=False),
        sa.Column("breaker_cause", sa.String(length=16), nullable=True),
        sa.Column("breaker_reason", sa.String(length=200), nullable=True),
        sa.Column("breaker_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("breaker_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("breaker_rests", sa.Integer(), nullable=False),
        sa.Column("breaker_told", sa.Uuid(), nullable=True),
        sa.Column("declines_accepted_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("window_began_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("window_calls", sa.Integer(), nullable=False),
        sa.Column("window_faults", sa.Integer(), nullable=False),
        sa.Column("window_answers", sa.Integer(), nullable=False),
        sa.Column("window_declines", sa.Integer(), nullable=False),
        sa.Column("faults_in_a_row", sa.Integer(), nullable=False),
        sa.Column("days", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.CheckConstraint(
            "\"breaker\" IN ('closed', 'open', 'half_open')", name=op.f("ck_provider_account_paces_breaker_known")
        ),
        sa.CheckConstraint(
            "\"breaker_cause\" IS NULL OR \"breaker_cause\" IN ('faults', 'declines')",
            name=op.f("ck_provider_account_paces_breaker_cause_known"),
        ),
        sa.CheckConstraint("bucket_level >= 0", name=op.f("ck_provider_account_paces_bucket_level_positive")),
        sa.ForeignKeyConstraint(
            ["breaker_told"], ["subscriptions.id"], name=op.f("fk_provider_account_paces_breaker_told")
        ),
        sa.ForeignKeyConstraint(["name"], ["provider_accounts.name"], name=op.f("fk_provider_account_paces_name")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_provider_account_paces")),
    )
    op.create_table(
        "disputes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("\"status\" IN ('open', 'won', 'lost')", name=op.f("ck_disputes_status_known")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_disputes_amount_positive")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_disputes_invoice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disputes")),
    )
    with op.batch_alter_table("disputes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_disputes_invoice_id"), ["invoice_id"], unique=False)
        batch_op.create_index(
            "ix_disputes_one_open",
            ["invoice_id"],
            unique=True,
            sqlite_where=sa.text("status = 'open'"),
            postgresql_where=sa.text("status = 'open'"),
        )

    op.create_table(
        "outside_payments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_outside_payments_amount_positive")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_outside_payments_invoice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outside_payments")),
        sa.UniqueConstraint("invoice_id", "reference", name=op.f("uq_outside_payments_invoice_id_reference")),
    )
    with op.batch_alter_table("outside_payments", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outside_payments_invoice_id"), ["invoice_id"], unique=False)

    op.create_table(
        "balance_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=True),
        sa.Column("credit_note_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_balance_entries_amount_moves_something")),
        sa.ForeignKeyConstraint(
            ["credit_note_id"], ["credit_notes.id"], name=op.f("fk_balance_entries_credit_note_id")
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_balance_entries_customer_id")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_balance_entries_invoice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_balance_entries")),
    )
    with op.batch_alter_table("balance_entries", schema=None) as batch_op:
        batch_op.create_index("ix_balance_entries_customer", ["customer_id", "currency"], unique=False)
        batch_op.create_index(batch_op.f("ix_balance_entries_invoice_id"), ["invoice_id"], unique=False)

    op.create_table(
        "payout_lines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payout_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("provider_id", sa.String(length=255), nullable=True),
        sa.Column("reference", sa.String(length=255), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("fee", sa.BigInteger(), nullable=False),
        sa.Column("match", sa.String(length=16), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "match <> 'matched' OR operation_id IS NOT NULL", name=op.f("ck_payout_lines_a_match_has_its_operation")
        ),
        sa.CheckConstraint(
            "\"kind\" IN ('capture', 'refund', 'fee', 'fee_credit', 'debit', 'credit')",
            name=op.f("ck_payout_lines_kind_known"),
        ),
        sa.CheckConstraint(
            "\"match\" IN ('matched', 'not_needed', 'not_found', 'wrong_amount', 'wrong_currency', 'double')",
            name=op.f("ck_payout_lines_match_known"),
        ),
        sa.CheckConstraint("amount >= 0 AND fee >= 0", name=op.f("ck_payout_lines_amounts_not_negative")),
        sa.ForeignKeyConstraint(["operation_id"], ["operations.id"], name=op.f("fk_payout_lines_operation_id")),
        sa.ForeignKeyConstraint(["payout_id"], ["payouts.id"], name=op.f("fk_payout_lines_payout_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payout_lines")),
        sa.UniqueConstraint("payout_id", "position", name=op.f("uq_payout_lines_payout_id_position")),
    )
    with op.batch_alter_table("payout_lines", schema=None) as batch_op:
        batch_op.create_index(
            "ix_payout_lines_once",
            ["operation_id"],
            unique=True,
            sqlite_where=sa.text("match = 'matched'"),
            postgresql_where=sa.text("match = 'matched'"),
        )

    op.create_table(
        "pending_lines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("article_number", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_amount", sa.Integer(), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("tax_amount", sa.Integer(), nullable=False),
        sa.Column("tax_rate", sa.Integer(), nullable=False),
        sa.Column("tax_treatment", sa.String(length=16), nullable=False),
        sa.Column("credit_rule", sa.String(length=16), nullable=False),
        sa.Column("recognize", sa.String(length=16), nullable=False),
        sa.Column("derivation", sa.String(), nullable=False),
        sa.Column("price_id", sa.Uuid(), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("adjusts_line_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["adjusts_line_id"], ["invoice_lines.id"], name=op.f("fk_pending_lines_adjusts_line_id")
        ),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_pending_lines_invoice_id")),
        sa.ForeignKeyConstraint(["price_id"], ["prices.id"], name=op.f("fk_pending_lines_price_id")),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name=op.f("fk_pending_lines_subscription_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pending_lines")),
    )
    with op.batch_alter_table("pending_lines", schema=None) as batch_op:
        batch_op.create_index(
            "ix_pending_lines_waiting",
            ["subscription_id"],
            unique=False,
            sqlite_where=sa.text("invoice_id IS NULL"),
            postgresql_where=sa.text("invoice_id IS NULL"),
        )

    op.create_table(
        "ledger_block_members",
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["ledger_blocks.seq"], name=op.f("fk_ledger_block_members_seq")),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["ledger_transactions.id"], name=op.f("fk_ledger_block_members_transaction_id")
        ),
        sa.PrimaryKeyConstraint("transaction_id", name=op.f("pk_ledger_block_members")),
    )
    with op.batch_alter_table("ledger_block_members", schema=None) as batch_op:
        batch_op.create_index("ix_ledger_block_members_block", ["seq"], unique=False)

    with op.batch_alter_table("audit_reveals", schema=None) as batch_op:
        batch_op.alter_column("operation_id", existing_type=sa.CHAR(length=32), nullable=True)

    with op.batch_alter_table("credit_notes", schema=None) as batch_op:
        batch_op.add_column(sa.Column("effect_open", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("effect_balance", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("effect_refund", sa.Integer(), server_default="0", nullable=False))

    with op.batch_alter_table("customers", schema=None, recreate=rebuilt) as batch_op:
        batch_op.add_column(sa.Column("vat_id", sa.String(length=20), nullable=True))
        batch_op.add_column(sa.Column("vat_id_checked_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("dunning_paused_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("dunning_paused_because", sa.String(length=500), nullable=True))
        batch_op.add_column(sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("invoice_lines", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_invoice_lines_credit_within_line"), type_="check")
        batch_op.drop_constraint(op.f("ck_invoice_lines_credit_within_tax"), type_="check")
        batch_op.add_column(sa.Column("kind", sa.String(length=16), server_default="item", nullable=False))
        batch_op.add_column(sa.Column("price_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("discount_amount", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("starts_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("ends_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("adjusts_line_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("tax_treatment", sa.String(length=16), server_default="standard", nullable=False))
        batch_op.add_column(sa.Column("adjusted_amount", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("adjusted_tax", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("captured_amount", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("captured_quantity", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("dispatched_quantity", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("recognized_net", sa.Integer(), server_default="0", nullable=False))
        batch_op.create_foreign_key(
            batch_op.f("fk_invoice_lines_adjusts_line_id"), "invoice_lines", ["adjusts_line_id"], ["id"]
        )
        batch_op.create_foreign_key(batch_op.f("fk_invoice_lines_price_id"), "prices", ["price_id"], ["id"])
        batch_op.create_check_constraint(
            op.f("ck_invoice_lines_capture_within_line"), sa.text("amount < 0 OR captured_amount <= amount")
        )
        batch_op.create_check_constraint(
            op.f("ck_invoice_lines_credit_within_tax"),
            sa.text("amount < 0 OR credited_tax + adjusted_tax <= tax_amount"),
        )
        batch_op.create_check_constraint(
            op.f("ck_invoice_lines_capture_within_quantity"), sa.text("captured_quantity <= quantity")
        )
        batch_op.create_check_constraint(
            op.f("ck_invoice_lines_tax_treatment_known"),
            sa.text("\"tax_treatment\" IN ('standard', 'reverse_charge', 'outside_scope')"),
        )
        batch_op.create_check_constraint(
            op.f("ck_invoice_lines_kind_known"),
            sa.text("\"kind\" IN ('item', 'setup', 'adjustment', 'carried', 'balance')"),
        )
        batch_op.create_check_constraint(
            op.f("ck_invoice_lines_credit_within_line"),
            sa.text("amount < 0 OR credited_amount + adjusted_amount <= amount"),
        )

    with op.batch_alter_table("invoices", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_invoices_dunning_state_known"), type_="check")
        batch_op.drop_constraint(op.f("ck_invoices_kind_known"), type_="check")
        batch_op.drop_constraint(op.f("ck_invoices_never_more_than_total"), type_="check")
        batch_op.add_column(sa.Column("credited_balance", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("balance_used", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("paid_outside", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("carried", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("disputed", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("remind_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("held_because", sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column("authorizations_lost", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("issued_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("overdue_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("release_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index(
            "ix_invoices_release",
            ["release_at"],
            unique=False,
            sqlite_where=sa.text("release_at IS NOT NULL"),
            postgresql_where=sa.text("release_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_invoices_reminds",
            ["remind_at"],
            unique=False,
            sqlite_where=sa.text("remind_at IS NOT NULL AND status = 'open'"),
            postgresql_where=sa.text("remind_at IS NOT NULL AND status = 'open'"),
        )
        batch_op.create_check_constraint(
            op.f("ck_invoices_kind_known"), sa.text("\"kind\" IN ('recurring', 'change', 'manual')")
        )
        batch_op.create_check_constraint(
            op.f("ck_invoices_credits_have_one_effect"), sa.text("credited_open + credited_balance <= credited")
        )
        batch_op.create_check_constraint(
            op.f("ck_invoices_never_more_than_total"),
            sa.text("captured + balance_used + paid_outside + carried + credited_open <= total"),
        )
        batch_op.create_check_constraint(
            op.f("ck_invoices_payments_not_negative"),
            sa.text("balance_used >= 0 AND paid_outside >= 0 AND carried >= 0 AND disputed >= 0"),
        )
        batch_op.create_check_constraint(
            op.f("ck_invoices_dunning_state_known"),
            sa.text("\"dunning_state\" IN ('none', 'retrying', 'awaiting_token', 'waiting_turn', 'held', 'exhausted')"),
        )

    with op.batch_alter_table("ledger_entries", schema=None) as batch_op:
        batch_op.alter_column("amount", existing_type=sa.INTEGER(), type_=sa.BigInteger(), existing_nullable=False)

    with op.batch_alter_table("ledger_transactions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("payout_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("booked_on", sa.Date(), nullable=True))
        batch_op.alter_column("invoice_id", existing_type=sa.CHAR(length=32), nullable=True)
        batch_op.create_foreign_key(batch_op.f("fk_ledger_transactions_payout_id"), "payouts", ["payout_id"], ["id"])

    with op.batch_alter_table("operations", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_operations_kind_known"), type_="check")
        batch_op.drop_constraint(op.f("ck_operations_trigger_known"), type_="check")
        batch_op.add_column(
            sa.Column(
                "details", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), server_default="{}", nullable=False
            )
        )
        batch_op.add_column(sa.Column("risk", sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column("provider_reference", sa.String(length=255), nullable=True))
        batch_op.alter_column("invoice_id", existing_type=sa.CHAR(length=32), nullable=True)
        batch_op.alter_column("subscription_id", existing_type=sa.CHAR(length=32), nullable=True)
        batch_op.alter_column(
            "trigger", existing_type=sa.VARCHAR(length=16), type_=sa.String(length=24), existing_nullable=False
        )
        batch_op.create_check_constraint(
            op.f("ck_operations_only_a_revoke_has_no_invoice"),
            sa.text("(kind = 'revoke') = (invoice_id IS NULL) AND (kind = 'revoke') = (subscription_id IS NULL)"),
        )
        batch_op.create_check_constraint(
            op.f("ck_operations_trigger_known"),
            sa.text(
                "\"trigger\" IN ('renewal', 'dunning', 'customer', 'admin', 'new_token', 'follow_up', 'cancel', 'change', 'authorization_lost', 'erasure')"
            ),
        )
        batch_op.create_check_constraint(
            op.f("ck_operations_kind_known"),
            sa.text(
                "\"kind\" IN ('purchase', 'capture', 'void', 'release', 'refund', 'amend', 'ship', 'extend', 'email_invoice', 'post_invoice', 'extend_due_date', 'revoke')"
            ),
        )

    with op.batch_alter_table("periods", schema=None) as batch_op:
        batch_op.add_column(sa.Column("offset_days", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("decided_by", sa.String(length=200), nullable=True))
        batch_op.create_check_constraint(
            op.f("ck_periods_days_not_negative"), sa.text("offset_days >= 0 AND full_days >= 0")
        )

    with op.batch_alter_table("plans", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_plans_emailing_known"), type_="check")
        batch_op.drop_constraint(op.f("ck_plans_exhausted_known"), type_="check")
        batch_op.add_column(
            sa.Column("anchor_policy", sa.String(length=16), server_default="conversion", nullable=False)
        )
        batch_op.add_column(sa.Column("missing_token", sa.String(length=16), server_default="pause", nullable=False))
        batch_op.add_column(sa.Column("capture", sa.String(length=16), server_default="automatic", nullable=False))
        batch_op.add_column(sa.Column("capture_delay_minutes", sa.Integer(), server_default="31", nullable=False))
        batch_op.add_column(sa.Column("proration", sa.String(length=8), server_default="day", nullable=False))
        batch_op.add_column(sa.Column("cancel_credit", sa.String(length=8), server_default="none", nullable=False))
        batch_op.add_column(sa.Column("zero_invoices", sa.String(length=16), server_default="paid", nullable=False))
        batch_op.add_column(
            sa.Column("upgrade_mode", sa.String(length=16), server_default="charge_now", nullable=False)
        )
        batch_op.add_column(
            sa.Column("downgrade_mode", sa.String(length=16), server_default="at_period_end", nullable=False)
        )
        batch_op.add_column(
            sa.Column("quantity_up_mode", sa.String(length=16), server_default="charge_now", nullable=False)
        )
        batch_op.add_column(
            sa.Column("quantity_down_mode", sa.String(length=16), server_default="at_period_end", nullable=False)
        )
        batch_op.add_column(
            sa.Column("longer_interval_mode", sa.String(length=16), server_default="full_and_reset", nullable=False)
        )
        batch_op.add_column(
            sa.Column("shorter_interval_mode", sa.String(length=16), server_default="at_period_end", nullable=False)
        )
        batch_op.add_column(sa.Column("term_cycles", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("minimum_cycles", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("notice_days", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(
            sa.Column("pause_in_minimum_term", sa.Boolean(), server_default=sa.text("(false)"), nullable=False)
        )
        batch_op.add_column(sa.Column("pause_days_max", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("payment_gated", sa.Boolean(), server_default=sa.text("(false)"), nullable=False))
        batch_op.add_column(sa.Column("gate_hours", sa.Integer(), server_default="24", nullable=False))
        batch_op.add_column(
            sa.Column(
                "dunning_days",
                sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
                server_default="[1, 3, 7, 14]",
                nullable=False,
            )
        )
        batch_op.add_column(sa.Column("dunning_terminal_day", sa.Integer(), server_default="21", nullable=False))
        batch_op.add_column(sa.Column("grace_days", sa.Integer(), server_default="7", nullable=False))
        batch_op.create_check_constraint(
            op.f("ck_plans_downgrade_mode_known"),
            sa.text("\"downgrade_mode\" IN ('charge_now', 'next_invoice', 'at_period_end', 'full_and_reset')"),
        )
        batch_op.create_check_constraint(
            op.f("ck_plans_cancel_credit_known"), sa.text("\"cancel_credit\" IN ('none', 'credit', 'refund')")
        )
        batch_op.create_check_constraint(
            op.f("ck_plans_capture_known"), sa.text("\"capture\" IN ('automatic', 'on_dispatch', 'manual')")
        )
        batch_op.create_check_constraint(
            op.f("ck_plans_exhausted_known"), sa.text("\"exhausted\" IN ('cancel', 'unpaid', 'manual')")
        )
        batch_op.create_check_constraint(
            op.f("ck_plans_terms_not_negative"), sa.text("minimum_cycles >= 0 AND notice_days >= 0")
        )
        batch_op.create_check_constraint(
            op.f("ck_plans_shorter_interval_mode_known"),
            sa.text("\"shorter_interval_mode\" IN ('charge_now', 'next_invoice', 'at_period_end', 'full_and_reset')"),
        )
        batch_op.create_check_constraint(
            op.f("ck_plans_quantity_up_mode_known"),
            sa.text("\"quantity_up_mode\" IN ('charge_now', 'next_invoice', 'at_period_end', 'full_and_reset')"),
        )
        batch_op.create_check_constraint(
            op.f("ck_plans_zero_invoices_known"), sa.text("\"zero_invoices\" IN ('paid', 'suppressed')")
        )
        batch_op.create_check_constraint(
            op.f("ck_plans_missing_token_known"), sa.text("\"missing_token\" IN ('pause', 'cancel', 'invoice_only')")
        )
        batch_op.create_check_constraint(
            op.f("ck_plans_emailing_known"),
            sa.text("\"emailing\" IN ('provider_default', 'provider_again', 'ours', 'none')"),
        )
        batch_op.create_check_constraint(
            op.f("ck_plans_quantity_down_mode_known"),
            sa.text("\"quantity_down_mode\" IN ('charge_now', 'next_invoice', 'at_period_end', 'full_and_reset')"),
        )
        batch_op.create_check_constraint(
            op.f("ck_plans_anchor_policy_known"), sa.text("\"anchor_policy\" IN ('conversion', 'signup')")
        )
        batch_op.create_check_constraint(
            op.f("ck_plans_upgrade_mode_known"),
            sa.text("\"upgrade_mode\" IN ('charge_now', 'next_invoice', 'at_period_end', 'full_and_reset')"),
        )
        batch_op.create_check_constraint(
            op.f("ck_plans_proration_known"), sa.text("\"proration\" IN ('day', 'second', 'none')")
        )
        batch_op.create_check_constraint(
            op.f("ck_plans_longer_interval_mode_known"),
            sa.text("\"longer_interval_mode\" IN ('charge_now', 'next_invoice', 'at_period_end', 'full_and_reset')"),
        )
        batch_op.create_check_constraint(
            op.f("ck_plans_term_cycles_positive"), sa.text("term_cycles IS NULL OR term_cycles >= 1")
        )

    with op.batch_alter_table("price_items", schema=None) as batch_op:
        batch_op.add_column(sa.Column("tax_code", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("once", sa.Boolean(), server_default=sa.text("(false)"), nullable=False))

    with op.batch_alter_table("prices", schema=None) as batch_op:
        batch_op.add_column(sa.Column("tax_included", sa.Boolean(), server_default=sa.text("(true)"), nullable=False))
        batch_op.add_column(
            sa.Column(
                "phases", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), server_default="[]", nullable=False
            )
        )
        batch_op.add_column(sa.Column("replaced_by_id", sa.Uuid(), nullable=True))
        batch_op.create_foreign_key(batch_op.f("fk_prices_replaced_by_id"), "prices", ["replaced_by_id"], ["id"])

    with op.batch_alter_table("provider_accounts", schema=None, recreate=rebuilt) as batch_op:
        batch_op.add_column(
            sa.Column(
                "currencies",
                sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
                server_default="[]",
                nullable=False,
            )
        )
        batch_op.add_column(
            sa.Column(
                "countries",
                sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
                server_default="[]",
                nullable=False,
            )
        )
        batch_op.add_column(sa.Column("rate_per_second", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("burst", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("minimum_amount", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(
            sa.Column("token_covers_any_interval", sa.Boolean(), server_default=sa.text("(false)"), nullable=False)
        )
        batch_op.alter_column(
            "halted_reason", existing_type=sa.VARCHAR(length=200), type_=sa.String(length=500), existing_nullable=True
        )

    with op.batch_alter_table("subscriptions", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_subscriptions_ended_is_never_due"), type_="check")
        batch_op.add_column(sa.Column("due_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("token_check_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(
            sa.Column(
                "quantities",
                sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
                server_default="{}",
                nullable=False,
            )
        )
        batch_op.add_column(sa.Column("is_set_up", sa.Boolean(), server_default=sa.text("(false)"), nullable=False))
        batch_op.add_column(sa.Column("cycles_done", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("term_cycles", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("minimum_ends_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("notice_days", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(
            sa.Column("pending_change", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True)
        )
        batch_op.add_column(sa.Column("pending_zone", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("pause_mode", sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column("pause_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("resume_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(
            sa.Column("pause_bills_stub", sa.Boolean(), server_default=sa.text("(false)"), nullable=False)
        )
        batch_op.add_column(sa.Column("frozen_days", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("frozen_of_days", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("gate_expires_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(
            sa.Column("catch_up", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True)
        )
        batch_op.add_column(sa.Column("not_before", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("access", sa.String(length=8), server_default="full", nullable=False))
        batch_op.add_column(sa.Column("grace_ends_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(
            sa.Column("cancel_terms", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True)
        )
        batch_op.alter_column("token_id", existing_type=sa.CHAR(length=32), nullable=True)
        batch_op.drop_index(
            batch_op.f("ix_subscriptions_due"),
            sqlite_where=sa.text("next_period_at IS NOT NULL AND review_reason IS NULL AND hold IS NULL"),
        )
        batch_op.create_index(
            "ix_subscriptions_due",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("due_at IS NOT NULL AND review_reason IS NULL AND hold IS NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL AND review_reason IS NULL AND hold IS NULL"),
        )
        batch_op.create_index(batch_op.f("ix_subscriptions_price_id"), ["price_id"], unique=False)
        batch_op.create_index(
            "ix_subscriptions_token_check",
            ["token_check_at"],
            unique=False,
            sqlite_where=sa.text("token_check_at IS NOT NULL"),
            postgresql_where=sa.text("token_check_at IS NOT NULL"),
        )
        batch_op.create_check_constraint(
            op.f("ck_subscriptions_access_known"), sa.text("\"access\" IN ('full', 'grace', 'none')")
        )
        batch_op.create_check_constraint(
            op.f("ck_subscriptions_ended_is_never_due"), sa.text("status <> 'ended' OR due_at IS NULL")
        )
        batch_op.create_check_constraint(
            op.f("ck_subscriptions_pause_mode_known"),
            sa.text("\"pause_mode\" IS NULL OR \"pause_mode\" IN ('freeze', 'skip', 'collection_only')"),
        )

    with op.batch_alter_table("tokens", schema=None, recreate=rebuilt) as batch_op:
        batch_op.add_column(sa.Column("signed_interval", sa.String(length=8), nullable=True))
        batch_op.add_column(sa.Column("signed_interval_count", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("read_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("provider_accounts", schema=None, recreate=rebuilt) as batch_op:
        batch_op.alter_column("currencies", server_default=None)
        batch_op.alter_column("countries", server_default=None)
        batch_op.alter_column("rate_per_second", server_default=None)
        batch_op.alter_column("burst", server_default=None)
        batch_op.alter_column("minimum_amount", server_default=None)
        batch_op.alter_column("token_covers_any_interval", server_default=None)

    with op.batch_alter_table("invoices", schema=None) as batch_op:
        batch_op.alter_column("credited_balance", server_default=None)
        batch_op.alter_column("balance_used", server_default=None)
        batch_op.alter_column("paid_outside", server_default=None)
        batch_op.alter_column("carried", server_default=None)
        batch_op.alter_column("disputed", server_default=None)
        batch_op.alter_column("authorizations_lost", server_default=None)

    with op.batch_alter_table("invoice_lines", schema=None) as batch_op:
        batch_op.alter_column("kind", server_default=None)
        batch_op.alter_column("discount_amount", server_default=None)
        batch_op.alter_column("tax_treatment", server_default=None)
        batch_op.alter_column("adjusted_amount", server_default=None)
        batch_op.alter_column("adjusted_tax", server_default=None)
        batch_op.alter_column("captured_amount", server_default=None)
        batch_op.alter_column("captured_quantity", server_default=None)
        batch_op.alter_column("dispatched_quantity", server_default=None)
        batch_op.alter_column("recognized_net", server_default=None)

    with op.batch_alter_table("credit_notes", schema=None) as batch_op:
        batch_op.alter_column("effect_open", server_default=None)
        batch_op.alter_column("effect_balance", server_default=None)
        batch_op.alter_column("effect_refund", server_default=None)

    with op.batch_alter_table("operations", schema=None) as batch_op:
        batch_op.alter_column("details", server_default=None)

    with op.batch_alter_table("subscriptions", schema=None) as batch_op:
        batch_op.alter_column("quantities", server_default=None)
        batch_op.alter_column("is_set_up", server_default=None)
        batch_op.alter_column("cycles_done", server_default=None)
        batch_op.alter_column("notice_days", server_default=None)
        batch_op.alter_column("pause_bills_stub", server_default=None)
        batch_op.alter_column("access", server_default=None)

    with op.batch_alter_table("periods", schema=None) as batch_op:
        batch_op.alter_column("offset_days", server_default=None)

    with op.batch_alter_table("plans", schema=None) as batch_op:
        batch_op.alter_column("anchor_policy", server_default=None)
        batch_op.alter_column("missing_token", server_default=None)
        batch_op.alter_column("capture", server_default=None)
        batch_op.alter_column("capture_delay_minutes", server_default=None)
        batch_op.alter_column("proration", server_default=None)
        batch_op.alter_column("cancel_credit", server_default=None)
        batch_op.alter_column("zero_invoices", server_default=None)
        batch_op.alter_column("upgrade_mode", server_default=None)
        batch_op.alter_column("downgrade_mode", server_default=None)
        batch_op.alter_column("quantity_up_mode", server_default=None)
        batch_op.alter_column("quantity_down_mode", server_default=None)
        batch_op.alter_column("longer_interval_mode", server_default=None)
        batch_op.alter_column("shorter_interval_mode", server_default=None)
        batch_op.alter_column("minimum_cycles", server_default=None)
        batch_op.alter_column("notice_days", server_default=None)
        batch_op.alter_column("pause_in_minimum_term", server_default=None)
        batch_op.alter_column("payment_gated", server_default=None)
        batch_op.alter_column("gate_hours", server_default=None)
        batch_op.alter_column("dunning_days", server_default=None)
        batch_op.alter_column("dunning_terminal_day", server_default=None)
        batch_op.alter_column("grace_days", server_default=None)

    with op.batch_alter_table("prices", schema=None) as batch_op:
        batch_op.alter_column("tax_included", server_default=None)
        batch_op.alter_column("phases", server_default=None)

    with op.batch_alter_table("price_items", schema=None) as batch_op:
        batch_op.alter_column("once", server_default=None)

    for statement in _FILL:
        op.execute(statement)
    for statement in _APPEND_ONLY[op.get_bind().dialect.name]:
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    raise NotImplementedError("books are not taken back: restore the backup that was made before")
