"""Our books and the provider's side by side: what must be true of them however the way there was."""

from collections import Counter
from typing import Any

from installed import Installed
from sqlmodel import select

from billing.domain.ids import Prefix, shown
from billing.store.audit import Reveal
from billing.store.engine import Database
from billing.store.invoices import Invoice
from billing.store.ledger import LedgerEntry, LedgerTransaction
from billing.store.operations import Operation
from billing.store.periods import PeriodRow
from billing.store.subscriptions import Subscription


class BothBooks:
    """What the two sides hold now, read once."""

    def __init__(self, installed: Installed) -> None:
        with installed.database() as database:
            self.subscriptions = _rows(database, Subscription)
            self.periods = _rows(database, PeriodRow)
            self.invoices = _rows(database, Invoice)
            self.operations = _rows(database, Operation)
            self.reveals = _rows(database, Reveal)
            self.entries = _rows(database, LedgerEntry)
            self.transactions = _rows(database, LedgerTransaction)
        tokens, sandbox = installed.tokens, installed.sandbox
        self.orders = [row for row in sandbox.rows("SELECT * FROM orders") if row["token_id"] in tokens]
        mine = {order["order_id"] for order in self.orders}
        self.captures, self.refunds = (
            [row for row in sandbox.rows(f"SELECT * FROM {table}") if row["order_id"] in mine]
            for table in ("captures", "refunds")
        )

    def of_kind(self, kind: str) -> list[Operation]:
        return [op for op in self.operations if op.kind == kind]

    def assert_agree(self) -> None:
        """Everything is done, once, on both sides, with the same amounts under the same references."""
        self.assert_nothing_is_open()
        self.assert_one_order_per_invoice()
        self.assert_one_period_each()
        self.assert_movements_agree("capture", self.captures)
        self.assert_movements_agree("refund", self.refunds)
        self.assert_ledger_balances()

    def assert_nothing_is_open(self) -> None:
        assert {op.status for op in self.operations} == {"succeeded"}
        assert {(i.status, i.captured - i.total) for i in self.invoices} == {("paid", 0)}
        assert sorted(i.number for i in self.invoices if i.number) == list(range(1, len(self.invoices) + 1))
        for op in self.operations:
            assert (op.lease_owner, op.next_check_at, op.claims) == (None, None, 0)

    def assert_one_order_per_invoice(self) -> None:
        claimed = {shown(Prefix.INVOICE, invoice.id): invoice.total for invoice in self.invoices}
        assert sorted(order["merchant_reference1"] for order in self.orders) == sorted(claimed)
        assert {o["merchant_reference1"]: o["order_amount"] for o in self.orders} == claimed
        live = [op for op in self.of_kind("purchase") if op.standing == "live"]
        assert sorted(op.invoice_id for op in live) == sorted(invoice.id for invoice in self.invoices)
        assert {o["order_id"]: o["merchant_reference2"] for o in self.orders} == {
            op.provider_id: op.merchant_reference for op in live
        }
        revealed = {reveal.operation_id for reveal in self.reveals}
        assert {op.id for op in live} <= revealed

    def assert_one_period_each(self) -> None:
        assert Counter(p.subscription_id for p in self.periods) == Counter(s.id for s in self.subscriptions)
        assert sorted(p.id for p in self.periods) == sorted(i.period_id for i in self.invoices if i.period_id)

    def assert_movements_agree(self, kind: str, movements: list[dict[str, Any]]) -> None:
        ours = sorted((op.merchant_reference or "", op.amount, op.provider_id) for op in self.of_kind(kind))
        assert sorted((m["reference"], m["amount"], m[f"{kind}_id"]) for m in movements) == ours

    def assert_ledger_balances(self) -> None:
        sums: Counter[Any] = Counter()
        for entry in self.entries:
            sums[entry.transaction_id, entry.currency] += entry.amount
        assert set(sums.values()) == {0}
        assert {key for key, _ in sums} == {transaction.id for transaction in self.transactions}
        # Revenue is released over time; how often is another promise.
        booked = Counter(transaction.kind for transaction in self.transactions if transaction.kind != "revenue")
        count, refunds = len(self.invoices), len(self.of_kind("refund"))
        assert booked == +Counter(opening=count, capture=count, credit_note=refunds, refund=refunds)
        clearing = sum(entry.amount for entry in self.entries if entry.account == "provider_clearing")
        assert clearing == sum(c["amount"] for c in self.captures) - sum(r["amount"] for r in self.refunds)


def _rows(database: Database, model: type) -> list[Any]:
    with database.tx() as session:
        return list(session.exec(select(model)).all())
