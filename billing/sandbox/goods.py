"""Articles: the older generation's goods and cart items as order lines, and pieces taken from lines.

Lines are kept in the books in one form for both generations: minor units with tax in them, rates in basis points.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from billing.sandbox.arguments import Arguments
from billing.sandbox.wire import XmlRpcFault

INCLUDES_VAT = 32
_DIVISORS = {1: 1000, 2: 100, 4: 10}
"""Flags by which a quantity counts thousandths, hundredths or tenths of a piece."""

_SHIPMENT, _HANDLING = 8, 16

Line = dict[str, Any]


def lines_of_goods(goods_list: Iterable[Arguments]) -> list[Line]:
    """Order lines of a goods list; raises XmlRpcFault 3210 for a good without a name or a quantity."""
    return [_line_of_good(entry.struct("goods"), entry.whole("qty")) for entry in goods_list]


def order_line(reference: str, name: str, quantity: int, unit_price: int, total: int, tax_rate: int, kind: str) -> Line:
    """One line; `tax_rate` in basis points, amounts in minor units with that tax in them."""
    tax = half_up(Fraction(total * tax_rate, 10_000 + tax_rate))
    return {
        "type": kind,
        "reference": reference,
        "name": name,
        "quantity": quantity,
        "unit_price": unit_price,
        "tax_rate": tax_rate,
        "total_amount": total,
        "total_discount_amount": max(quantity * unit_price - total, 0),
        "total_tax_amount": tax,
    }


def total(lines: Iterable[Line]) -> int:
    return sum(line["total_amount"] for line in lines)


def taken(lines: Sequence[Line], articles: Iterable[tuple[str, int]]) -> tuple[list[Line], list[Line]]:
    """The pieces taken from `lines`, and what is left of them; amounts of both add up to what was there.

    Raises XmlRpcFault 9108 for an article that no line has, 9107 for more pieces than are left.
    """
    left, pieces = [dict(line) for line in lines], list[Line]()
    for article, quantity in articles:
        if all(_article(line) != article for line in lines):
            raise XmlRpcFault(9108, f"There is no article {article}.")
        if quantity < 1:
            raise XmlRpcFault(9107, f"The quantity of article {article} must be positive.")
        for line in left:
            count = min(quantity, line["quantity"]) if _article(line) == article else 0
            if count:
                pieces.append(_cut(line, count))
                quantity -= count
        if quantity:
            raise XmlRpcFault(9107, f"There are not that many of article {article} left.")
    return pieces, [line for line in left if line["quantity"]]


def without(lines: Sequence[Line], gone: Iterable[Line]) -> list[Line]:
    """What is left of `lines` when `gone` were taken from them; what they never had is passed over."""
    known = {_article(line) for line in lines}
    return taken(lines, [(_article(line), line["quantity"]) for line in gone if _article(line) in known])[1]


def named(entries: Iterable[Arguments]) -> list[tuple[str, int]]:
    """Article numbers and quantities, as a client lists them."""
    return [(entry.text("artno"), entry.whole("qty")) for entry in entries]


def half_up(value: Fraction) -> int:
    return int((value + Fraction(1, 2)) // 1)


def _line_of_good(good: Arguments, quantity: int) -> Line:
    reference, name = good.text("artno"), good.text("title")
    if not (reference or name) or quantity < 1:
        raise XmlRpcFault(3210, "A good needs an article number or a title, and a quantity.")
    flags, price, vat = good.whole("flags"), good.whole("price"), Fraction(good.percent("vat"))
    factor = 1 if flags & INCLUDES_VAT else 1 + vat / 100
    divisor = next((divisor for flag, divisor in _DIVISORS.items() if flags & flag), 1)
    discount = 1 - Fraction(good.percent("discount")) / 100
    amount = half_up(Fraction(quantity * price, divisor) * factor * discount)
    kind = "shipping_fee" if flags & _SHIPMENT else "surcharge" if flags & _HANDLING else "physical"
    unit_price = half_up(Fraction(price, divisor) * factor)
    return order_line(
        reference, name, quantity, unit_price, amount, half_up(vat * 100), kind if price >= 0 else "discount"
    )


def _article(line: Line) -> str:
    return str(line.get("reference") or line.get("name", ""))


def _cut(line: Line, count: int) -> Line:
    """Takes `count` pieces out of `line`, which keeps the rest; the last piece takes what rounding left over."""
    piece = line | {"quantity": count}
    for name in ("total_amount", "total_tax_amount", "total_discount_amount"):
        piece[name] = half_up(Fraction(line.get(name, 0) * count, line["quantity"]))
        line[name] = line.get(name, 0) - piece[name]
    line["quantity"] -= count
    return piece
