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
        "customers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=False),
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
        "plans",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("number_on", sa.String(length=16), nullable=False),
        sa.Column("emailing", sa.String(length=24), nullable=False),
        sa.Column("exhausted", sa.String(length=16), nullable=False),
        sa.Column("trial_days", sa.Integer(), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "\"emailing\" IN ('provider_default', 'provider_again', 'none')", name=op.f("ck_plans_emailing_known")
        ),
        sa.CheckConstraint("\"exhausted\" IN ('cancel', 'unpaid')", name=op.f("ck_plans_exhausted_known")),
        sa.CheckConstraint("\"number_on\" IN ('capture', 'open')", name=op.f("ck_plans_number_on_known")),
        sa.CheckConstraint("trial_days BETWEEN 0 AND 730", name=op.f("ck_plans_trial_days_bounded")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
        sa.UniqueConstraint("reference", name=op.f("uq_plans_reference")),
    )
    op.create_table(
        "provider_accounts",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("generation", sa.String(length=16), nullable=False),
        sa.Column("halted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("halted_reason", sa.String(length=200), nullable=True),
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
        "prices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("interval", sa.String(length=8), nullable=False),
        sa.Column("interval_count", sa.Integer(), nullable=False),
        sa.Column("month_end", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("\"interval\" IN ('day', 'week', 'month', 'year')", name=op.f("ck_prices_interval_known")),
        sa.CheckConstraint("interval_count BETWEEN 1 AND 120", name=op.f("ck_prices_interval_count_bounded")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_prices_plan_id")),
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
        "subscriptions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("price_id", sa.Uuid(), nullable=False),
        sa.Column("token_id", sa.Uuid(), nullable=False),
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
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trial_days", sa.Integer(), nullable=False),
        sa.Column("cancel_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(length=32), nullable=True),
        sa.Column("review_reason", sa.String(length=200), nullable=True),
        sa.Column("hold", sa.String(length=200), nullable=True),
        sa.Column("event_seq", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status <> 'ended' OR next_period_at IS NULL", name=op.f("ck_subscriptions_ended_is_never_due")
        ),
        sa.CheckConstraint(
            "\"interval\" IN ('day', 'week', 'month', 'year')", name=op.f("ck_subscriptions_interval_known")
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
            ["next_period_at"],
            unique=False,
            sqlite_where=sa.text("next_period_at IS NOT NULL AND review_reason IS NULL AND hold IS NULL"),
            postgresql_where=sa.text("next_period_at IS NOT NULL AND review_reason IS NULL AND hold IS NULL"),
        )
        batch_op.create_index(batch_op.f("ix_subscriptions_token_id"), ["token_id"], unique=False)

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
        sa.Column("original_ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("price_id", sa.Uuid(), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("tzdata_version", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "\"kind\" IN ('trial', 'stub', 'regular', 'paused', 'skipped', 'resumed', 'withheld', 'forgiven')",
            name=op.f("ck_periods_kind_known"),
        ),
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
        sa.Column("refunded", sa.Integer(), nullable=False),
        sa.Column("series_id", sa.String(length=32), nullable=True),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("issue_date", sa.Date(), nullable=True),
        sa.Column("number_on", sa.String(length=16), nullable=False),
        sa.Column("dunning_state", sa.String(length=16), nullable=False),
        sa.Column("dunning_step", sa.Integer(), nullable=False),
        sa.Column("first_declined_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("exhausts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("collect_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "\"dunning_state\" IN ('none', 'retrying', 'awaiting_token', 'waiting_turn', 'exhausted')",
            name=op.f("ck_invoices_dunning_state_known"),
        ),
        sa.CheckConstraint("\"kind\" IN ('recurring', 'manual')", name=op.f("ck_invoices_kind_known")),
        sa.CheckConstraint(
            "\"payment_state\" IN ('none', 'pending', 'unknown', 'failed', 'succeeded')",
            name=op.f("ck_invoices_payment_state_known"),
        ),
        sa.CheckConstraint(
            "\"status\" IN ('draft', 'open', 'paid', 'void', 'uncollectible', 'discarded')",
            name=op.f("ck_invoices_status_known"),
        ),
        sa.CheckConstraint("(number IS NULL) = (series_id IS NULL)", name=op.f("ck_invoices_number_has_its_series")),
        sa.CheckConstraint("captured + credited_open <= total", name=op.f("ck_invoices_never_more_than_total")),
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
        sa.Column("credited_amount", sa.Integer(), nullable=False),
        sa.Column("credited_tax", sa.Integer(), nullable=False),
        sa.Column("credited_quantity", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "\"credit_rule\" IN ('time', 'quantity', 'none')", name=op.f("ck_invoice_lines_credit_rule_known")
        ),
        sa.CheckConstraint(
            "\"recognize\" IN ('time', 'dispatch', 'at_capture')", name=op.f("ck_invoice_lines_recognize_known")
        ),
        sa.CheckConstraint("credited_amount <= amount", name=op.f("ck_invoice_lines_credit_within_line")),
        sa.CheckConstraint("credited_quantity <= quantity", name=op.f("ck_invoice_lines_credit_within_quantity")),
        sa.CheckConstraint("credited_tax <= tax_amount", name=op.f("ck_invoice_lines_credit_within_tax")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_invoice_lines_invoice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_lines")),
        sa.UniqueConstraint("invoice_id", "position", name=op.f("uq_invoice_lines_invoice_id_position")),
    )
    op.create_table(
        "operations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.Uuid(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("provider_account", sa.String(), nullable=False),
        sa.Column("token_id", sa.Uuid(), nullable=True),
        sa.Column("purchase_id", sa.Uuid(), nullable=True),
        sa.Column("capture_id", sa.Uuid(), nullable=True),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("trigger", sa.String(length=16), nullable=False),
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
            "\"kind\" IN ('purchase', 'capture', 'void', 'refund', 'email_invoice')",
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
            "\"trigger\" IN ('renewal', 'dunning', 'customer', 'admin', 'new_token', 'follow_up', 'cancel')",
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
        "audit_reveals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
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
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column("credit_note_id", sa.Uuid(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["credit_note_id"], ["credit_notes.id"], name=op.f("fk_ledger_transactions_credit_note_id")
        ),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_ledger_transactions_invoice_id")),
        sa.ForeignKeyConstraint(["operation_id"], ["operations.id"], name=op.f("fk_ledger_transactions_operation_id")),
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
        "ledger_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.String(length=64), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
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
    with op.batch_alter_table("audit_reveals", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_reveals_token_id"))

    op.drop_table("audit_reveals")
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
    with op.batch_alter_table("credit_notes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_credit_notes_invoice_id"))

    op.drop_table("credit_notes")
    with op.batch_alter_table("invoices", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_invoices_subscription_id"))
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
    with op.batch_alter_table("periods", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_periods_cycle", sqlite_where=sa.text("kind = 'regular'"), postgresql_where=sa.text("kind = 'regular'")
        )

    op.drop_table("periods")
    op.drop_table("events")
    with op.batch_alter_table("subscriptions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_subscriptions_token_id"))
        batch_op.drop_index(
            "ix_subscriptions_due",
            sqlite_where=sa.text("next_period_at IS NOT NULL AND review_reason IS NULL AND hold IS NULL"),
            postgresql_where=sa.text("next_period_at IS NOT NULL AND review_reason IS NULL AND hold IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_subscriptions_customer_id"))

    op.drop_table("subscriptions")
    op.drop_table("price_items")
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_tokens_customer_id"))
        batch_op.drop_index("ix_tokens_blind_index")

    op.drop_table("tokens")
    op.drop_table("stored_answers")
    with op.batch_alter_table("prices", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_prices_plan_id"))

    op.drop_table("prices")
    op.drop_table("series")
    op.drop_table("runs")
    op.drop_table("provider_accounts")
    op.drop_table("plans")
    op.drop_table("installation")
    op.drop_table("customers")
    op.drop_table("api_keys")
