"""The first tables: customers, plans, subscriptions, invoices, operations, ledger, audit."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("public", sa.String(length=16), nullable=False),
        sa.Column("secret_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role IN ('merchant', 'admin')", name=op.f("ck_api_keys_role_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("public", name=op.f("uq_api_keys_public")),
    )
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
        "customers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=False),
        sa.Column("vat_id", sa.String(length=20), nullable=True),
        sa.Column("vat_id_checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dunning_paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dunning_paused_because", sa.String(length=500), nullable=True),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customers")),
        sa.UniqueConstraint("reference", name=op.f("uq_customers_reference")),
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("only_one", sa.Integer(), nullable=False),
        sa.Column("namespace", sa.Uuid(), nullable=False),
        sa.Column("canary", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("only_one = 1", name=op.f("ck_installation_only_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
        sa.UniqueConstraint("only_one", name=op.f("uq_installation_only_one")),
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
        "plans",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("number_on", sa.String(length=16), nullable=False),
        sa.Column("emailing", sa.String(length=24), nullable=False),
        sa.Column("exhausted", sa.String(length=16), nullable=False),
        sa.Column("trial_days", sa.Integer(), nullable=False),
        sa.Column("anchor_policy", sa.String(length=16), nullable=False),
        sa.Column("missing_token", sa.String(length=16), nullable=False),
        sa.Column("capture", sa.String(length=16), nullable=False),
        sa.Column("capture_delay_minutes", sa.Integer(), nullable=False),
        sa.Column("proration", sa.String(length=8), nullable=False),
        sa.Column("cancel_credit", sa.String(length=8), nullable=False),
        sa.Column("zero_invoices", sa.String(length=16), nullable=False),
        sa.Column("upgrade_mode", sa.String(length=16), nullable=False),
        sa.Column("downgrade_mode", sa.String(length=16), nullable=False),
        sa.Column("quantity_up_mode", sa.String(length=16), nullable=False),
        sa.Column("quantity_down_mode", sa.String(length=16), nullable=False),
        sa.Column("longer_interval_mode", sa.String(length=16), nullable=False),
        sa.Column("shorter_interval_mode", sa.String(length=16), nullable=False),
        sa.Column("term_cycles", sa.Integer(), nullable=True),
        sa.Column("minimum_cycles", sa.Integer(), nullable=False),
        sa.Column("notice_days", sa.Integer(), nullable=False),
        sa.Column("pause_in_minimum_term", sa.Boolean(), nullable=False),
        sa.Column("pause_days_max", sa.Integer(), nullable=True),
        sa.Column("payment_gated", sa.Boolean(), nullable=False),
        sa.Column("gate_hours", sa.Integer(), nullable=False),
        sa.Column("dunning_days", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("dunning_terminal_day", sa.Integer(), nullable=False),
        sa.Column("grace_days", sa.Integer(), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("\"anchor_policy\" IN ('conversion', 'signup')", name=op.f("ck_plans_anchor_policy_known")),
        sa.CheckConstraint(
            "\"cancel_credit\" IN ('none', 'credit', 'refund')", name=op.f("ck_plans_cancel_credit_known")
        ),
        sa.CheckConstraint(
            "\"capture\" IN ('automatic', 'on_dispatch', 'manual')", name=op.f("ck_plans_capture_known")
        ),
        sa.CheckConstraint(
            "\"downgrade_mode\" IN ('charge_now', 'next_invoice', 'at_period_end', 'full_and_reset')",
            name=op.f("ck_plans_downgrade_mode_known"),
        ),
        sa.CheckConstraint(
            "\"emailing\" IN ('provider_default', 'provider_again', 'ours', 'none')",
            name=op.f("ck_plans_emailing_known"),
        ),
        sa.CheckConstraint("\"exhausted\" IN ('cancel', 'unpaid', 'manual')", name=op.f("ck_plans_exhausted_known")),
        sa.CheckConstraint(
            "\"longer_interval_mode\" IN ('charge_now', 'next_invoice', 'at_period_end', 'full_and_reset')",
            name=op.f("ck_plans_longer_interval_mode_known"),
        ),
        sa.CheckConstraint(
            "\"missing_token\" IN ('pause', 'cancel', 'invoice_only')", name=op.f("ck_plans_missing_token_known")
        ),
        sa.CheckConstraint("\"number_on\" IN ('capture', 'open')", name=op.f("ck_plans_number_on_known")),
        sa.CheckConstraint("\"proration\" IN ('day', 'second', 'none')", name=op.f("ck_plans_proration_known")),
        sa.CheckConstraint(
            "\"quantity_down_mode\" IN ('charge_now', 'next_invoice', 'at_period_end', 'full_and_reset')",
            name=op.f("ck_plans_quantity_down_mode_known"),
        ),
        sa.CheckConstraint(
            "\"quantity_up_mode\" IN ('charge_now', 'next_invoice', 'at_period_end', 'full_and_reset')",
            name=op.f("ck_plans_quantity_up_mode_known"),
        ),
        sa.CheckConstraint(
            "\"shorter_interval_mode\" IN ('charge_now', 'next_invoice', 'at_period_end', 'full_and_reset')",
            name=op.f("ck_plans_shorter_interval_mode_known"),
        ),
        sa.CheckConstraint(
            "\"upgrade_mode\" IN ('charge_now', 'next_invoice', 'at_period_end', 'full_and_reset')",
            name=op.f("ck_plans_upgrade_mode_known"),
        ),
        sa.CheckConstraint("\"zero_invoices\" IN ('paid', 'suppressed')", name=op.f("ck_plans_zero_invoices_known")),
        sa.CheckConstraint("minimum_cycles >= 0 AND notice_days >= 0", name=op.f("ck_plans_terms_not_negative")),
        sa.CheckConstraint("term_cycles IS NULL OR term_cycles >= 1", name=op.f("ck_plans_term_cycles_positive")),
        sa.CheckConstraint("trial_days BETWEEN 0 AND 730", name=op.f("ck_plans_trial_days_bounded")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
        sa.UniqueConstraint("reference", name=op.f("uq_plans_reference")),
    )
    op.create_table(
        "provider_accounts",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("generation", sa.String(length=16), nullable=False),
        sa.Column("halted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("halted_reason", sa.String(length=500), nullable=True),
        sa.Column("currencies", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("countries", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("rate_per_second", sa.Integer(), nullable=False),
        sa.Column("burst", sa.Integer(), nullable=False),
        sa.Column("minimum_amount", sa.Integer(), nullable=False),
        sa.Column("token_covers_any_interval", sa.Boolean(), nullable=False),
        sa.Column("reopened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reopened_because", sa.String(length=500), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_provider_accounts")),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("subscriptions_seen", sa.Integer(), nullable=False),
        sa.Column("periods_opened", sa.Integer(), nullable=False),
        sa.Column("invoices_opened", sa.Integer(), nullable=False),
        sa.Column("subscriptions_ended", sa.Integer(), nullable=False),
        sa.Column("sent_to_review", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_table(
        "series",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("next", sa.Integer(), nullable=False),
        sa.Column("last_date", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
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
        "prices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("interval", sa.String(length=8), nullable=False),
        sa.Column("interval_count", sa.Integer(), nullable=False),
        sa.Column("month_end", sa.Boolean(), nullable=False),
        sa.Column("tax_included", sa.Boolean(), nullable=False),
        sa.Column("phases", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("replaced_by_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("\"interval\" IN ('day', 'week', 'month', 'year')", name=op.f("ck_prices_interval_known")),
        sa.CheckConstraint("interval_count BETWEEN 1 AND 120", name=op.f("ck_prices_interval_count_bounded")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_prices_plan_id")),
        sa.ForeignKeyConstraint(["replaced_by_id"], ["prices.id"], name=op.f("fk_prices_replaced_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prices")),
    )
    with op.batch_alter_table("prices", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_prices_plan_id"), ["plan_id"], unique=False)

    op.create_table(
        "stored_answers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("api_key_id", sa.Uuid(), nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=False),
        sa.Column("request_sha256", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["api_key_id"], ["api_keys.id"], name=op.f("fk_stored_answers_api_key_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stored_answers")),
        sa.UniqueConstraint("api_key_id", "idempotency_key", name=op.f("uq_stored_answers_api_key_id_idempotency_key")),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("provider_account", sa.String(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("signed_interval", sa.String(length=8), nullable=True),
        sa.Column("signed_interval_count", sa.Integer(), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kek_id", sa.String(length=32), nullable=False),
        sa.Column("index_version", sa.Integer(), nullable=False),
        sa.Column("blind_index", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "\"status\" IN ('active', 'suspended', 'revoked', 'erased')", name=op.f("ck_tokens_status_known")
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_tokens_version_positive")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_tokens_customer_id")),
        sa.ForeignKeyConstraint(
            ["provider_account"], ["provider_accounts.name"], name=op.f("fk_tokens_provider_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
    )
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.create_index(
            "ix_tokens_blind_index", ["provider_account", "index_version", "blind_index"], unique=True
        )
        batch_op.create_index(batch_op.f("ix_tokens_customer_id"), ["customer_id"], unique=False)

    op.create_table(
        "price_items",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("price_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("article_number", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_amount", sa.Integer(), nullable=False),
        sa.Column("tax_rate", sa.Integer(), nullable=False),
        sa.Column("tax_code", sa.String(length=32), nullable=True),
        sa.Column("once", sa.Boolean(), nullable=False),
        sa.Column("credit_rule", sa.String(length=16), nullable=False),
        sa.Column("recognize", sa.String(length=16), nullable=False),
        sa.CheckConstraint(
            "\"credit_rule\" IN ('time', 'quantity', 'none')", name=op.f("ck_price_items_credit_rule_known")
        ),
        sa.CheckConstraint(
            "\"recognize\" IN ('time', 'dispatch', 'at_capture')", name=op.f("ck_price_items_recognize_known")
        ),
        sa.CheckConstraint("quantity >= 1", name=op.f("ck_price_items_quantity_positive")),
        sa.CheckConstraint("unit_amount >= 0", name=op.f("ck_price_items_unit_amount_positive")),
        sa.ForeignKeyConstraint(["price_id"], ["prices.id"], name=op.f("fk_price_items_price_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_items")),
        sa.UniqueConstraint("price_id", "position", name=op.f("uq_price_items_price_id_position")),
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
        "subscriptions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("price_id", sa.Uuid(), nullable=False),
        sa.Column("token_id", sa.Uuid(), nullable=True),
        sa.Column("provider_account", sa.String(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("anchor_no", sa.Integer(), nullable=False),
        sa.Column("anchor_date", sa.Date(), nullable=False),
        sa.Column("anchor_day", sa.Integer(), nullable=False),
        sa.Column("month_end", sa.Boolean(), nullable=False),
        sa.Column("interval", sa.String(length=8), nullable=False),
        sa.Column("interval_count", sa.Integer(), nullable=False),
        sa.Column("next_cycle_index", sa.Integer(), nullable=False),
        sa.Column("next_seq", sa.Integer(), nullable=False),
        sa.Column("next_period_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trial_days", sa.Integer(), nullable=False),
        sa.Column("token_check_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("quantities", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("is_set_up", sa.Boolean(), nullable=False),
        sa.Column("cycles_done", sa.Integer(), nullable=False),
        sa.Column("term_cycles", sa.Integer(), nullable=True),
        sa.Column("minimum_ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("notice_days", sa.Integer(), nullable=False),
        sa.Column("pending_change", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("pending_zone", sa.String(length=64), nullable=True),
        sa.Column("pause_mode", sa.String(length=16), nullable=True),
        sa.Column("pause_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resume_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pause_bills_stub", sa.Boolean(), nullable=False),
        sa.Column("frozen_days", sa.Integer(), nullable=True),
        sa.Column("frozen_of_days", sa.Integer(), nullable=True),
        sa.Column("gate_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("catch_up", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("access", sa.String(length=8), nullable=False),
        sa.Column("grace_ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_terms", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(length=32), nullable=True),
        sa.Column("review_reason", sa.String(length=200), nullable=True),
        sa.Column("hold", sa.String(length=200), nullable=True),
        sa.Column("event_seq", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status <> 'ended' OR due_at IS NULL", name=op.f("ck_subscriptions_ended_is_never_due")),
        sa.CheckConstraint("\"access\" IN ('full', 'grace', 'none')", name=op.f("ck_subscriptions_access_known")),
        sa.CheckConstraint(
            "\"interval\" IN ('day', 'week', 'month', 'year')", name=op.f("ck_subscriptions_interval_known")
        ),
        sa.CheckConstraint(
            "\"pause_mode\" IS NULL OR \"pause_mode\" IN ('freeze', 'skip', 'collection_only')",
            name=op.f("ck_subscriptions_pause_mode_known"),
        ),
        sa.CheckConstraint(
            "\"status\" IN ('pending', 'trialing', 'active', 'past_due', 'paused', 'unpaid', 'ended')",
            name=op.f("ck_subscriptions_status_known"),
        ),
        sa.CheckConstraint("anchor_day BETWEEN 1 AND 31", name=op.f("ck_subscriptions_anchor_day_bounded")),
        sa.CheckConstraint("interval_count BETWEEN 1 AND 120", name=op.f("ck_subscriptions_interval_count_bounded")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_subscriptions_customer_id")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_subscriptions_plan_id")),
        sa.ForeignKeyConstraint(["price_id"], ["prices.id"], name=op.f("fk_subscriptions_price_id")),
        sa.ForeignKeyConstraint(
            ["provider_account"], ["provider_accounts.name"], name=op.f("fk_subscriptions_provider_account")
        ),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.id"], name=op.f("fk_subscriptions_token_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
    )
    with op.batch_alter_table("subscriptions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_subscriptions_customer_id"), ["customer_id"], unique=False)
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
        batch_op.create_index(batch_op.f("ix_subscriptions_token_id"), ["token_id"], unique=False)

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
        "events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("payload", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name=op.f("fk_events_subscription_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("subscription_id", "seq", name=op.f("uq_events_subscription_id_seq")),
    )
    op.create_table(
        "periods",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("anchor_no", sa.Integer(), nullable=False),
        sa.Column("cycle_index", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("start_date", sa.Date(), nullable=False),
        sa.Column("end_date", sa.Date(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("full_days", sa.Integer(), nullable=False),
        sa.Column("offset_days", sa.Integer(), nullable=False),
        sa.Column("original_ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("price_id", sa.Uuid(), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("tzdata_version", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("decided_by", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "\"kind\" IN ('trial', 'stub', 'regular', 'paused', 'skipped', 'resumed', 'withheld', 'forgiven')",
            name=op.f("ck_periods_kind_known"),
        ),
        sa.CheckConstraint("offset_days >= 0 AND full_days >= 0", name=op.f("ck_periods_days_not_negative")),
        sa.CheckConstraint("starts_at <= ends_at", name=op.f("ck_periods_starts_before_it_ends")),
        sa.ForeignKeyConstraint(["price_id"], ["prices.id"], name=op.f("fk_periods_price_id")),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name=op.f("fk_periods_subscription_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_periods")),
        sa.UniqueConstraint("subscription_id", "seq", name=op.f("uq_periods_subscription_id_seq")),
    )
    with op.batch_alter_table("periods", schema=None) as batch_op:
        batch_op.create_index(
            "ix_periods_cycle",
            ["subscription_id", "anchor_no", "cycle_index"],
            unique=True,
            sqlite_where=sa.text("kind = 'regular'"),
            postgresql_where=sa.text("kind = 'regular'"),
        )

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
        "invoices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("period_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("provider_account", sa.String(length=64), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("payment_state", sa.String(length=16), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("tax_total", sa.Integer(), nullable=False),
        sa.Column("captured", sa.Integer(), nullable=False),
        sa.Column("credited", sa.Integer(), nullable=False),
        sa.Column("credited_open", sa.Integer(), nullable=False),
        sa.Column("credited_balance", sa.Integer(), nullable=False),
        sa.Column("balance_used", sa.Integer(), nullable=False),
        sa.Column("paid_outside", sa.Integer(), nullable=False),
        sa.Column("carried", sa.Integer(), nullable=False),
        sa.Column("disputed", sa.Integer(), nullable=False),
        sa.Column("refunded", sa.Integer(), nullable=False),
        sa.Column("series_id", sa.String(length=32), nullable=True),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("issue_date", sa.Date(), nullable=True),
        sa.Column("number_on", sa.String(length=16), nullable=False),
        sa.Column("dunning_state", sa.String(length=16), nullable=False),
        sa.Column("dunning_step", sa.Integer(), nullable=False),
        sa.Column("first_declined_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("exhausts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("remind_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("held_because", sa.String(length=200), nullable=True),
        sa.Column("authorizations_lost", sa.Integer(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("overdue_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("release_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("collect_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "\"dunning_state\" IN ('none', 'retrying', 'awaiting_token', 'waiting_turn', 'held', 'exhausted')",
            name=op.f("ck_invoices_dunning_state_known"),
        ),
        sa.CheckConstraint("\"kind\" IN ('recurring', 'change', 'manual')", name=op.f("ck_invoices_kind_known")),
        sa.CheckConstraint(
            "\"payment_state\" IN ('none', 'pending', 'unknown', 'failed', 'succeeded')",
            name=op.f("ck_invoices_payment_state_known"),
        ),
        sa.CheckConstraint(
            "\"status\" IN ('draft', 'open', 'paid', 'void', 'uncollectible', 'discarded')",
            name=op.f("ck_invoices_status_known"),
        ),
        sa.CheckConstraint("(number IS NULL) = (series_id IS NULL)", name=op.f("ck_invoices_number_has_its_series")),
        sa.CheckConstraint(
            "balance_used >= 0 AND paid_outside >= 0 AND carried >= 0 AND disputed >= 0",
            name=op.f("ck_invoices_payments_not_negative"),
        ),
        sa.CheckConstraint(
            "captured + balance_used + paid_outside + carried + credited_open <= total",
            name=op.f("ck_invoices_never_more_than_total"),
        ),
        sa.CheckConstraint(
            "credited_open + credited_balance <= credited", name=op.f("ck_invoices_credits_have_one_effect")
        ),
        sa.CheckConstraint("refunded <= captured", name=op.f("ck_invoices_refunded_within_captured")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_invoices_customer_id")),
        sa.ForeignKeyConstraint(["period_id"], ["periods.id"], name=op.f("fk_invoices_period_id")),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name=op.f("fk_invoices_subscription_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoices")),
        sa.UniqueConstraint("series_id", "number", name=op.f("uq_invoices_series_id_number")),
    )
    with op.batch_alter_table("invoices", schema=None) as batch_op:
        batch_op.create_index(
            "ix_invoices_exhausts",
            ["exhausts_at"],
            unique=False,
            sqlite_where=sa.text("exhausts_at IS NOT NULL AND status = 'open'"),
            postgresql_where=sa.text("exhausts_at IS NOT NULL AND status = 'open'"),
        )
        batch_op.create_index(
            "ix_invoices_one_recurring",
            ["period_id"],
            unique=True,
            sqlite_where=sa.text("kind = 'recurring'"),
            postgresql_where=sa.text("kind = 'recurring'"),
        )
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
        batch_op.create_index(batch_op.f("ix_invoices_subscription_id"), ["subscription_id"], unique=False)

    op.create_table(
        "credit_notes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("tax_total", sa.Integer(), nullable=False),
        sa.Column("effect_open", sa.Integer(), nullable=False),
        sa.Column("effect_balance", sa.Integer(), nullable=False),
        sa.Column("effect_refund", sa.Integer(), nullable=False),
        sa.Column("series_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("issue_date", sa.Date(), nullable=False),
        sa.Column("refunded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_credit_notes_invoice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_notes")),
        sa.UniqueConstraint("series_id", "number", name=op.f("uq_credit_notes_series_id_number")),
    )
    with op.batch_alter_table("credit_notes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_credit_notes_invoice_id"), ["invoice_id"], unique=False)

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
        "invoice_lines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("article_number", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_amount", sa.Integer(), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("tax_amount", sa.Integer(), nullable=False),
        sa.Column("tax_rate", sa.Integer(), nullable=False),
        sa.Column("credit_rule", sa.String(length=16), nullable=False),
        sa.Column("recognize", sa.String(length=16), nullable=False),
        sa.Column("derivation", sa.String(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("price_id", sa.Uuid(), nullable=True),
        sa.Column("discount_amount", sa.Integer(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("adjusts_line_id", sa.Uuid(), nullable=True),
        sa.Column("tax_treatment", sa.String(length=16), nullable=False),
        sa.Column("credited_amount", sa.Integer(), nullable=False),
        sa.Column("credited_tax", sa.Integer(), nullable=False),
        sa.Column("credited_quantity", sa.Integer(), nullable=False),
        sa.Column("adjusted_amount", sa.Integer(), nullable=False),
        sa.Column("adjusted_tax", sa.Integer(), nullable=False),
        sa.Column("captured_amount", sa.Integer(), nullable=False),
        sa.Column("captured_quantity", sa.Integer(), nullable=False),
        sa.Column("dispatched_quantity", sa.Integer(), nullable=False),
        sa.Column("recognized_net", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "\"credit_rule\" IN ('time', 'quantity', 'none')", name=op.f("ck_invoice_lines_credit_rule_known")
        ),
        sa.CheckConstraint(
            "\"kind\" IN ('item', 'setup', 'adjustment', 'carried', 'balance')",
            name=op.f("ck_invoice_lines_kind_known"),
        ),
        sa.CheckConstraint(
            "\"recognize\" IN ('time', 'dispatch', 'at_capture')", name=op.f("ck_invoice_lines_recognize_known")
        ),
        sa.CheckConstraint(
            "\"tax_treatment\" IN ('standard', 'reverse_charge', 'outside_scope')",
            name=op.f("ck_invoice_lines_tax_treatment_known"),
        ),
        sa.CheckConstraint(
            "amount < 0 OR captured_amount <= amount", name=op.f("ck_invoice_lines_capture_within_line")
        ),
        sa.CheckConstraint(
            "amount < 0 OR credited_amount + adjusted_amount <= amount",
            name=op.f("ck_invoice_lines_credit_within_line"),
        ),
        sa.CheckConstraint(
            "amount < 0 OR credited_tax + adjusted_tax <= tax_amount", name=op.f("ck_invoice_lines_credit_within_tax")
        ),
        sa.CheckConstraint("captured_quantity <= quantity", name=op.f("ck_invoice_lines_capture_within_quantity")),
        sa.CheckConstraint("credited_quantity <= quantity", name=op.f("ck_invoice_lines_credit_within_quantity")),
        sa.ForeignKeyConstraint(
            ["adjusts_line_id"], ["invoice_lines.id"], name=op.f("fk_invoice_lines_adjusts_line_id")
        ),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_invoice_lines_invoice_id")),
        sa.ForeignKeyConstraint(["price_id"], ["prices.id"], name=op.f("fk_invoice_lines_price_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_lines")),
        sa.UniqueConstraint("invoice_id", "position", name=op.f("uq_invoice_lines_invoice_id_position")),
    )
    op.create_table(
        "operations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.Uuid(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=True),
        sa.Column("subscription_id", sa.Uuid(), nullable=True),
        sa.Column("provider_account", sa.String(), nullable=False),
        sa.Column("token_id", sa.Uuid(), nullable=True),
        sa.Column("purchase_id", sa.Uuid(), nullable=True),
        sa.Column("capture_id", sa.Uuid(), nullable=True),
        sa.Column("details", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("risk", sa.String(length=16), nullable=True),
        sa.Column("provider_reference", sa.String(length=255), nullable=True),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("trigger", sa.String(length=24), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("authorization", sa.String(length=16), nullable=False),
        sa.Column("standing", sa.String(length=8), nullable=True),
        sa.Column("dead_because", sa.String(length=200), nullable=True),
        sa.Column("remaining", sa.Integer(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reads_token_first", sa.Boolean(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_owner", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("claims", sa.Integer(), nullable=False),
        sa.Column("backoffs", sa.Integer(), nullable=False),
        sa.Column("key", sa.Uuid(), nullable=True),
        sa.Column("merchant_reference", sa.String(length=64), nullable=True),
        sa.Column("request_method", sa.String(length=8), nullable=True),
        sa.Column("request_path", sa.String(length=500), nullable=True),
        sa.Column("request", sa.LargeBinary(), nullable=True),
        sa.Column("request_sha256", sa.String(length=64), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sends", sa.Integer(), nullable=False),
        sa.Column("next_check_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("provider_id", sa.String(length=255), nullable=True),
        sa.Column("answer_code", sa.String(length=64), nullable=True),
        sa.Column("answer_message", sa.String(length=300), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(kind = 'purchase') = (standing IS NOT NULL)", name=op.f("ck_operations_purchases_have_a_standing")
        ),
        sa.CheckConstraint(
            "(kind = 'revoke') = (invoice_id IS NULL) AND (kind = 'revoke') = (subscription_id IS NULL)",
            name=op.f("ck_operations_only_a_revoke_has_no_invoice"),
        ),
        sa.CheckConstraint(
            "standing <> 'dead' OR dead_because IS NOT NULL", name=op.f("ck_operations_death_has_its_proof")
        ),
        sa.CheckConstraint(
            "status NOT IN ('sending', 'unknown') OR (request IS NOT NULL AND key IS NOT NULL AND sent_at IS NOT NULL AND next_check_at IS NOT NULL)",
            name=op.f("ck_operations_sent_rows_are_frozen_and_watched"),
        ),
        sa.CheckConstraint(
            "\"authorization\" IN ('none', 'pending_review', 'authorized', 'part_captured', 'captured', 'released', 'voided', 'expired', 'rejected')",
            name=op.f("ck_operations_authorization_known"),
        ),
        sa.CheckConstraint(
            "\"kind\" IN ('purchase', 'capture', 'void', 'release', 'refund', 'amend', 'ship', 'extend', 'email_invoice', 'post_invoice', 'extend_due_date', 'revoke')",
            name=op.f("ck_operations_kind_known"),
        ),
        sa.CheckConstraint("\"origin\" IN ('ours', 'external')", name=op.f("ck_operations_origin_known")),
        sa.CheckConstraint(
            "\"standing\" IS NULL OR \"standing\" IN ('live', 'dead')", name=op.f("ck_operations_standing_known")
        ),
        sa.CheckConstraint(
            "\"status\" IN ('planned', 'sending', 'unknown', 'succeeded', 'declined', 'dropped', 'needs_operator')",
            name=op.f("ck_operations_status_known"),
        ),
        sa.CheckConstraint(
            "\"trigger\" IN ('renewal', 'dunning', 'customer', 'admin', 'new_token', 'follow_up', 'cancel', 'change', 'authorization_lost', 'erasure')",
            name=op.f("ck_operations_trigger_known"),
        ),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_operations_amount_positive")),
        sa.ForeignKeyConstraint(["capture_id"], ["operations.id"], name=op.f("fk_operations_capture_id")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_operations_invoice_id")),
        sa.ForeignKeyConstraint(
            ["provider_account"], ["provider_accounts.name"], name=op.f("fk_operations_provider_account")
        ),
        sa.ForeignKeyConstraint(["purchase_id"], ["operations.id"], name=op.f("fk_operations_purchase_id")),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name=op.f("fk_operations_subscription_id")),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.id"], name=op.f("fk_operations_token_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operations")),
        sa.UniqueConstraint("key", name=op.f("uq_operations_key")),
        sa.UniqueConstraint("kind", "subject", "n", name=op.f("uq_operations_kind_subject_n")),
    )
    with op.batch_alter_table("operations", schema=None) as batch_op:
        batch_op.create_index(
            "ix_operations_check",
            ["next_check_at"],
            unique=False,
            sqlite_where=sa.text("next_check_at IS NOT NULL"),
            postgresql_where=sa.text("next_check_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_operations_due",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("status = 'planned' AND due_at IS NOT NULL"),
            postgresql_where=sa.text("status = 'planned' AND due_at IS NOT NULL"),
        )
        batch_op.create_index("ix_operations_invoice", ["invoice_id"], unique=False)
        batch_op.create_index(
            "ix_operations_leased",
            ["lease_until"],
            unique=False,
            sqlite_where=sa.text("lease_until IS NOT NULL"),
            postgresql_where=sa.text("lease_until IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_operations_one_live_purchase",
            ["invoice_id"],
            unique=True,
            sqlite_where=sa.text("kind = 'purchase' AND standing = 'live'"),
            postgresql_where=sa.text("kind = 'purchase' AND standing = 'live'"),
        )
        batch_op.create_index(
            "ix_operations_provider_id",
            ["provider_account", "kind", "provider_id"],
            unique=True,
            sqlite_where=sa.text("provider_id IS NOT NULL AND kind IN ('purchase', 'capture', 'refund')"),
            postgresql_where=sa.text("provider_id IS NOT NULL AND kind IN ('purchase', 'capture', 'refund')"),
        )
        batch_op.create_index("ix_operations_subscription", ["subscription_id"], unique=False)

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
        "audit_reveals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("worker", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["operation_id"], ["operations.id"], name=op.f("fk_audit_reveals_operation_id")),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.id"], name=op.f("fk_audit_reveals_token_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_reveals")),
        sa.UniqueConstraint("operation_id", "epoch", name=op.f("uq_audit_reveals_operation_id_epoch")),
    )
    with op.batch_alter_table("audit_reveals", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_reveals_token_id"), ["token_id"], unique=False)

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
        "credit_note_lines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("credit_note_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("article_number", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("tax_amount", sa.Integer(), nullable=False),
        sa.Column("tax_rate", sa.Integer(), nullable=False),
        sa.Column("how", sa.String(length=16), nullable=False),
        sa.Column("derivation", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["credit_note_id"], ["credit_notes.id"], name=op.f("fk_credit_note_lines_credit_note_id")
        ),
        sa.ForeignKeyConstraint(["line_id"], ["invoice_lines.id"], name=op.f("fk_credit_note_lines_line_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_note_lines")),
    )
    with op.batch_alter_table("credit_note_lines", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_credit_note_lines_credit_note_id"), ["credit_note_id"], unique=False)

    op.create_table(
        "ledger_transactions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=True),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column("credit_note_id", sa.Uuid(), nullable=True),
        sa.Column("payout_id", sa.Uuid(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["credit_note_id"], ["credit_notes.id"], name=op.f("fk_ledger_transactions_credit_note_id")
        ),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_ledger_transactions_invoice_id")),
        sa.ForeignKeyConstraint(["operation_id"], ["operations.id"], name=op.f("fk_ledger_transactions_operation_id")),
        sa.ForeignKeyConstraint(["payout_id"], ["payouts.id"], name=op.f("fk_ledger_transactions_payout_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_transactions")),
    )
    with op.batch_alter_table("ledger_transactions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ledger_transactions_invoice_id"), ["invoice_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_ledger_transactions_operation_id"), ["operation_id"], unique=False)

    op.create_table(
        "observations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("code", sa.String(length=64), nullable=True),
        sa.Column("message", sa.String(length=300), nullable=True),
        sa.Column("correlation_id", sa.String(length=128), nullable=True),
        sa.Column("provider_id", sa.String(length=255), nullable=True),
        sa.Column("facts", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["operation_id"], ["operations.id"], name=op.f("fk_observations_operation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observations")),
    )
    with op.batch_alter_table("observations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_observations_operation_id"), ["operation_id"], unique=False)

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

    op.create_table(
        "ledger_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.String(length=64), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.CheckConstraint(
            "\"account\" IN ('receivable', 'provider_clearing', 'provider_fees', 'bank', 'deferred_revenue', 'revenue', 'vat_payable', 'customer_balance', 'refund_payable', 'bad_debt', 'disputes', 'rounding')",
            name=op.f("ck_ledger_entries_account_known"),
        ),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_ledger_entries_amount_moves_something")),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["ledger_transactions.id"], name=op.f("fk_ledger_entries_transaction_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entries")),
        sa.UniqueConstraint("transaction_id", "position", name=op.f("uq_ledger_entries_transaction_id_position")),
    )


def downgrade() -> None:
    op.drop_table("ledger_entries")
    with op.batch_alter_table("ledger_block_members", schema=None) as batch_op:
        batch_op.drop_index("ix_ledger_block_members_block")

    op.drop_table("ledger_block_members")
    with op.batch_alter_table("pending_lines", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_pending_lines_waiting",
            sqlite_where=sa.text("invoice_id IS NULL"),
            postgresql_where=sa.text("invoice_id IS NULL"),
        )

    op.drop_table("pending_lines")
    with op.batch_alter_table("payout_lines", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_payout_lines_once",
            sqlite_where=sa.text("match = 'matched'"),
            postgresql_where=sa.text("match = 'matched'"),
        )

    op.drop_table("payout_lines")
    with op.batch_alter_table("observations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_observations_operation_id"))

    op.drop_table("observations")
    with op.batch_alter_table("ledger_transactions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_ledger_transactions_operation_id"))
        batch_op.drop_index(batch_op.f("ix_ledger_transactions_invoice_id"))

    op.drop_table("ledger_transactions")
    with op.batch_alter_table("credit_note_lines", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_credit_note_lines_credit_note_id"))

    op.drop_table("credit_note_lines")
    with op.batch_alter_table("balance_entries", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_balance_entries_invoice_id"))
        batch_op.drop_index("ix_balance_entries_customer")

    op.drop_table("balance_entries")
    with op.batch_alter_table("audit_reveals", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_reveals_token_id"))

    op.drop_table("audit_reveals")
    with op.batch_alter_table("outside_payments", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outside_payments_invoice_id"))

    op.drop_table("outside_payments")
    with op.batch_alter_table("operations", schema=None) as batch_op:
        batch_op.drop_index("ix_operations_subscription")
        batch_op.drop_index(
            "ix_operations_provider_id",
            sqlite_where=sa.text("provider_id IS NOT NULL AND kind IN ('purchase', 'capture', 'refund')"),
            postgresql_where=sa.text("provider_id IS NOT NULL AND kind IN ('purchase', 'capture', 'refund')"),
        )
        batch_op.drop_index(
            "ix_operations_one_live_purchase",
            sqlite_where=sa.text("kind = 'purchase' AND standing = 'live'"),
            postgresql_where=sa.text("kind = 'purchase' AND standing = 'live'"),
        )
        batch_op.drop_index(
            "ix_operations_leased",
            sqlite_where=sa.text("lease_until IS NOT NULL"),
            postgresql_where=sa.text("lease_until IS NOT NULL"),
        )
        batch_op.drop_index("ix_operations_invoice")
        batch_op.drop_index(
            "ix_operations_due",
            sqlite_where=sa.text("status = 'planned' AND due_at IS NOT NULL"),
            postgresql_where=sa.text("status = 'planned' AND due_at IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_operations_check",
            sqlite_where=sa.text("next_check_at IS NOT NULL"),
            postgresql_where=sa.text("next_check_at IS NOT NULL"),
        )

    op.drop_table("operations")
    op.drop_table("invoice_lines")
    with op.batch_alter_table("disputes", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_disputes_one_open", sqlite_where=sa.text("status = 'open'"), postgresql_where=sa.text("status = 'open'")
        )
        batch_op.drop_index(batch_op.f("ix_disputes_invoice_id"))

    op.drop_table("disputes")
    with op.batch_alter_table("credit_notes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_credit_notes_invoice_id"))

    op.drop_table("credit_notes")
    with op.batch_alter_table("invoices", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_invoices_subscription_id"))
        batch_op.drop_index(
            "ix_invoices_reminds",
            sqlite_where=sa.text("remind_at IS NOT NULL AND status = 'open'"),
            postgresql_where=sa.text("remind_at IS NOT NULL AND status = 'open'"),
        )
        batch_op.drop_index(
            "ix_invoices_release",
            sqlite_where=sa.text("release_at IS NOT NULL"),
            postgresql_where=sa.text("release_at IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_invoices_one_recurring",
            sqlite_where=sa.text("kind = 'recurring'"),
            postgresql_where=sa.text("kind = 'recurring'"),
        )
        batch_op.drop_index(
            "ix_invoices_exhausts",
            sqlite_where=sa.text("exhausts_at IS NOT NULL AND status = 'open'"),
            postgresql_where=sa.text("exhausts_at IS NOT NULL AND status = 'open'"),
        )

    op.drop_table("invoices")
    op.drop_table("provider_account_paces")
    with op.batch_alter_table("periods", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_periods_cycle", sqlite_where=sa.text("kind = 'regular'"), postgresql_where=sa.text("kind = 'regular'")
        )

    op.drop_table("periods")
    op.drop_table("events")
    with op.batch_alter_table("discounts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_discounts_subscription_id"))

    op.drop_table("discounts")
    with op.batch_alter_table("subscriptions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_subscriptions_token_id"))
        batch_op.drop_index(
            "ix_subscriptions_token_check",
            sqlite_where=sa.text("token_check_at IS NOT NULL"),
            postgresql_where=sa.text("token_check_at IS NOT NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_subscriptions_price_id"))
        batch_op.drop_index(
            "ix_subscriptions_due",
            sqlite_where=sa.text("due_at IS NOT NULL AND review_reason IS NULL AND hold IS NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL AND review_reason IS NULL AND hold IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_subscriptions_customer_id"))

    op.drop_table("subscriptions")
    with op.batch_alter_table("price_replacements", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_price_replacements_due",
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        )

    op.drop_table("price_replacements")
    op.drop_table("price_items")
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_tokens_customer_id"))
        batch_op.drop_index("ix_tokens_blind_index")

    op.drop_table("tokens")
    op.drop_table("stored_answers")
    with op.batch_alter_table("prices", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_prices_plan_id"))

    op.drop_table("prices")
    op.drop_table("payouts")
    op.drop_table("customer_balances")
    op.drop_table("series")
    op.drop_table("runs")
    op.drop_table("provider_accounts")
    op.drop_table("plans")
    op.drop_table("ledger_blocks")
    op.drop_table("installation")
    op.drop_table("customers")
    op.drop_table("catch_up_approvals")
    op.drop_table("api_keys")
