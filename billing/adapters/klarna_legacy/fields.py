"""Values of ours checked and written as the older generation takes them: texts, amounts, goods, cart items.

Amounts are minor units, tax included. VAT is percent in XML-RPC, basis points in JSON (legacy wire facts, 3 and 6).
"""

from collections.abc import Mapping

from billing.adapters.klarna_legacy.xmlrpc import INTEGER_MAX, Value, is_writable_text
from billing.domain.errors import Invalid
from billing.ports import Address, Order, OrderLine

TEXT_MAX = 255
LINES_MAX = 1000
TAX_RATE_MAX = 10_000

_PRICE_INCLUDES_VAT = 32
_COUNTRY_NUMBERS: Mapping[str, int] = {"AT": 15, "DE": 81, "DK": 59, "FI": 73, "NL": 154, "NO": 164, "SE": 209}
_ADDRESS: Mapping[str, str] = {
    "email": "email",
    "cellno": "phone",
    "fname": "given_name",
    "lname": "family_name",
    "careof": "street_address2",
    "street": "street_address",
    "zip": "postal_code",
    "city": "city",
}
_UNUSED = ("telno", "company", "house_number", "house_extension")


def order_lines(order: Order, field: str, lines_min: int) -> None:
    """Refuse an order whose lines are too few, too many, or come to another amount."""
    if not lines_min <= len(order.lines) <= LINES_MAX:
        raise invalid(field, f"must have {lines_min} to {LINES_MAX} lines, not {len(order.lines)}")
    total = sum(line.amount for line in order.lines)
    if order.lines and total != amount(order.amount, field):
        raise invalid(field, f"comes to {total}, not to {order.amount}")


def items(order: Order) -> list[dict[str, object]]:
    """The lines as items of a recurring order's cart."""
    return [_item(line, f"cart.items[{index}]") for index, line in enumerate(order.lines)]


def good(line: OrderLine, field: str) -> dict[str, Value]:
    """A line as an entry of a goods list."""
    quantity, price = _pieces(line, field)
    article: dict[str, Value] = {
        "artno": digested(line.reference, f"{field}.artno"),
        "title": text(line.name, f"{field}.title"),
        "price": price,
        "vat": vat(line.tax_rate),
        "discount": 0,
        "flags": _PRICE_INCLUDES_VAT,
    }
    return {"goods": article, "qty": quantity}


def address(where: Address | None, field: str) -> dict[str, Value]:
    """A place of delivery as an address struct: all keys are there, unused ones empty (legacy wire facts, section 3).

    A second line of the street goes where the wire has room for one. Raises `Invalid` for a country that Klarna does
    not number, a missing street, and a text outside ISO-8859-1, which the digest is made of.
    """
    if where is None or not where.street_address:
        raise invalid(f"{field}.street", "is missing")
    number = _COUNTRY_NUMBERS.get(where.country.upper())
    if number is None:
        raise invalid(f"{field}.country", f"must be one of {', '.join(sorted(_COUNTRY_NUMBERS))}")
    given = {name: getattr(where, of) for name, of in _ADDRESS.items()}
    written = {name: digested(value, f"{field}.{name}") if value else "" for name, value in given.items()}
    return {**written, **dict.fromkeys(_UNUSED, ""), "country": number}


def vat(tax_rate: int) -> int | float:
    """Basis points as the percent of XML-RPC: 2500 is 25, 2220 is 22.2. A rate, never money, and so a float may be."""
    whole, rest = divmod(within(tax_rate, 0, TAX_RATE_MAX, "vat"), 100)
    return tax_rate / 100 if rest else whole


def amount(number: int, field: str) -> int:
    """A positive amount that XML-RPC can carry."""
    return within(number, 1, INTEGER_MAX, field)


def within(number: int | None, low: int, high: int, field: str) -> int:
    """A whole number in its limits, or `Invalid`."""
    if type(number) is not int or not low <= number <= high:
        raise invalid(field, f"must be a whole number from {low} to {high}, not {number!r}")
    return number


def text(value: str | None, field: str) -> str:
    """A text that XML can carry."""
    if value is None or not 1 <= len(value) <= TEXT_MAX:
        raise invalid(field, f"must have 1 to {TEXT_MAX} characters, not {len(value or '')}")
    if not is_writable_text(value):
        raise invalid(field, "must not hold control characters")
    return value


def digested(value: str | None, field: str) -> str:
    """A text that may go into a digest: inside ISO-8859-1 besides."""
    checked = text(value, field)
    if any(ord(character) > 0xFF for character in checked):
        raise invalid(field, "must stay inside ISO-8859-1, which digests are made of")
    return checked


def invalid(field: str, sentence: str) -> Invalid:
    """The error for a field, in one sentence that begins with its name."""
    return Invalid(f"{field} {sentence}", where=field)


def _item(line: OrderLine, field: str) -> dict[str, object]:
    quantity, unit_price = _pieces(line, field)
    item: dict[str, object] = {
        # Later calls of order management name the article by it, inside their digests.
        "reference": digested(line.reference, f"{field}.reference"),
        "name": text(line.name, f"{field}.name"),
        "quantity": quantity,
        "unit_price": unit_price,
        "tax_rate": within(line.tax_rate, 0, TAX_RATE_MAX, f"{field}.tax_rate"),
    }
    return {**item, "type": "discount"} if unit_price < 0 else item


def _pieces(line: OrderLine, field: str) -> tuple[int, int]:
    """Quantity and price of a piece; a share or a discounted line is one piece at its amount."""
    is_whole = line.quantity >= 1 and line.quantity * line.unit_amount == line.amount
    quantity, price = (line.quantity, line.unit_amount) if is_whole else (1, line.amount)
    return (
        within(quantity, 1, INTEGER_MAX, f"{field}.quantity"),
        within(price, -INTEGER_MAX, INTEGER_MAX, f"{field}.price"),
    )
