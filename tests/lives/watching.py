"""What is watched from step to step: the provider's memory, and what was final before stays so.

The provider is the fake one: `effects` is what it did, `calls` what it was asked.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from fakes.gateway import FakeGateway
from sqlalchemy import text
from sqlmodel import Session, select

from billing.domain.operations import OperationKind
from billing.store.operations import Operation
from billing.use_cases.seal_ledger import check_seals

_OURS = ("purchase", "capture", "refund")
_MAY_BE_DONE = ("sending", "unknown", "succeeded", "needs_operator")
_GIVEN_UP = ("voided", "released", "expired", "rejected")
_FINAL = {
    "subscriptions": "status = 'ended'",
    "invoices": "status IN ('paid', 'void', 'discarded')",
    # A purchase under review has succeeded as a call; what was reviewed too long goes to a person all the same.
    "operations": "status IN ('succeeded', 'declined', 'dropped') AND \"authorization\" <> 'pending_review'",
    "disputes": "status IN ('won', 'lost')",
}
_WRITTEN_ONCE = (
    "SELECT id, transaction_id, position, account, detail, amount, currency FROM ledger_entries",
    "SELECT id, kind, invoice_id, currency, at FROM ledger_transactions",
    "SELECT id, amount, currency, reason FROM balance_entries",
    "SELECT id, number, total, tax_total, issue_date FROM credit_notes",
    "SELECT id, number, issue_date, total FROM invoices WHERE number IS NOT NULL",
    "SELECT id, operation_id, outcome FROM observations",
    "SELECT id, seq, type FROM events",
    "SELECT id, starts_at, seq, kind, price_id FROM periods",
    "SELECT id, dead_because FROM operations WHERE standing = 'dead'",
    "SELECT id, request_sha256, amount FROM operations WHERE status = 'declined'",
)


def the_provider_did_what_we_know(session: Session, gateway: FakeGateway) -> None:
    """I3: every effect has its one operation, with equal amount, currency and reference, that may have happened."""
    rows = {row.key: row for row in session.exec(select(Operation)) if row.key is not None}
    for call in gateway.effects:
        row = rows.get(call.key)
        assert row is not None, f"the provider did a {call.kind} that no operation asked for"
        ours = (row.kind, row.amount, row.currency, row.merchant_reference)
        assert ours == (call.kind, call.amount, call.currency, call.merchant_reference), f"not what was sent: {row}"
        assert row.status in _MAY_BE_DONE, f"the provider did a {row.kind} that we hold for {row.status}"
        assert row.standing != "dead" or row.authorization in _GIVEN_UP, f"dead, but done: {row}"


def we_know_what_the_provider_did(session: Session, gateway: FakeGateway) -> None:
    """I3, the reverse: what we hold for done happened, once."""
    done = [call.key for call in gateway.effects]
    assert len(done) == len(set(done)), "the provider did something twice under one key"
    for row in session.exec(select(Operation).where(Operation.status == "succeeded", Operation.origin == "ours")):
        assert row.kind not in _OURS or row.key in set(done), f"we hold a {row.kind} for done that never happened"


def the_customer_paid_once(session: Session, gateway: FakeGateway) -> None:
    """I1 and I6 in the provider's own figures: what it took less what it gave back is never above the invoice."""
    taken: dict[UUID, int] = {}
    invoices = dict(session.execute(select(Operation.key, Operation.invoice_id)).all())
    for call in gateway.effects:
        sign = {OperationKind.CAPTURE: 1, OperationKind.REFUND: -1}.get(call.kind, 0)
        if sign and (invoice_id := invoices.get(call.key)) is not None:
            taken[invoice_id] = taken.get(invoice_id, 0) + sign * call.amount
    totals = {str(row[0]).replace("-", ""): row[1] for row in session.execute(text("SELECT id, total FROM invoices"))}
    for invoice_id, amount in taken.items():
        assert 0 <= amount <= totals[invoice_id.hex], f"{amount} taken for an invoice of {totals[invoice_id.hex]}"


def every_opened_token_was_written_down(session: Session, gateway: FakeGateway) -> None:
    """I18: at least one audit row for each call that carried a token."""
    written = session.execute(text("SELECT COUNT(*) FROM audit_reveals WHERE purpose <> 'check'")).scalar_one()
    carried = sum(1 for call in gateway.calls if call.token is not None)
    assert carried <= written, f"{carried} calls carried a token, {written} were written down"


@dataclass
class Memory:
    """What earlier looks have seen."""

    final: dict[tuple[str, str], str] = field(default_factory=dict)
    written: dict[tuple[int, str], tuple[str, ...]] = field(default_factory=dict)
    closed: dict[UUID, str] = field(default_factory=dict)
    """Subscriptions that let nothing be charged, at the last look: why."""
    calls_seen: int = 0
    keys_seen: set[UUID] = field(default_factory=set)

    def look(self, session: Session, gateway: FakeGateway) -> None:
        """Compare with the last look and remember this one."""
        self._final_stays_final(session)
        self._written_once(session)
        self._gate_was_kept(session, gateway)

    def _final_stays_final(self, session: Session) -> None:
        """I11."""
        for table, final in _FINAL.items():
            rows = session.execute(text(f"SELECT id, status FROM {table} WHERE {final}"))
            now = {(table, str(row[0])): str(row[1]) for row in rows}
            for key, before in self.final.items():
                assert key[0] != table or now.get(key) == before, f"{key} was {before} for good, and is no more"
            self.final.update(now)

    def _written_once(self, session: Session) -> None:
        """I7, and what else is never changed or taken away."""
        now: dict[tuple[int, str], tuple[str, ...]] = {}
        for number, sql in enumerate(_WRITTEN_ONCE):
            now.update({(number, str(row[0])): tuple(map(str, row)) for row in session.execute(text(sql))})
        for key, before in self.written.items():
            assert now.get(key) == before, f"written once, and changed: {before} is now {now.get(key)}"
        self.written = now

    def _gate_was_kept(self, session: Session, gateway: FakeGateway) -> None:
        """I12: no first send for a subscription that was closed before this step and still is."""
        closed = {UUID(str(row[0])): str(row[1]) for row in session.execute(text(_CLOSED))}
        owners = dict(session.execute(select(Operation.id, Operation.subscription_id)).all())
        for call in gateway.calls[self.calls_seen :]:
            owner = owners.get(call.operation_id)
            first = call.key not in self.keys_seen
            self.keys_seen.add(call.key)
            if call.kind is OperationKind.PURCHASE and first and owner in self.closed and owner in closed:
                raise AssertionError(f"charged though the subscription was {self.closed[owner]}")
        self.calls_seen, self.closed = len(gateway.calls), closed


_CLOSED = (
    "SELECT id, status FROM subscriptions WHERE status IN ('ended', 'paused')"
    " UNION ALL SELECT id, 'under review' FROM subscriptions"
    " WHERE review_reason IS NOT NULL AND status NOT IN ('ended', 'paused')"
)


def seals_hold(database: object, now: datetime) -> None:
    """I7: no block of the chain is broken."""
    found = check_seals(database, now)
    assert not found.broken, f"blocks {found.broken} of the ledger's chain are broken"


PROVIDER = (
    the_provider_did_what_we_know,
    we_know_what_the_provider_did,
    the_customer_paid_once,
    every_opened_token_was_written_down,
)
