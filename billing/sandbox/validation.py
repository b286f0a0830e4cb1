"""Reading a body field by field, with the limits of Klarna's documents and the arithmetic of order lines.

Every limit stands here once. What is allowed in the state of an order or a token is decided elsewhere.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NoReturn

from billing.sandbox.wire import Refusal

INT64 = 2**63 - 1
AMOUNT_MAX = 200_000_000
LINES_MAX = 1000
COUNTRY = re.compile(r"[A-Za-z]{2}")
CURRENCY = re.compile(r"[A-Za-z]{3}")
LOCALE = re.compile(r"[A-Za-z]{2}(-[A-Za-z]{2})*")
INTERVALS = ("DAY", "WEEK", "MONTH", "YEAR")

_LINE_TYPES = frozenset(
    {"physical", "discount", "shipping_fee", "sales_tax", "digital", "gift_card", "store_credit", "surcharge"}
)
_NEGATIVE_TYPES = frozenset({"discount", "gift_card", "store_credit", "return_fee"})
_IDENTIFIERS = {
    "brand": 70,
    "category_path": 750,
    "color": 64,
    "global_trade_item_number": 50,
    "manufacturer_part_number": 70,
    "size": 64,
}
_ADDRESS = {
    "attention": 99,
    "city": 99,
    "email": 99,
    "family_name": 99,
    "given_name": 99,
    "organization_name": 99,
    "postal_code": 10,
    "region": 99,
    "street_address": 99,
    "street_address2": 99,
    "title": 20,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one of the three APIs allows in an order line, and how it refuses a value outside its limits."""

    line_amount: int
    line_reference: int
    line_merchant_data: int
    unit_shortest: int
    unit_longest: int
    name_shortest: int
    tax_rate: int
    line_types: frozenset[str]
    status: int
    error_code: str


CUSTOMER_TOKEN = Limits(100_000_000, 256, 255, 1, 8, 1, INT64, _LINE_TYPES, 400, "BAD_VALUE")
PAYMENTS = Limits(AMOUNT_MAX, 255, 1024, 1, 8, 1, 10_000, _LINE_TYPES, 400, "BAD_VALUE")
ORDER_MANAGEMENT = Limits(
    AMOUNT_MAX, 255, 1024, 0, 10, 0, INT64, _LINE_TYPES | {"return_fee"}, 422, "UNPROCESSABLE_ENTITY"
)
ADDRESS = Limits(0, 0, 0, 0, 0, 0, 0, frozenset(), 422, "INVALID_ADDRESS")


class Fields:
    """One JSON object, read by name. A wrong type is 400 BAD_VALUE; a crossed limit is what the API makes of it."""

    def __init__(self, values: dict[str, Any], limits: Limits, where: str = "") -> None:
        self.values = values
        self.limits = limits
        self._where = where

    def text(self, name: str, longest: int, *, shortest: int = 0, pattern: re.Pattern[str] | None = None) -> str | None:
        if self.values.get(name) is None:
            return None
        return self.needed_text(name, longest, shortest=shortest, pattern=pattern)

    def needed_text(self, name: str, longest: int, *, shortest: int = 0, pattern: re.Pattern[str] | None = None) -> str:
        value = self._needed(name)
        if not isinstance(value, str):
            self.refuse(name, "must be text")
        if not shortest <= len(value) <= longest:
            self.refuse_limit(name, f"must have {shortest} to {longest} characters")
        if pattern is not None and pattern.fullmatch(value) is None:
            self.refuse_limit(name, "has the wrong form")
        return value

    def whole(self, name: str, lowest: int, highest: int) -> int | None:
        return None if self.values.get(name) is None else self.needed_whole(name, lowest, highest)

    def needed_whole(self, name: str, lowest: int, highest: int) -> int:
        """A JSON integer: neither 1.0 nor "1" nor true counts as one."""
        value = self._needed(name)
        if type(value) is not int:
            self.refuse(name, "must be an integer")
        if not lowest <= value <= highest:
            self.refuse_limit(name, f"must lie between {lowest} and {highest}")
        return value

    def flag(self, name: str) -> bool:
        value = self.values.get(name)
        if value is not None and not isinstance(value, bool):
            self.refuse(name, "must be true or false")
        return bool(value)

    def choice(self, name: str, allowed: Collection[str]) -> str | None:
        value = self.text(name, INT64)
        if value is not None and value not in allowed:
            self.refuse(name, f"must be one of {', '.join(sorted(allowed))}")
        return value

    def block(self, name: str, limits: Limits | None = None) -> "Fields | None":
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.refuse(name, "must be an object")
        return Fields(value, limits or self.limits, f"{self._where}{name}.")

    def blocks(self, name: str, most: int) -> "list[Fields]":
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            self.refuse(name, "must be a list of objects")
        if len(value) > most:
            self.refuse_limit(name, f"must have at most {most} entries")
        return [Fields(entry, self.limits, f"{self._where}{name}[{n}].") for n, entry in enumerate(value)]

    def refuse(self, name: str, why: str) -> NoReturn:
        raise Refusal(400, "BAD_VALUE", f"Bad value: {self._where}{name} {why}.")

    def refuse_limit(self, name: str, why: str) -> NoReturn:
        raise Refusal(self.limits.status, self.limits.error_code, f"Bad value: {self._where}{name} {why}.")

    def _needed(self, name: str) -> Any:
        value = self.values.get(name)
        if value is None:
            self.refuse(name, "is missing")
        return value


@dataclass(frozen=True, slots=True)
class Line:
    """The figures of one order line, tax included, in minor units."""

    type: str
    total_amount: int
    tax_amount: int


def read_lines(fields: Fields) -> list[Line]:
    """The order lines, each of them checked by itself; none is a list too."""
    return [_read_line(line) for line in fields.blocks("order_lines", LINES_MAX)]


def needed_lines(fields: Fields) -> list[Line]:
    """The same where at least one line is asked for."""
    lines = read_lines(fields)
    if not lines:
        fields.refuse("order_lines", "must have at least one entry")
    return lines


def check_sums(fields: Fields, lines: list[Line], order_amount: int, order_tax_amount: int | None) -> None:
    """Refuses an order whose amounts are not the sums of its lines; `None` leaves the tax unchecked."""
    if sum(line.total_amount for line in lines) != order_amount:
        fields.refuse("order_amount", "is not the sum of the lines' total_amount")
    if order_tax_amount is not None and sum(line.tax_amount for line in lines) != order_tax_amount:
        fields.refuse("order_tax_amount", "is not the sum of the lines' total_tax_amount")


def check_address(fields: Fields, name: str) -> dict[str, Any] | None:
    """The address as it was sent, its fields within their limits; else 422 INVALID_ADDRESS."""
    address = fields.block(name, ADDRESS)
    if address is None:
        return None
    for part, longest in _ADDRESS.items():
        address.text(part, longest)
    address.text("phone", 99, shortest=5)
    address.text("country", 2, pattern=COUNTRY)
    return address.values


def check_shipping_info(fields: Fields) -> None:
    for entry in fields.blocks("shipping_info", 500):
        for part in ("shipping_company", "shipping_method", "tracking_number"):
            entry.text(part, 100)
        for part in ("return_shipping_company", "return_tracking_number"):
            entry.text(part, 100)
        for part in ("tracking_uri", "return_tracking_uri"):
            entry.text(part, 1024)


def _read_line(line: Fields) -> Line:
    kind = line.choice("type", line.limits.line_types) or "physical"
    _check_line_texts(line)
    quantity = line.needed_whole("quantity", 0, INT64)
    lowest = -INT64 if kind in _NEGATIVE_TYPES else 0
    unit_price = line.needed_whole("unit_price", lowest, line.limits.line_amount)
    total = line.needed_whole("total_amount", lowest, line.limits.line_amount)
    discount = line.whole("total_discount_amount", 0, AMOUNT_MAX) or 0
    if total != quantity * unit_price - discount:
        line.refuse("total_amount", "is not quantity * unit_price - total_discount_amount")
    tax = _read_tax(line, kind, total)
    _check_subscription(line)
    return Line(kind, total, tax)


def _check_line_texts(line: Fields) -> None:
    limits = line.limits
    line.needed_text("name", 255, shortest=limits.name_shortest)
    line.text("reference", limits.line_reference)
    line.text("quantity_unit", limits.unit_longest, shortest=limits.unit_shortest)
    line.text("merchant_data", limits.line_merchant_data)
    line.text("product_url", 1024)
    line.text("image_url", 1024)
    identifiers = line.block("product_identifiers")
    if identifiers is not None:
        for part, longest in _IDENTIFIERS.items():
            identifiers.text(part, longest)


def _read_tax(line: Fields, kind: str, total: int) -> int:
    """The line's tax: within one minor unit of total - total * 10000 / (10000 + rate), which needs no fraction."""
    rate = line.whole("tax_rate", 0, line.limits.tax_rate) or 0
    tax = line.whole("total_tax_amount", -AMOUNT_MAX, AMOUNT_MAX) or 0
    if kind == "sales_tax":
        return total  # where tax is a line of its own, that line's total is the tax of the order
    if abs(tax * (10_000 + rate) - total * rate) > 10_000 + rate:
        line.refuse("total_tax_amount", "is not what tax_rate makes of total_amount")
    return tax


def _check_subscription(line: Fields) -> None:
    subscription = line.block("subscription")
    if subscription is None:
        return
    subscription.needed_text("name", 255, shortest=1)
    subscription.needed_text("interval", 255)
    subscription.choice("interval", INTERVALS)
    subscription.needed_whole("interval_count", 1, 2**31 - 1)
