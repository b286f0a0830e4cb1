"""What customers and operators do in these lives: one rule a verb, on top of time and the provider's moods."""

from collections.abc import Callable
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from lives.machine import FEW, SHARES, Lives

from billing.domain.credits import GiveAs
from billing.domain.money import Money
from billing.store.invoices import CreditNote
from billing.store.payments import Dispute, DisputeStatus
from billing.use_cases.adjust_balance import adjust_balance
from billing.use_cases.cancel import CancelAt, CancelRequest, cancel, preview_cancel
from billing.use_cases.capture import capture
from billing.use_cases.credit_invoice import CreditBy, NewCredit, credit_invoice, preview_credit
from billing.use_cases.dispute import NewDispute, close_dispute, open_dispute
from billing.use_cases.ending import CreditPolicy
from billing.use_cases.issue_invoice import issue_invoice
from billing.use_cases.pause_dunning import pause_dunning, resume_dunning
from billing.use_cases.record_payment import NewPayment, record_payment
from billing.use_cases.refund import NewRefund, refund
from billing.use_cases.replace_token import replace_token
from billing.use_cases.resolve_credit import ResolveAs, resolve_credit
from billing.use_cases.revoke import revoke
from billing.use_cases.void_invoice import void_invoice
from billing.use_cases.write_off import relieve_vat, write_off

MIDDLES = st.sampled_from(["claim.committed", "reveal.committed", "gate.committed", "call.answered"])
_HAS_INVOICE = precondition(lambda self: bool(self.life.invoices()))


class Acts(Lives):
    """Verbs on subscriptions, invoices and credit notes."""

    @rule(who=FEW, at=st.sampled_from(CancelAt), credit=st.sampled_from([None, *CreditPolicy]))
    def cancel(self, who: int, at: CancelAt, credit: CreditPolicy | None) -> None:
        life, id_ = self.life, self.a_subscription(who).id
        ends_at = life.now + timedelta(days=5) if at is CancelAt.DATE else None
        request = CancelRequest(at, credit, ends_at=ends_at)
        shown = life.look(preview_cancel, life.database, life.now, id_, request)
        done = life.act(cancel, life.database, life.ids, life.now, id_, request)
        assert (shown is None) == (done is None), "preview and cancel do not agree whether it can be done"
        if done is not None:
            assert shown.money == done.money, "not what the preview showed"
            assert shown.effective_at == done.effective_at, "not when the preview showed"

    @rule(who=FEW)
    def new_token(self, who: int) -> None:
        subscription = self.a_subscription(who)
        token_id = self.life.token(subscription.customer_id)
        self.life.act(replace_token, self.life.database, self.life.ids, self.life.now, subscription.id, token_id)

    @rule(step=MIDDLES, what=st.sampled_from(["cancel", "token", "credit", "pay"]), which=FEW)
    def meanwhile(self, step: str, what: str, which: int) -> None:
        """In the middle of the next pass somebody else does this: the gate decides between it and a charge."""
        acts: dict[str, Callable[[], None]] = {
            "cancel": lambda: self.cancel(which, CancelAt.NOW, None),
            "token": lambda: self.new_token(which),
            "credit": lambda: self.credit(which, CreditBy.AMOUNT, GiveAs.BALANCE, 33),
            "pay": lambda: self.pay_outside(which, 50, f"bank-{step}"),
        }
        if self.life.invoices() or what in ("cancel", "token"):
            self.life.meanwhile(step, acts[what])
            self.go_to_what_is_due(1)

    @rule(who=FEW)
    def revoke_token(self, who: int) -> None:
        token_id = self.a_subscription(who).token_id
        if token_id is not None:
            self.life.act(revoke, self.life.database, self.life.ids, self.life.now, token_id)

    @rule(who=FEW, goes_on=st.booleans())
    def pause_or_resume_dunning(self, who: int, goes_on: bool) -> None:
        life, customer_id = self.life, self.a_subscription(who).customer_id
        if goes_on:
            life.act(resume_dunning, life.database, life.ids, life.now, customer_id)
        else:
            life.act(pause_dunning, life.database, life.ids, life.now, customer_id, "asked for time")

    @rule(who=FEW, amount=st.sampled_from([500, 5000, -500]))
    def grant_balance(self, who: int, amount: int) -> None:
        life, customer_id = self.life, self.a_subscription(who).customer_id
        life.act(adjust_balance, life.database, life.ids, life.now, customer_id, Money(amount, "SEK"), "goodwill")

    @_HAS_INVOICE
    @rule(which=FEW, share=SHARES)
    def refund_an_amount(self, which: int, share: int) -> None:
        invoice = self.an_invoice(which)
        self._refund(NewRefund(invoice.id, "asked", amount=Money(max(1, invoice.total * share // 100), "SEK")))

    @_HAS_INVOICE
    @rule(which=FEW, line=FEW, units=st.integers(1, 2))
    def refund_units(self, which: int, line: int, units: int) -> None:
        invoice = self.an_invoice(which)
        lines = self.lines(invoice.id)
        self._refund(NewRefund(invoice.id, "asked", units={lines[line % len(lines)].id: units}))

    @_HAS_INVOICE
    @rule(which=FEW)
    def refund_everything(self, which: int) -> None:
        self._refund(NewRefund(self.an_invoice(which).id, "asked"))

    def _refund(self, new: NewRefund) -> None:
        self.life.act(refund, self.life.database, self.life.ids, self.life.now, new)

    @_HAS_INVOICE
    @rule(which=FEW, by=st.sampled_from(CreditBy), give_as=st.sampled_from(GiveAs), share=SHARES)
    def credit(self, which: int, by: CreditBy, give_as: GiveAs, share: int) -> None:
        life, invoice = self.life, self.an_invoice(which)
        new = {
            CreditBy.TIME: lambda: {"as_of": life.now.date()},
            CreditBy.QUANTITY: lambda: {"units": {self.lines(invoice.id)[-1].id: 1}},
            CreditBy.AMOUNT: lambda: {"amount": Money(max(1, invoice.total * share // 100), "SEK")},
        }.get(by, dict)()
        asked = NewCredit(invoice.id, "asked", by, give_as, **new)
        shown = life.look(preview_credit, life.database, life.ids, life.now, asked)
        done = life.act(credit_invoice, life.database, life.ids, life.now, asked)
        assert (shown is None) == (done is None), "preview and credit do not agree whether it can be done"
        if done is not None:
            note, effect = done.credit_note, shown.effect
            assert (note.total, note.effect_open, note.effect_balance, note.effect_refund) == (
                shown.draft.total,
                effect.receivable,
                effect.balance,
                effect.refund,
            ), "not what the preview showed"

    @rule(which=FEW, resolve_as=st.sampled_from(ResolveAs))
    @precondition(lambda self: bool(self.life.rows(CreditNote)))
    def resolve_credit(self, which: int, resolve_as: ResolveAs) -> None:
        life, note = self.life, self.one(self.life.rows(CreditNote)[::-1], which)
        life.act(resolve_credit, life.database, life.ids, life.now, note.id, resolve_as)

    @_HAS_INVOICE
    @rule(which=FEW, share=SHARES, reference=st.sampled_from(["bank-1", "bank-2"]))
    def pay_outside(self, which: int, share: int, reference: str) -> None:
        life, invoice = self.life, self.an_invoice(which)
        new = NewPayment(Money(max(1, invoice.total * share // 100), "SEK"), life.now.date(), reference)
        life.act(record_payment, life.database, life.ids, life.now, invoice.id, new)

    @_HAS_INVOICE
    @rule(which=FEW, share=SHARES)
    def dispute(self, which: int, share: int) -> None:
        life, invoice = self.life, self.an_invoice(which)
        new = NewDispute(Money(max(1, invoice.total * share // 100), "SEK"))
        life.act(open_dispute, life.database, life.ids, life.now, invoice.id, new)

    @rule(which=FEW, outcome=st.sampled_from([DisputeStatus.WON, DisputeStatus.LOST]))
    @precondition(lambda self: bool(self.life.rows(Dispute)))
    def decide_dispute(self, which: int, outcome: DisputeStatus) -> None:
        life, found = self.life, self.one(self.life.rows(Dispute)[::-1], which)
        life.act(close_dispute, life.database, life.ids, life.now, found.invoice_id, found.id, outcome)

    @_HAS_INVOICE
    @rule(which=FEW, verb=st.sampled_from([void_invoice, write_off, relieve_vat]))
    def take_back(self, which: int, verb: object) -> None:
        life = self.life
        life.act(verb, life.database, life.ids, life.now, self.an_invoice(which).id, "a mistake")

    @_HAS_INVOICE
    @rule(which=FEW)
    def send_document(self, which: int) -> None:
        self.life.act(issue_invoice, self.life.database, self.life.ids, self.life.now, self.an_invoice(which).id)

    @_HAS_INVOICE
    @rule(which=FEW, line=st.sampled_from([None, 0, 1, 2]))
    def capture(self, which: int, line: int | None) -> None:
        life, invoice = self.life, self.an_invoice(which)
        lines = self.lines(invoice.id)
        units = None if line is None else {lines[line % len(lines)].id: 1}
        life.act(capture, life.database, life.ids, life.now, invoice.id, units)
