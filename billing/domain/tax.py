"""Tax of a line and of a rate group. Rates are basis points: 2500 is 25 %.

Prices include their tax; the formula is the one the provider checks a line against, rounded half up.
"""

from collections.abc import Sequence

from billing.domain.errors import Invalid
from billing.domain.money import divide_half_up, split

RATE_MAX = 10_000


def tax_included(gross: int, rate: int) -> int:
    """The tax inside a gross amount in minor units, half up, mirrored for negatives. Raises as `check_rate` does."""
    check_rate(rate)
    return divide_half_up(gross * rate, 10_000 + rate)


def tax_on_net(net: int, rate: int) -> int:
    """The tax that a net amount in minor units carries, half up, mirrored for negatives."""
    check_rate(rate)
    return divide_half_up(net * rate, 10_000)


def tax_by_rate_group(nets: Sequence[int], rate: int) -> list[int]:
    """The tax of each net line of one rate, so that they sum to the tax of the group (billing rules, section 4)."""
    # Inside one rate the exact taxes stand in the same proportion as the nets, so that these serve as weights.
    return split(tax_on_net(sum(nets), rate), nets) if nets else []


def check_rate(rate: int, where: str | None = None) -> None:
    """Raises `Invalid` unless the rate lies in 0 to 100 %."""
    if not 0 <= rate <= RATE_MAX:
        raise Invalid(f"a tax rate of {rate} basis points lies outside 0 to {RATE_MAX}", where=where)


def shown_rate(rate: int) -> str:
    """The rate as people read it: `25 %`, `5.5 %`, `0 %`."""
    whole, hundredths = divmod(rate, 100)
    return f"{whole}.{hundredths:02}".rstrip("0").rstrip(".") + " %" if hundredths else f"{whole} %"
