"""What shops of the older generation fetch once: the ways to pay in parts, here two in each country."""

from typing import Any

from billing.sandbox.arguments import Arguments
from billing.sandbox.places import COUNTRY_NUMBERS, CURRENCIES, CURRENCY_NUMBERS
from billing.sandbox.world import World

CAMPAIGN, ACCOUNT = 0, 1
LAST_DAY = "2099-12-31"


def part_payments(world: World, arguments: Arguments) -> list[list[Any]]:  # noqa: ARG001  one signature for all
    """Ten values each: id, words, months, fee at the start and of each invoice, interest in basis points, least amount,
    country, kind, last day. Fees and amounts are minor units. Nothing for a currency that is not the country's.
    """
    number = arguments.whole("country", -1)
    currency = CURRENCY_NUMBERS.get(arguments.whole("currency", -1))
    if number not in COUNTRY_NUMBERS or CURRENCIES[COUNTRY_NUMBERS[number]] != currency:
        return []
    return [
        [100 + number, "Account", 24, 0, 2900, 1995, 5000, number, ACCOUNT, LAST_DAY],
        [1000 + number, "12 months", 12, 19500, 2900, 0, 100000, number, CAMPAIGN, LAST_DAY],
    ]
