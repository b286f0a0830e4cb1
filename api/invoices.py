"""Invoices: what was claimed, how far it is paid, and what was given back."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.params import FromPath
from pydantic import Field

from api.answers import ListOut, MoneyOut, Out, document_number, listed, shown_or_none
from api.bodies import in_path
from api.errors import problems
from api.idempotency import Write
from api.queries import After, Limit, Reading, by_id, by_value, id_or_none, part_of, value_or_none
from billing.domain.ids import Prefix, shown
from billing.domain.invoicing import InvoiceStatus
from billing.domain.pricing import CreditRule
from billing.store.invoices import DunningState, InvoiceLine, PaymentState, amount_due
from billing.use_cases import look_up
from billing.use_cases.explain_invoice import Explanation, Statement, TaxOfRate, explain_invoice
from billing.use_cases.issue_invoice import issue_invoice
from billing.use_cases.look_up import InvoiceFound


class InvoiceLineOut(Out):
    """One line of an invoice; `derivation` is the sum behind it."""

    id: str
    article_number: str
    name: str
    quantity: int
    unit_amount: MoneyOut
    amount: MoneyOut
    tax_amount: MoneyOut
    tax_rate: int
    credit_rule: CreditRule
    derivation: str
    credited_amount: MoneyOut


class InvoiceOut(Out):
    """An invoice."""

    id: str
    subscription_id: str
    period_id: str
    customer_id: str
    number: str | None
    issue_date: date | None
    status: InvoiceStatus
    payment_state: PaymentState
    total: MoneyOut
    tax_total: MoneyOut
    captured: MoneyOut
    risk: Annotated[
        str | None,
        Field(description="What the provider said when it was captured: `ok`, or `no_risk`, for a person to look at."),
    ]
    credited: MoneyOut
    refunded: MoneyOut
    lowered: MoneyOut
    balance_used: MoneyOut
    paid_outside: MoneyOut
    carried: MoneyOut
    disputed: MoneyOut
    due: MoneyOut
    held_because: str | None
    issued_at: datetime | None
    overdue_at: datetime | None
    dunning_state: DunningState
    dunning_step: int
    opened_at: datetime
    collect_at: datetime
    paid_at: datetime | None
    lines: list[InvoiceLineOut]


class InvoiceList(ListOut):
    """Invoices."""

    data: list[InvoiceOut]


def invoice_out(found: InvoiceFound) -> InvoiceOut:
    row, currency = found.invoice, found.invoice.currency
    return InvoiceOut(
        id=shown(Prefix.INVOICE, row.id),
        subscription_id=shown(Prefix.SUBSCRIPTION, row.subscription_id),
        period_id=shown(Prefix.PERIOD, row.period_id),
        customer_id=shown(Prefix.CUSTOMER, row.customer_id),
        number=document_number(row.series_id, row.number),
        issue_date=row.issue_date,
        status=InvoiceStatus(row.status),
        payment_state=PaymentState(row.payment_state),
        total=MoneyOut(amount=row.total, currency=currency),
        tax_total=MoneyOut(amount=row.tax_total, currency=currency),
        captured=MoneyOut(amount=row.captured, currency=currency),
        risk=found.risk,
        credited=MoneyOut(amount=row.credited, currency=currency),
        refunded=MoneyOut(amount=row.refunded, currency=currency),
        lowered=MoneyOut(amount=row.credited_open, currency=currency),
        balance_used=MoneyOut(amount=row.balance_used, currency=currency),
        paid_outside=MoneyOut(amount=row.paid_outside, currency=currency),
        carried=MoneyOut(amount=row.carried, currency=currency),
        disputed=MoneyOut(amount=row.disputed, currency=currency),
        due=MoneyOut(amount=amount_due(row), currency=currency),
        held_because=row.held_because,
        issued_at=row.issued_at,
        overdue_at=row.overdue_at,
        dunning_state=DunningState(row.dunning_state),
        dunning_step=row.dunning_step,
        opened_at=row.opened_at,
        collect_at=row.collect_at,
        paid_at=row.paid_at,
        lines=_lines_out(found.lines, currency),
    )


def _lines_out(lines: Sequence[InvoiceLine], currency: str) -> list[InvoiceLineOut]:
    return [
        InvoiceLineOut(
            id=shown(Prefix.LINE, line.id),
            article_number=line.article_number,
            name=line.name,
            quantity=line.quantity,
            unit_amount=MoneyOut(amount=line.unit_amount, currency=currency),
            amount=MoneyOut(amount=line.amount, currency=currency),
            tax_amount=MoneyOut(amount=line.tax_amount, currency=currency),
            tax_rate=line.tax_rate,
            credit_rule=CreditRule(line.credit_rule),
            derivation=line.derivation,
            credited_amount=MoneyOut(amount=line.credited_amount, currency=currency),
        )
        for line in lines
    ]


class StatementOut(Out):
    """A sentence and the numbers in it; `about` says what it tells of, `id` whose row."""

    about: str
    sentence: str
    amount: MoneyOut
    tax_amount: MoneyOut
    id: str | None
    at: datetime | None


class TaxOut(Out):
    """What was invoiced and credited at one rate, in basis points."""

    rate: int
    treatment: str
    gross: MoneyOut
    tax: MoneyOut
    credited_gross: MoneyOut
    credited_tax: MoneyOut
    sentence: str


class ExplanationOut(Out):
    """How an invoice came to be what it is."""

    invoice_id: str
    status: InvoiceStatus
    total: MoneyOut
    due: MoneyOut
    summary: list[str]
    lines: list[StatementOut]
    lowered_by: list[StatementOut]
    paid_by: list[StatementOut]
    given_back: list[StatementOut]
    disputes: list[StatementOut]
    taxes: list[TaxOut]
    documents: list[StatementOut]


_ROWS = {
    "line": Prefix.LINE,
    "credit": Prefix.CREDIT_NOTE,
    "credit_note": Prefix.CREDIT_NOTE,
    "balance": Prefix.CREDIT_NOTE,
    "refund": Prefix.CREDIT_NOTE,
    "capture": Prefix.OPERATION,
    "payment": Prefix.PAYMENT,
    "dispute": Prefix.DISPUTE,
    "invoice": Prefix.INVOICE,
}
"""Whose row a statement about something names."""


def explanation_out(told: Explanation) -> ExplanationOut:
    currency = told.invoice.currency

    def statements(found: Sequence[Statement]) -> list[StatementOut]:
        return [_statement_out(statement, currency) for statement in found]

    return ExplanationOut(
        invoice_id=shown(Prefix.INVOICE, told.invoice.id),
        status=InvoiceStatus(told.invoice.status),
        total=MoneyOut(amount=told.invoice.total, currency=currency),
        due=MoneyOut(amount=told.due, currency=currency),
        summary=list(told.summary),
        lines=statements(told.lines),
        lowered_by=statements(told.lowered_by),
        paid_by=statements(told.paid_by),
        given_back=statements(told.given_back),
        disputes=statements(told.disputes),
        taxes=[_tax_out(tax, currency) for tax in told.taxes],
        documents=statements(told.documents),
    )


def _statement_out(statement: Statement, currency: str) -> StatementOut:
    prefix = _ROWS.get(statement.about)
    return StatementOut(
        about=statement.about,
        sentence=statement.sentence,
        amount=MoneyOut(amount=statement.amount, currency=currency),
        tax_amount=MoneyOut(amount=statement.tax_amount, currency=currency),
        id=shown_or_none(prefix, statement.row_id) if prefix is not None else None,
        at=statement.at,
    )


def _tax_out(tax: TaxOfRate, currency: str) -> TaxOut:
    return TaxOut(
        rate=tax.rate,
        treatment=tax.treatment,
        gross=MoneyOut(amount=tax.gross, currency=currency),
        tax=MoneyOut(amount=tax.tax, currency=currency),
        credited_gross=MoneyOut(amount=tax.credited_gross, currency=currency),
        credited_tax=MoneyOut(amount=tax.credited_tax, currency=currency),
        sentence=tax.sentence,
    )


class Invoices(Controller):
    path = "/invoices"
    tags = ("Invoices",)

    @get(sync_to_thread=True, responses=problems())
    def list_invoices(
        self,
        database: Reading,
        limit: Limit = 50,
        after: After = None,
        subscription_id: Annotated[str | None, by_id("subscription")] = None,
        customer_id: Annotated[str | None, by_id("customer")] = None,
        status: Annotated[str | None, by_value(InvoiceStatus)] = None,
    ) -> InvoiceList:
        """List invoices."""
        page = look_up.invoices(
            database,
            part_of(Prefix.INVOICE, limit, after),
            subscription_id=id_or_none(Prefix.SUBSCRIPTION, subscription_id, "subscription_id"),
            customer_id=id_or_none(Prefix.CUSTOMER, customer_id, "customer_id"),
            status=value_or_none(InvoiceStatus, status, "status"),
        )
        data, following = listed(Prefix.INVOICE, page, invoice_out)
        return InvoiceList(data=data, next=following)

    @get("/{invoice_id:str}", sync_to_thread=True, responses=problems(404))
    def get_invoice(self, database: Reading, invoice_id: FromPath[str]) -> InvoiceOut:
        """Get an invoice."""
        return invoice_out(look_up.invoice(database, in_path(Prefix.INVOICE, invoice_id)))

    @get("/{invoice_id:str}/explain", sync_to_thread=True, responses=problems(404))
    def explain_invoice(self, database: Reading, invoice_id: FromPath[str]) -> ExplanationOut:
        """Explain an invoice in plain sentences.

        Its lines, what lowered and paid it, its tax, its documents.
        """
        return explanation_out(explain_invoice(database, in_path(Prefix.INVOICE, invoice_id)))

    @post("/{invoice_id:str}/issue", status_code=200, sync_to_thread=True, responses=problems(404, 409))
    def issue_invoice(self, invoice_id: FromPath[str], write: Write) -> Response[InvoiceOut]:
        """Say that a document of this invoice has left you.

        From then on it is never void.
        """
        wiring, issued = write.wiring, in_path(Prefix.INVOICE, invoice_id)
        return write.answer(
            200,
            lambda record: issue_invoice(wiring.database, wiring.ids, write.now, issued, record),
            lambda session, invoice: invoice_out(look_up.invoice_in(session, invoice)),
        )
