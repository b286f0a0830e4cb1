"""The share of a period, by local days: C(d), whose parts sum to the whole under any sequence of changes.

Works on any integer that was booked for the period: gross amounts and, with the same function, their tax.
"""

from billing.domain.errors import Invalid
from billing.domain.money import divide_half_up


def value_of_days(amount: int, days: int, of_days: int) -> int:
    """C(days): what the first `days` of `of_days` are worth of `amount`, half up, mirrored for negative amounts.

    Raises `Invalid` unless 0 <= days <= of_days and of_days >= 1 (billing rules, section 4).
    """
    if of_days < 1 or not 0 <= days <= of_days:
        raise Invalid(f"{days} of {of_days} days is no share of a period")
    return divide_half_up(amount * days, of_days)


def value_between(amount: int, start: int, end: int, of_days: int) -> int:
    """What days [start, end) are worth: C(end) - C(start), so that neighbours always sum to what they cover."""
    value = value_of_days(amount, end, of_days) - value_of_days(amount, start, of_days)
    if start > end:
        raise Invalid(f"days {start} to {end} run backwards")
    return value
