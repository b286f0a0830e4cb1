"""Credits as the older generation knows them: whole articles back, the used share of them charged again.

It cannot credit 19/30 of an article, nor one amount over two rates (billing rules, section 5).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from billing.adapters.klarna_legacy.fields import digested, invalid, within
from billing.adapters.klarna_legacy.xmlrpc import INTEGER_MAX, Value
from billing.ports import OrderLine

USED_PREFIX = "USED-"


@dataclass(frozen=True, slots=True)
class Credit:
    """Articles that leave the invoice, and what is charged again for their use."""

    artnos: list[Value]
    fees: Sequence[OrderLine]


def whole_articles(lines: Sequence[OrderLine], kept: Sequence[OrderLine] = ()) -> Credit:
    """Whole articles for `lines`, and one charge `USED-<article>` for each share in `kept`.

    A share has its article's own reference, quantity and unit amount as invoiced, and as `amount` what is kept of it
    (minor units, tax included). Raises `Invalid` for a line that is neither whole nor completed by its share.
    """
    waiting, artnos = list(kept), list[Value]()
    for index, line in enumerate(lines):
        share = next((share for share in waiting if share.reference == line.reference), None)
        if share is not None:
            waiting.remove(share)
        artnos.append(_article(line, share, f"artnos[{index}]"))
    if waiting or not artnos:
        raise invalid("artnos", "must name every article of which a share is kept, and one at least")
    return Credit(artnos, [_fee(share) for share in kept])


def single_tax_rate(lines: Sequence[OrderLine]) -> int:
    """The one rate of these lines, basis points. Raises `Invalid` where there are two, or none."""
    rates = {line.tax_rate for line in lines}
    if len(rates) != 1:
        raise invalid("vat", f"must be one rate for a returned amount, not {len(rates)}")
    return rates.pop()


def _article(line: OrderLine, share: OrderLine | None, field: str) -> Value:
    article, whole = (line, line.amount) if share is None else (share, line.amount + share.amount)
    if article.quantity * article.unit_amount != whole:
        raise invalid(field, f"must be whole articles: {whole} is not {article.quantity} x {article.unit_amount}")
    quantity = within(article.quantity, 1, INTEGER_MAX, f"{field}.qty")
    return {"artno": digested(line.reference, f"{field}.artno"), "qty": quantity}


def _fee(share: OrderLine) -> OrderLine:
    within(share.amount, 1, INTEGER_MAX, "goods_list.price")
    return replace(share, reference=f"{USED_PREFIX}{share.reference}", quantity=1, unit_amount=share.amount)
