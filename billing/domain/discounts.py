"""Discounts: what they take from the lines of an invoice, in which order, down to the last minor unit.

A discount comes off the amount as the price states it, before tax is computed; a line never falls below 0. How many
cycles a discount has left is counted by whoever grants it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from billing.domain.errors import Invalid
from billing.domain.money import AMOUNT_MAX, divide_half_up, split

PERCENT_MAX = 10_000
NAME_MAX = 255


@dataclass(frozen=True, slots=True)
class Discount:
    """`percent` in basis points or `amount` in minor units of the invoice's currency: one of the two.

    `cycles_left` None is for good, 0 is used up. `article_number` None takes it from every line, setup fees included.
    An amount is taken whole also in a period that is only a part.
    """

    id: UUID
    name: str
    percent: int | None
    amount: int | None
    cycles_left: int | None
    article_number: str | None


def discounts_of(lines: Sequence[tuple[str, int]], discounts: Sequence[Discount]) -> list[int]:
    """What all `discounts` together take from each of `lines`: `(article number, amount in minor units)`, 0 or more."""
    taken = [0] * len(lines)
    for parts in discount_parts(lines, discounts):
        taken = [before + part for before, part in zip(taken, parts, strict=True)]
    return taken


def discount_parts(lines: Sequence[tuple[str, int]], discounts: Sequence[Discount]) -> list[list[int]]:
    """What each discount takes from each line: one list a discount, one number a line.

    They apply in their order, each to what those before it left. A percentage is rounded half up once, on the sum it
    applies to; an amount takes at most what is left; both are spread by largest remainder (billing rules, section 4).
    """
    left = [amount for _, amount in lines]
    taken = []
    for discount in discounts:
        touched = [rest if _touches(discount, article) else 0 for (article, _), rest in zip(lines, left, strict=True)]
        parts = split(_reduction(discount, sum(touched)), touched) if touched else []
        left = [rest - part for rest, part in zip(left, parts, strict=True)]
        taken.append(parts)
    return taken


def check_discount(discount: Discount) -> None:
    """Raises `Invalid`, naming the field, unless the discount can be granted."""
    if not discount.name.strip() or len(discount.name) > NAME_MAX:
        raise Invalid(f"a name has 1 to {NAME_MAX} characters", where="name")
    if (discount.percent is None) == (discount.amount is None):
        raise Invalid("a discount is either a percentage or an amount", where="percent")
    if discount.percent is not None and not 1 <= discount.percent <= PERCENT_MAX:
        raise Invalid(f"{discount.percent} basis points lie outside 1 to {PERCENT_MAX}", where="percent")
    if discount.amount is not None and not 1 <= discount.amount <= AMOUNT_MAX:
        raise Invalid(f"{discount.amount} minor units lie outside 1 to {AMOUNT_MAX}", where="amount")
    if discount.cycles_left is not None and discount.cycles_left < 1:
        raise Invalid(f"a discount for {discount.cycles_left} cycles takes nothing", where="cycles_left")


def _touches(discount: Discount, article: str) -> bool:
    return discount.cycles_left != 0 and discount.article_number in (None, article)


def _reduction(discount: Discount, applies_to: int) -> int:
    if discount.percent is not None:
        return divide_half_up(applies_to * discount.percent, PERCENT_MAX)
    return min(discount.amount or 0, applies_to)
