"""The made-up shop of `config/demo`: plans, prices with their article lines, customers, and what happens when."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Plan:
    """A row of plans.csv, as the API takes it."""

    reference: str
    body: Mapping[str, Any]
    interval: str
    interval_count: int


@dataclass(frozen=True, slots=True)
class Price:
    """What one plan costs in one country: article lines in minor units of `currency`, tax included."""

    plan: str
    country: str
    currency: str
    items: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Customer:
    """A row of customers.csv. `behaviour` is the sandbox's token; `fault` spoils the first charge; both may be empty.

    `starts_on` is a local date; None starts at once.
    """

    reference: str
    name: str
    email: str
    country: str
    zone: str
    locale: str
    plan: str
    starts_on: date | None
    behaviour: str
    fault: str

    @property
    def part(self) -> str:
        """What this customer is in the story for: the fault at the start, else how the token behaves."""
        return self.fault.partition("_")[0] or self.behaviour

    @property
    def starts_at(self) -> datetime | None:
        """Local midnight of `starts_on`, aware."""
        return datetime.combine(self.starts_on, time.min, ZoneInfo(self.zone)) if self.starts_on else None


@dataclass(frozen=True, slots=True)
class Action:
    """A row of actions.csv: what merchant or customer does at `at` (aware UTC). `amount` is in minor units."""

    at: datetime
    customer: str
    what: str
    article_number: str
    quantity: int
    amount: int


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything that the demo hands in; actions in the order of time."""

    plans: tuple[Plan, ...]
    prices: tuple[Price, ...]
    customers: Mapping[str, Customer]
    actions: tuple[Action, ...]

    def currency_of(self, customer: Customer) -> str:
        """What this customer pays in. Raises LookupError where the plan is not sold in their country."""
        for price in self.prices:
            if (price.plan, price.country) == (customer.plan, customer.country):
                return price.currency
        raise LookupError(f"{customer.plan} is not sold in {customer.country}")


def read_catalogue(folder: Path) -> Catalogue:
    """The four CSV files of `folder`. Raises OSError, KeyError or ValueError for what is missing or wrong."""
    customers = {row["reference"]: _customer(row) for row in _rows(folder / "customers.csv")}
    actions = sorted((_action(row) for row in _rows(folder / "actions.csv")), key=lambda a: (a.at, a.customer))
    return Catalogue(
        tuple(_plan(row) for row in _rows(folder / "plans.csv")),
        _prices(folder / "prices.csv"),
        customers,
        tuple(actions),
    )


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _plan(row: dict[str, str]) -> Plan:
    words = {name: row[name] for name in ("reference", "name", "number_on", "emailing", "exhausted")}
    body = {**words, "trial_days": int(row["trial_days"])}
    return Plan(row["reference"], body, row["interval"], int(row["interval_count"]))


def _prices(path: Path) -> tuple[Price, ...]:
    items: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in _rows(path):
        items.setdefault((row["plan"], row["country"], row["currency"]), []).append(_item(row))
    return tuple(Price(*where, tuple(lines)) for where, lines in items.items())


def _item(row: dict[str, str]) -> dict[str, Any]:
    words = {name: row[name] for name in ("article_number", "name", "credit_rule", "recognize")}
    unit_amount = {"amount": int(row["unit_amount"]), "currency": row["currency"]}
    return {
        **words,
        "quantity": int(row["quantity"]),
        "tax_rate": int(row["tax_rate"]),
        "unit_amount": unit_amount,
    }


def _customer(row: dict[str, str]) -> Customer:
    words = {name: text for name, text in row.items() if name != "starts_on"}
    starts_on = date.fromisoformat(row["starts_on"]) if row["starts_on"] else None
    return Customer(starts_on=starts_on, **words)


def _action(row: dict[str, str]) -> Action:
    at = datetime.fromisoformat(row["at"])
    if at.tzinfo is None:
        raise ValueError(f"an action needs an instant with its zone, unlike {row['at']}")
    quantity, amount = int(row["quantity"] or 0), int(row["amount"] or 0)
    return Action(at, row["customer"], row["what"], row["article_number"], quantity, amount)
