"""Each sentence of each invariant broken once, by raw SQL in an otherwise good database: that invariant alone fails."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from verify.breaking import unguarded
from verify.scene import Lived, checked, only

A_NEW_ID = "'0190000000007000800000000000000a'"
LONG_AGO = "'2028-03-01 00:00:00.000000'"


@dataclass(frozen=True)
class Breach:
    """Statements that break one sentence of an invariant, one after the other. `indexes` stand in their way."""

    invariant: str
    sentence: str
    statements: Sequence[str]
    indexes: tuple[str, ...] = ()


def breach(invariant: str, sentence: str, *statements: str, indexes: tuple[str, ...] = ()) -> object:
    return pytest.param(Breach(invariant, sentence, statements, indexes), id=f"{invariant}-{sentence[:40]}")


def one(table: str, where: str) -> str:
    """The first such row of a table, as a condition."""
    return f"id = (SELECT id FROM {table} WHERE {where} ORDER BY id LIMIT 1)"


CAPTURED = one("operations", "kind = 'capture' AND status = 'succeeded'")
PURCHASED = one("operations", "kind = 'purchase' AND \"authorization\" = 'captured'")
PAID = one("invoices", "status = 'paid' AND captured > 0 AND credited = 0")
ACTIVE = one("subscriptions", "status = 'active' AND next_period_at > '2028-04-05'")
REGULAR = one("periods", "kind = 'regular' AND seq = 2 AND anchor_no = 0")
UNKNOWN = one("operations", "status = 'unknown'")

BREACHES = [
    breach(
        "I2",
        "a period that was opened to be billed",
        f"UPDATE invoices SET kind = 'change' WHERE {PAID}",
    ),
    breach(
        "I2",
        "a period that is not billed says why",
        f"UPDATE periods SET kind = 'withheld', reason = NULL WHERE {REGULAR}",
    ),
    breach(
        "I2",
        "a period that is not billed says why",
        f"UPDATE periods SET kind = 'forgiven', reason = 'an outage', decided_by = NULL WHERE {REGULAR}",
    ),
    breach(
        "I2",
        "is looked at when its next period opens",
        f"UPDATE subscriptions SET due_at = NULL WHERE {ACTIVE}",
    ),
    breach(
        "I2",
        "still has a next period, or is with a person",
        f"UPDATE subscriptions SET next_period_at = NULL, due_at = NULL WHERE {ACTIVE}",
    ),
    breach(
        "I2",
        "an open invoice whose hour of collection has come",
        "UPDATE operations SET status = 'dropped', standing = 'dead', dead_because = 'lost', next_check_at = NULL,"
        f" settled_at = created_at WHERE {UNKNOWN}",
    ),
    breach(
        "I2",
        "dunning ends on its day",
        f"UPDATE invoices SET exhausts_at = {LONG_AGO} WHERE status = 'open'",
    ),
    breach(
        "I2",
        "a charge is sent when it is due",
        f"UPDATE operations SET status = 'planned', due_at = {LONG_AGO}, sent_at = NULL, sends = 0,"
        f" next_check_at = NULL, lease_until = NULL WHERE {UNKNOWN}",
    ),
    breach(
        "I3",
        "one order, capture or refund at the provider is one row here",
        f"UPDATE operations SET provider_id = (SELECT provider_id FROM operations WHERE {CAPTURED})"
        " WHERE id = (SELECT id FROM operations WHERE kind = 'capture' AND status = 'succeeded'"
        " ORDER BY id DESC LIMIT 1)",
        indexes=("ix_operations_provider_id",),
    ),
    breach(
        "I3",
        "a purchase that succeeded names the provider's order",
        f"UPDATE operations SET provider_id = NULL WHERE {PURCHASED}",
    ),
    breach(
        "I3",
        "a capture or refund that succeeded is booked once",
        "UPDATE ledger_transactions SET kind = 'recovery' WHERE"
        f" {one('ledger_transactions', 'kind = ' + repr('capture'))}",
        "DELETE FROM ledger_block_members",
        "DELETE FROM ledger_blocks",
    ),
    breach(
        "I3",
        "money is booked as taken or given back only where",
        "UPDATE ledger_transactions SET kind = 'capture' WHERE"
        f" {one('ledger_transactions', 'kind = ' + repr('opening'))}",
        "DELETE FROM ledger_block_members",
        "DELETE FROM ledger_blocks",
    ),
    breach(
        "I4",
        "is asked about within two ticks",
        f"UPDATE operations SET next_check_at = {LONG_AGO} WHERE {UNKNOWN}",
    ),
    breach(
        "I4",
        "is asked about within two ticks",
        f"UPDATE operations SET next_check_at = NULL WHERE {UNKNOWN}",
    ),
    breach(
        "I5",
        "an earlier purchase of an invoice is dead",
        "UPDATE operations SET dead_because = NULL WHERE kind = 'purchase' AND status = 'declined'",
    ),
    breach(
        "I5",
        "a purchase that is dead can take no money",
        f"UPDATE operations SET standing = 'dead', dead_because = 'nobody asked' WHERE {PURCHASED}",
    ),
    breach(
        "I5",
        "counted 1, 2, 3",
        f"UPDATE operations SET n = 3 WHERE {PURCHASED}",
    ),
    breach("I6", "captured + balance + outside", f"UPDATE invoices SET carried = 1 WHERE {PAID}"),
    breach(
        "I6",
        "paid if and only if nothing is due",
        f"UPDATE invoices SET status = 'uncollectible', closed_at = paid_at WHERE {PAID}",
    ),
    breach(
        "I6", "`captured` of an invoice", f"UPDATE invoices SET captured = captured - 1, balance_used = 1 WHERE {PAID}"
    ),
    breach("I6", "`refunded` of an invoice", f"UPDATE invoices SET refunded = 1 WHERE {PAID}"),
    breach(
        "I6", "`total` of an invoice", f"UPDATE invoices SET total = total + 1, captured = captured + 1 WHERE {PAID}"
    ),
    breach("I6", "`tax_total` of an invoice", f"UPDATE invoices SET tax_total = tax_total + 1 WHERE {PAID}"),
    breach("I6", "`credited` of an invoice", f"UPDATE invoices SET credited = 7 WHERE {PAID}"),
    breach("I6", "`disputed` of an invoice", f"UPDATE invoices SET disputed = 1 WHERE {PAID}"),
    breach("I6", "no more is refunded or lost", f"UPDATE invoices SET disputed = captured + 1 WHERE {PAID}"),
    breach(
        "I6", "no more is captured than was authorized", f"UPDATE operations SET amount = amount - 1 WHERE {PURCHASED}"
    ),
    breach(
        "I6",
        "no more is credited, adjusted or captured of a line",
        "UPDATE invoice_lines SET credited_amount = amount + 1 WHERE"
        f" {one('invoice_lines', 'credited_amount = 0 AND amount > 0')}",
    ),
    breach(
        "I6",
        "what is credited of a line is what its credit notes say",
        "UPDATE invoice_lines SET credited_tax = 1"
        f" WHERE {one('invoice_lines', 'credited_amount = 0 AND tax_amount > 1')}",
    ),
    breach(
        "I6",
        "a credit note is the sum of its lines",
        "UPDATE credit_notes SET effect_refund = effect_refund - 1, effect_balance = effect_balance + 2",
    ),
    breach(
        "I7",
        "each ledger transaction sums to zero",
        "UPDATE ledger_entries SET amount = amount + 1 WHERE"
        f" {one('ledger_entries', 'account = ' + repr('deferred_revenue'))}",
        "DELETE FROM ledger_block_members",
        "DELETE FROM ledger_blocks",
    ),
    breach(
        "I7",
        "every sealed block of the ledger has the hash",
        f"UPDATE ledger_entries SET detail = 'x' WHERE {one('ledger_entries', 'amount > 0')}",
    ),
    breach("I7", "every sealed block of the ledger has the hash", "UPDATE ledger_blocks SET sha256 = previous_sha256"),
    breach(
        "I7",
        "every sealed block of the ledger has the hash",
        "DELETE FROM ledger_block_members WHERE transaction_id = (SELECT transaction_id FROM ledger_block_members"
        " ORDER BY transaction_id LIMIT 1)",
    ),
    breach(
        "I7",
        "lies in no block a day after",
        f"INSERT INTO ledger_transactions (id, kind, currency, at) VALUES ({A_NEW_ID}, 'payout', 'SEK', {LONG_AGO})",
        "INSERT INTO ledger_entries (id, transaction_id, position, account, detail, amount, currency) VALUES"
        f" ({A_NEW_ID}, {A_NEW_ID}, 1, 'bank', '', 5, 'SEK'), ('0190000000007000800000000000000c', {A_NEW_ID}, 2,"
        " 'provider_clearing', '', -5, 'SEK')",
    ),
    breach(
        "I8",
        "the numbers of invoices are 1 to n",
        "UPDATE invoices SET number = number + 1 WHERE number = (SELECT MAX(number) FROM invoices)",
        "UPDATE series SET next = next + 1 WHERE id = 'invoice'",
    ),
    breach("I8", "the dates of invoices never run", "UPDATE invoices SET issue_date = '2027-01-01' WHERE number = 2"),
    breach("I8", "the series of invoices goes on", "UPDATE series SET next = next + 1 WHERE id = 'invoice'"),
    breach("I8", "the series of credit_notes goes on", "UPDATE series SET next = 1 WHERE id = 'credit_note'"),
    breach(
        "I9",
        "have their invoice's currency",
        f"UPDATE operations SET currency = 'EUR' WHERE {one('operations', 'kind = ' + repr('extend') + ' OR 1 = 1')}",
    ),
    breach("I9", "the currencies of prices", f"UPDATE prices SET currency = 'XTS' WHERE {one('prices', '1 = 1')}"),
    breach(
        "I10",
        "each begins where the one before ends",
        f"UPDATE subscriptions SET next_seq = next_seq + 1 WHERE {ACTIVE}",
    ),
    breach(
        "I10",
        "where the calendar says",
        f"UPDATE periods SET start_date = '2028-02-28' WHERE {REGULAR}",
    ),
    breach(
        "I10",
        "where the calendar says",
        f"UPDATE periods SET end_date = '2028-03-30' WHERE {REGULAR}",
    ),
    breach(
        "I11",
        "every status of subscriptions",
        f"UPDATE subscriptions SET status = 'asleep', ended_at = NULL WHERE status = 'x' OR {ACTIVE}",
    ),
    breach(
        "I11", "an ended subscription says when", "UPDATE subscriptions SET end_reason = NULL WHERE status = 'ended'"
    ),
    breach("I11", "an ended subscription says when", f"UPDATE subscriptions SET ended_at = created_at WHERE {ACTIVE}"),
    breach(
        "I11",
        "a subscription ends once",
        "UPDATE events SET type = 'subscription.reviewed' WHERE type = 'subscription.ended'",
    ),
    breach("I11", "a paid invoice says when", f"UPDATE invoices SET paid_at = NULL WHERE {PAID}"),
    breach("I11", "no dunning goes on for a paid one", f"UPDATE invoices SET dunning_state = 'retrying' WHERE {PAID}"),
    breach("I11", "a call that came to its end says when", f"UPDATE operations SET settled_at = NULL WHERE {CAPTURED}"),
    breach("I11", "what may be happening was frozen", f"UPDATE operations SET request = NULL WHERE {UNKNOWN}"),
    breach(
        "I11",
        "only a purchase has an authorization",
        f"UPDATE operations SET \"authorization\" = 'voided' WHERE {CAPTURED}",
    ),
    breach("I11", "holds what is left of it", f"UPDATE operations SET remaining = 1 WHERE {PURCHASED}"),
    breach(
        "I11",
        "by nobody's word",
        f"DELETE FROM observations WHERE operation_id = (SELECT id FROM operations WHERE {CAPTURED})",
    ),
    breach(
        "I14",
        "counted 1, 2, 3",
        f"DELETE FROM events WHERE {one('events', 'seq = 2')}",
    ),
    breach(
        "I18",
        "was sent without its audit row",
        f"DELETE FROM audit_reveals WHERE operation_id = (SELECT id FROM operations WHERE {PURCHASED})",
    ),
    breach(
        "I18",
        "a token is opened once for a claimed operation",
        f"UPDATE audit_reveals SET epoch = 9 WHERE {one('audit_reveals', 'operation_id IS NOT NULL')}",
    ),
    breach("I19", "under a key that is there", f"UPDATE tokens SET kek_id = 'ffff' WHERE {one('tokens', '1 = 1')}"),
    breach("I19", "under a key that is there", f"UPDATE tokens SET status = 'erased' WHERE {one('tokens', '1 = 1')}"),
]


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_is_found_and_nothing_else(shop: Lived, breach: Breach) -> None:
    with unguarded(shop, *breach.indexes) as execute:
        for statement in breach.statements:
            assert execute(statement).rowcount, f"nothing was broken by {statement}"
    found = only(checked(shop), breach.invariant)
    assert any(breach.sentence in sentence for sentence in found), found
