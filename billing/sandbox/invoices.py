"""XML-RPC on invoices: credited by article, by amount or whole, sent again, looked up, paid later."""

import json
import sqlite3
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from billing.sandbox import goods, orders, tokens
from billing.sandbox.arguments import Arguments
from billing.sandbox.clock import instant
from billing.sandbox.places import country_number
from billing.sandbox.wire import Fault, XmlRpcFault
from billing.sandbox.world import World

UNKNOWN_INVOICE, NEGATIVE, BAD_STATUS, NOT_PASSIVE, BAD_TYPE = 8101, 8102, 8104, 8113, 9105

PAID_WITHIN = timedelta(days=14)
LATER_MAX_DAYS = 60
FEE_PER_DAY = 50
"""What a later due date costs the merchant, in minor units for each day of it."""


@dataclass(frozen=True, slots=True)
class Invoice:
    """An activation as it stands: its row, its order, and what was credited of it in minor units."""

    row: sqlite3.Row
    order: sqlite3.Row
    credits: list[sqlite3.Row]

    @property
    def left(self) -> int:
        return int(self.row["amount"]) - sum(int(credit["amount"]) for credit in self.credits)

    @property
    def number(self) -> str:
        return str(self.row["capture_id"])


def credit_part(world: World, arguments: Arguments) -> str:
    """Articles and quantities of this invoice that were not credited before; goods in the call are charged back."""
    invoice = _invoice(world, arguments)
    articles = goods.named(arguments.structs("artnos"))
    charged = goods.lines_of_goods(arguments.structs("goods_list"))
    if not articles and not charged:
        raise XmlRpcFault(9107, "No article is named.")
    _check_not_credited(invoice)
    lines, _ = goods.taken(_lines_left(invoice), articles)
    fees = [_fee(line) for line in charged]
    return _credit(world, arguments, invoice, "credit_part", goods.total(lines) + goods.total(fees), lines + fees)


def credit_invoice(world: World, arguments: Arguments) -> str:
    """Everything that is left of the invoice, once."""
    invoice = _invoice(world, arguments)
    _check_not_credited(invoice)
    return _credit(world, arguments, invoice, "credit_invoice", invoice.left, _lines_left(invoice))


def return_amount(world: World, arguments: Arguments) -> str:
    """An amount with one rate of tax, which is added where flag 32 does not say that it is in already."""
    invoice = _invoice(world, arguments)
    vat = Fraction(arguments.percent("vat"))
    factor = Fraction(1) if arguments.whole("flags") & goods.INCLUDES_VAT else 1 + vat / 100
    amount = goods.half_up(arguments.whole("amount") * factor)
    if amount <= 0:
        raise XmlRpcFault(BAD_TYPE, "The amount must be positive.")
    _check_not_credited(invoice)
    name = arguments.text("description") or "Discount"
    line = goods.order_line("", name, 1, amount, amount, goods.half_up(vat * 100), "discount")
    return _credit(world, arguments, invoice, "return_amount", amount, [line])


def email_invoice(world: World, arguments: Arguments) -> str:
    """Sent again; by post, and charged, to a customer without a mail address."""
    invoice = _invoice(world, arguments)
    address = orders.details(world, invoice.order).get("billing_address", {})
    cause = "email_invoice" if address.get("email") or invoice.order["origin"] == "recurring" else "post"
    orders.send_out(world, invoice.order["order_id"], invoice.number, cause)
    return invoice.number


def send_invoice(world: World, arguments: Arguments) -> str:
    invoice = _invoice(world, arguments)
    orders.send_out(world, invoice.order["order_id"], invoice.number, "post")
    return invoice.number


def invoice_amount(world: World, arguments: Arguments) -> int:
    """What the invoice comes to, less its credits."""
    return _invoice(world, arguments).left


def invoice_part_amount(world: World, arguments: Arguments) -> int:
    invoice = _invoice(world, arguments)
    lines, _ = goods.taken(json.loads(invoice.row["lines"]), goods.named(arguments.structs("artnos")))
    return goods.total(lines)


def invoice_address(world: World, arguments: Arguments) -> list[Any]:
    invoice = _invoice(world, arguments)
    details = orders.details(world, invoice.order)
    address = details.get("billing_address") or details.get("shipping_address") or {}
    company = address.get("organization_name")
    names = ["", company] if company else [address.get("given_name", ""), address.get("family_name", "")]
    place = [address.get(name, "") for name in ("street_address", "postal_code", "city")]
    return [*names, *place, country_number(address.get("country") or invoice.order["country"])]


def extend_due_date(world: World, arguments: Arguments) -> dict[str, Any]:
    """What a later due date costs and when it is; only `calculate_only` leaves it as it was."""
    invoice, wish = _invoice(world, arguments), arguments.struct("info")
    days = wish.whole("days")
    if not 1 <= days <= LATER_MAX_DAYS:
        raise wish.bad("days", f"must lie between 1 and {LATER_MAX_DAYS}")
    details = json.loads(invoice.row["details"])
    before = details.get("due_on") or (instant(invoice.row["captured_at"]) + PAID_WITHIN).date().isoformat()
    due_on = (date.fromisoformat(before) + timedelta(days=days)).isoformat()
    if not wish.flag("calculate_only"):
        content = json.dumps(details | {"due_on": due_on})
        world.ledger.write("UPDATE captures SET details = ? WHERE capture_id = ?", content, invoice.number)
        orders.note(world, invoice.order, "extend_due_date", {"days": days, "due_on": due_on}, invoice.number)
    return {"cost": days * FEE_PER_DAY, "new_date": due_on}


def passive_only(world: World, arguments: Arguments) -> str:
    """What belongs to invoices that are not active yet, of which there are none here."""
    _invoice(world, arguments)
    raise XmlRpcFault(NOT_PASSIVE, "The invoice is not passive.")


def _invoice(world: World, arguments: Arguments) -> Invoice:
    row = world.ledger.row("SELECT * FROM captures WHERE capture_id = ?", arguments.text("invno"))
    order = orders.find(world, row["order_id"], orders.LEGACY) if row else None
    if row is None or order is None:
        raise XmlRpcFault(UNKNOWN_INVOICE, "There is no such invoice.")
    credits_of_it = world.ledger.rows("SELECT * FROM refunds WHERE capture_id = ? ORDER BY rowid", row["capture_id"])
    return Invoice(row, order, credits_of_it)


def _check_not_credited(invoice: Invoice) -> None:
    if invoice.left <= 0:
        raise XmlRpcFault(BAD_STATUS, "The whole invoice is credited.")


def _lines_left(invoice: Invoice) -> list[goods.Line]:
    """The lines of the invoice less the articles credited; amounts and fees are no articles."""
    articles = (credit for credit in invoice.credits if credit["kind"] == "credit_part")
    gone = (line for credit in articles for line in json.loads(credit["lines"]) if line["type"] != "return_fee")
    return goods.without(json.loads(invoice.row["lines"]), gone)


def _fee(line: goods.Line) -> goods.Line:
    """A good of the call, turned round: it is charged, and lowers the credit."""
    negated = {name: -line[name] for name in ("unit_price", "total_amount", "total_tax_amount")}
    return line | negated | {"type": "return_fee"}


def _credit(
    world: World, arguments: Arguments, invoice: Invoice, kind: str, amount: int, lines: list[goods.Line]
) -> str:
    if not 0 <= amount <= invoice.left:
        raise XmlRpcFault(NEGATIVE, "The credit must not be more than is left of the invoice, nor less than nothing.")
    arguments.fault = _fault(world, invoice, arguments)
    orders.refund(
        world,
        invoice.order,
        amount,
        lines=lines,
        kind=kind,
        capture_id=invoice.number,
        reference=arguments.text("credno") or None,
        description=arguments.text("description") or None,
    )
    return invoice.number


def _fault(world: World, invoice: Invoice, arguments: Arguments) -> Fault | None:
    assert arguments.call is not None, "every method is called by a call"
    return tokens.fault_of_follow_up(world, invoice.order, arguments.call, "refund")
