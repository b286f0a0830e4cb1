"""Never twice: restores, brakes, decisions of persons, nightly checks, a sealed audit log, orders that are watched.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

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
        "CREATE TRIGGER IF NOT EXISTS decisions_no_update BEFORE UPDATE ON decisions BEGIN SELECT RAISE(ABORT, 'decisions is written once: no update'); END",
        "CREATE TRIGGER IF NOT EXISTS decisions_no_delete BEFORE DELETE ON decisions BEGIN SELECT RAISE(ABORT, 'decisions is written once: no delete'); END",
        "CREATE TRIGGER IF NOT EXISTS audit_reveals_no_update BEFORE UPDATE ON audit_reveals BEGIN SELECT RAISE(ABORT, 'audit_reveals is written once: no update'); END",
        "CREATE TRIGGER IF NOT EXISTS audit_reveals_no_delete BEFORE DELETE ON audit_reveals BEGIN SELECT RAISE(ABORT, 'audit_reveals is written once: no delete'); END",
        "CREATE TRIGGER IF NOT EXISTS audit_blocks_no_update BEFORE UPDATE ON audit_blocks BEGIN SELECT RAISE(ABORT, 'audit_blocks is written once: no update'); END",
        "CREATE TRIGGER IF NOT EXISTS audit_blocks_no_delete BEFORE DELETE ON audit_blocks BEGIN SELECT RAISE(ABORT, 'audit_blocks is written once: no delete'); END",
        "CREATE TRIGGER IF NOT EXISTS audit_block_members_no_update BEFORE UPDATE ON audit_block_members BEGIN SELECT RAISE(ABORT, 'audit_block_members is written once: no update'); END",
        "CREATE TRIGGER IF NOT EXISTS audit_block_members_no_delete BEFORE DELETE ON audit_block_members BEGIN SELECT RAISE(ABORT, 'audit_block_members is written once: no delete'); END",
    ),
    "postgresql": (
        "CREATE OR REPLACE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '23001', MESSAGE = TG_TABLE_NAME || ' is written once: no ' || lower(TG_OP); END $$",
        "CREATE OR REPLACE TRIGGER ledger_transactions_no_rewriting BEFORE UPDATE OR DELETE ON ledger_transactions FOR EACH ROW EXECUTE FUNCTION refuse_rewriting()",
        "CREATE OR REPLACE TRIGGER ledger_entries_no_rewriting BEFORE UPDATE OR DELETE ON ledger_entries FOR EACH ROW EXECUTE FUNCTION refuse_rewriting()",
        "CREATE OR REPLACE TRIGGER ledger_blocks_no_rewriting BEFORE UPDATE OR DELETE ON ledger_blocks FOR EACH ROW EXECUTE FUNCTION refuse_rewriting()",
        "CREATE OR REPLACE TRIGGER ledger_block_members_no_rewriting BEFORE UPDATE OR DELETE ON ledger_block_members FOR EACH ROW EXECUTE FUNCTION refuse_rewriting()",
        "CREATE OR REPLACE TRIGGER decisions_no_rewriting BEFORE UPDATE OR DELETE ON decisions FOR EACH ROW EXECUTE FUNCTION refuse_rewriting()",
        "CREATE OR REPLACE TRIGGER audit_reveals_no_rewriting BEFORE UPDATE OR DELETE ON audit_reveals FOR EACH ROW EXECUTE FUNCTION refuse_rewriting()",
        "CREATE OR REPLACE TRIGGER audit_blocks_no_rewriting BEFORE UPDATE OR DELETE ON audit_blocks FOR EACH ROW EXECUTE FUNCTION refuse_rewriting()",
        "CREATE OR REPLACE TRIGGER audit_block_members_no_rewriting BEFORE UPDATE OR DELETE ON audit_block_members FOR EACH ROW EXECUTE FUNCTION refuse_rewriting()",
        "CREATE OR REPLACE TRIGGER ledger_transactions_no_emptying BEFORE TRUNCATE ON ledger_transactions FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()",
        "CREATE OR REPLACE TRIGGER ledger_entries_no_emptying BEFORE TRUNCATE ON ledger_entries FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()",
        "CREATE OR REPLACE TRIGGER ledger_blocks_no_emptying BEFORE TRUNCATE ON ledger_blocks FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()",
        "CREATE OR REPLACE TRIGGER ledger_block_members_no_emptying BEFORE TRUNCATE ON ledger_block_members FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()",
        "CREATE OR REPLACE TRIGGER decisions_no_emptying BEFORE TRUNCATE ON decisions FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()",
        "CREATE OR REPLACE TRIGGER audit_reveals_no_emptying BEFORE TRUNCATE ON audit_reveals FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()",
        "CREATE OR REPLACE TRIGGER audit_blocks_no_emptying BEFORE TRUNCATE ON audit_blocks FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()",
        "CREATE OR REPLACE TRIGGER audit_block_members_no_emptying BEFORE TRUNCATE ON audit_block_members FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()",
    ),
}
"""The ledger and the audit logs are written once: the database refuses every later change of them."""


def upgrade() -> None:
    # SQLite writes an added column onto the last line of a table; a rebuilt one reads like the models.
    rebuilt = "always" if op.get_bind().dialect.name == "sqlite" else "never"

    op.create_table(
        "audit_blocks",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reveals", sa.Integer(), nullable=False),
        sa.Column("previous_sha256", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("last_id", sa.Uuid(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(seq = 1) = (previous_sha256 = '0000000000000000000000000000000000000000000000000000000000000000')",
            name=op.f("ck_audit_blocks_only_the_first_has_none_before"),
        ),
        sa.CheckConstraint("seq >= 1 AND reveals >= 1", name=op.f("ck_audit_blocks_counts_from_one")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_blocks")),
        sa.UniqueConstraint("previous_sha256", name=op.f("uq_audit_blocks_previous_sha256")),
    )
    op.create_table(
        "brakes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("figures", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("engaged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_by", sa.String(length=200), nullable=True),
        sa.Column("released_because", sa.String(length=500), nullable=True),
        sa.Column("allowed_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "\"kind\" IN ('periods_at_once', 'run_total', 'decline_rate', 'customer_charges')",
            name=op.f("ck_brakes_kind_known"),
        ),
        sa.CheckConstraint(
            "(released_at IS NULL) = (released_by IS NULL)", name=op.f("ck_brakes_somebody_released_it")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_brakes")),
    )
    with op.batch_alter_table("brakes", schema=None) as batch_op:
        batch_op.create_index(
            "ix_brakes_engaged",
            ["kind", "subject"],
            unique=True,
            sqlite_where=sa.text("released_at IS NULL"),
            postgresql_where=sa.text("released_at IS NULL"),
        )
        batch_op.create_index("ix_brakes_subject", ["subject"], unique=False)

    op.create_table(
        "restores",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lost_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lost_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("export_sha256", sa.String(length=64), nullable=True),
        sa.Column("export_rows", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("lost_from < lost_until", name=op.f("ck_restores_lost_a_while")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_restores")),
    )
    op.create_table(
        "verifications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("breaches", sa.Integer(), nullable=False),
        sa.Column("results", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.CheckConstraint("breaches >= 0", name=op.f("ck_verifications_breaches_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verifications")),
    )
    op.create_table(
        "decisions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("verb", sa.String(length=32), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("details", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["operation_id"], ["operations.id"], name=op.f("fk_decisions_operation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
    )
    with op.batch_alter_table("decisions", schema=None) as batch_op:
        batch_op.create_index("ix_decisions_operation", ["operation_id"], unique=False)
        batch_op.create_index("ix_decisions_subject", ["subject"], unique=False)

    op.create_table(
        "restored_records",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("restore_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("provider_account", sa.String(length=64), nullable=False),
        sa.Column("provider_id", sa.String(length=255), nullable=False),
        sa.Column("order_id", sa.String(length=255), nullable=True),
        sa.Column("reference1", sa.String(length=255), nullable=True),
        sa.Column("reference2", sa.String(length=255), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "\"kind\" IN ('purchase', 'capture', 'refund', 'void')", name=op.f("ck_restored_records_kind_known")
        ),
        sa.ForeignKeyConstraint(["operation_id"], ["operations.id"], name=op.f("fk_restored_records_operation_id")),
        sa.ForeignKeyConstraint(
            ["provider_account"], ["provider_accounts.name"], name=op.f("fk_restored_records_provider_account")
        ),
        sa.ForeignKeyConstraint(["restore_id"], ["restores.id"], name=op.f("fk_restored_records_restore_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_restored_records")),
        sa.UniqueConstraint(
            "restore_id",
            "provider_account",
            "kind",
            "provider_id",
            name=op.f("uq_restored_records_restore_id_provider_account_kind_provider_id"),
        ),
    )
    with op.batch_alter_table("restored_records", schema=None) as batch_op:
        batch_op.create_index("ix_restored_records_reference1", ["reference1"], unique=False)
        batch_op.create_index("ix_restored_records_reference2", ["reference2"], unique=False)

    op.create_table(
        "audit_block_members",
        sa.Column("reveal_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["reveal_id"], ["audit_reveals.id"], name=op.f("fk_audit_block_members_reveal_id")),
        sa.ForeignKeyConstraint(["seq"], ["audit_blocks.seq"], name=op.f("fk_audit_block_members_seq")),
        sa.PrimaryKeyConstraint("reveal_id", name=op.f("pk_audit_block_members")),
    )
    with op.batch_alter_table("audit_block_members", schema=None) as batch_op:
        batch_op.create_index("ix_audit_block_members_block", ["seq"], unique=False)

    with op.batch_alter_table("events", schema=None, recreate=rebuilt) as batch_op:
        batch_op.alter_column("subscription_id", existing_type=sa.CHAR(length=32), nullable=True)
        batch_op.alter_column("seq", existing_type=sa.INTEGER(), nullable=True)
        batch_op.create_check_constraint(
            op.f("ck_events_counted_per_subscription"), sa.text("(subscription_id IS NULL) = (seq IS NULL)")
        )

    with op.batch_alter_table("installation", schema=None, recreate=rebuilt) as batch_op:
        batch_op.add_column(sa.Column("instance", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("mark", sa.BigInteger(), server_default="0", nullable=False))

    with op.batch_alter_table("operations", schema=None, recreate=rebuilt) as batch_op:
        batch_op.add_column(sa.Column("look_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index(
            "ix_operations_look",
            ["look_at"],
            unique=False,
            sqlite_where=sa.text("look_at IS NOT NULL"),
            postgresql_where=sa.text("look_at IS NOT NULL"),
        )

    with op.batch_alter_table("runs", schema=None, recreate=rebuilt) as batch_op:
        batch_op.add_column(sa.Column("halted_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("halted_reason", sa.String(length=500), nullable=True))
        batch_op.add_column(
            sa.Column(
                "forecast",
                sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
                server_default="{}",
                nullable=False,
            )
        )

    with op.batch_alter_table("installation", schema=None, recreate=rebuilt) as batch_op:
        batch_op.alter_column("mark", server_default=None)

    with op.batch_alter_table("runs", schema=None, recreate=rebuilt) as batch_op:
        batch_op.alter_column("forecast", server_default=None)

    for statement in _APPEND_ONLY[op.get_bind().dialect.name]:
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    raise NotImplementedError("books are not taken back: restore the backup that was made before")
