"""Which databases this checker knows: the schema's version as migrations left it, the tables and columns it reads."""

from collections.abc import Mapping

from billing.verify.reading import NotVerifiable, Snapshot

VERSIONS = ("0002", "0003")
"""Schema versions whose tables this checker reads; an earlier one is brought up by `billing migrate`."""

_NEEDED: Mapping[str, str] = {
    "audit_reveals": "id operation_id epoch token_id purpose worker at",
    "credit_note_lines": "credit_note_id line_id amount tax_amount",
    "credit_notes": "id invoice_id currency total tax_total effect_open effect_balance effect_refund series_id number"
    " issue_date",
    "customers": "id dunning_paused_at",
    "discounts": "subscription_id",
    "disputes": "id invoice_id status amount closed_at",
    "events": "id subscription_id seq type at",
    "installation": "id",
    "invoice_lines": "id invoice_id amount tax_amount quantity credited_amount credited_tax credited_quantity"
    " adjusted_amount adjusted_tax captured_amount captured_quantity",
    "invoices": "id kind subscription_id period_id customer_id provider_account currency status payment_state total"
    " tax_total captured credited credited_open credited_balance balance_used paid_outside carried disputed refunded"
    " series_id number issue_date dunning_state exhausts_at held_because collect_at opened_at paid_at closed_at",
    "ledger_block_members": "transaction_id seq",
    "ledger_blocks": "seq transactions previous_sha256 sha256 sealed_at",
    "ledger_entries": "id transaction_id position account detail amount currency",
    "ledger_transactions": "id kind invoice_id operation_id credit_note_id payout_id currency at booked_on",
    "observations": "operation_id outcome settled",
    "operations": "id kind subject n invoice_id subscription_id provider_account token_id purchase_id capture_id amount"
    " currency origin status authorization standing dead_because remaining due_at lease_until epoch sends sent_at"
    " next_check_at key merchant_reference request provider_id settled_at trigger expires_at",
    "outside_payments": "invoice_id amount",
    "periods": "id subscription_id seq anchor_no cycle_index kind start_date end_date starts_at ends_at"
    " original_ends_at price_id zone tzdata_version reason decided_by",
    "plans": "id zero_invoices capture",
    "price_items": "price_id unit_amount once",
    "prices": "id plan_id phases interval interval_count month_end",
    "provider_account_paces": "name breaker paced_until",
    "provider_accounts": "name generation halted_at",
    "series": "id next last_date",
    "subscriptions": "id customer_id provider_account status token_id zone anchor_no anchor_date anchor_day month_end"
    " interval interval_count next_seq next_period_at due_at not_before review_reason hold gate_expires_at cancel_at"
    " paused_at pause_mode ended_at end_reason cycles_done term_cycles event_seq quantities starts_at",
    "tokens": "id status sealed kek_id blind_index",
}


def known_version(snapshot: Snapshot) -> str:
    """The schema's version. Raises `NotVerifiable` for an empty, a foreign, an unknown and a half-migrated database."""
    columns = snapshot.columns
    if not columns:
        raise NotVerifiable("this database is empty: it has no tables; `billing migrate` makes them")
    if "alembic_version" not in columns:
        raise NotVerifiable(
            f"this is another program's database: it has {len(columns)} tables and none says its schema version"
        )
    versions = [str(row[0]) for row in snapshot.rows("SELECT version_num FROM alembic_version")]
    if len(versions) != 1:
        raise NotVerifiable(
            f"this database is half migrated: it names {len(versions)} schema versions; run `billing migrate`"
        )
    if versions[0] not in VERSIONS:
        raise NotVerifiable(
            f"schema version {versions[0]!r} is not known here; this checker reads {' and '.join(VERSIONS)}:"
            " migrate an older database, or use the checker that came with a newer one"
        )
    _check_complete(columns, versions[0])
    return versions[0]


def _check_complete(columns: Mapping[str, frozenset[str]], version: str) -> None:
    missing = sorted(
        table if table not in columns else f"{table}.{column}"
        for table, wanted in _NEEDED.items()
        for column in (wanted.split() if table in columns else [table])
        if table not in columns or column not in columns[table]
    )
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise NotVerifiable(
            f"this database is half migrated: it says version {version} and lacks {', '.join(missing[:5])}{more}"
        )
