"""Invoices: what was claimed, how far it is paid, and what was given back."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated

from litestar import Controller, get
from litestar.params import FromPath

from api.answers import ListOut, MoneyOut, Out, document_number, listed
from api.bodies import in_path
from api.errors import problems
from api.queries import After, Limit, Reading, by_id, by_value, id_or_none, part_of, value_or_none
from billing.domain.ids import Prefix, shown
from billing.domain.invoicing import InvoiceStatus
from billing.domain.pricing import CreditRule
from billing.store.invoices import DunningState, InvoiceLine, PaymentState
from billing.use_cases import look_up
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
    credited: MoneyOut
    refunded: MoneyOut
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
        credited=MoneyOut(amount=row.credited, currency=currency),
        refunded=MoneyOut(amount=row.refunded, currency=currency),
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
