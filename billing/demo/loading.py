"""Handing the shop in: plans, prices, customers, their tokens and subscriptions, all through the API.

Every call carries an idempotency key made of the row it hands in, so that doing it all again changes nothing.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from billing.demo.calling import Caller
from billing.demo.catalogue import Catalogue, Customer, Plan, Price
from billing.demo.provider import Provider

_THREADS = 4


def load(api: Caller, provider: Provider, account: str, catalogue: Catalogue, handed_in: Callable[[], None]) -> None:
    """Hand in what is not there yet; `handed_in` is told of each customer. Raises UnexpectedAnswer."""
    price_ids = _hand_in_prices(api, catalogue)

    def one(customer: Customer) -> None:
        currency = catalogue.currency_of(customer)
        price_id = price_ids[customer.plan, customer.country]
        _hand_in_customer(api, provider, account, customer, (currency, price_id))
        handed_in()

    with ThreadPoolExecutor(_THREADS, "loading") as pool:
        for _ in pool.map(one, catalogue.customers.values()):
            pass


def add_token(api: Caller, account: str, customer_id: str, currency: str, token: str, key: str) -> str:
    """Give a recurring token to the vault; returns the id under which it is known from then on."""
    body = {"provider_account": account, "currency": currency, "token": token}
    return str(api.post(f"/v1/customers/{customer_id}/tokens", body, key)["id"])


def tokens_of(api: Caller, customer_id: str) -> list[str]:
    """Ids of the customer's tokens, oldest first."""
    rows: list[dict[str, Any]] = api.get(f"/v1/customers/{customer_id}/tokens")["data"]
    return [str(row["id"]) for row in sorted(rows, key=lambda row: str(row["id"]))]


def _hand_in_prices(api: Caller, catalogue: Catalogue) -> Mapping[tuple[str, str], str]:
    plans = {plan.reference: (plan, _hand_in_plan(api, plan)) for plan in catalogue.plans}
    return {(price.plan, price.country): _hand_in_price(api, price, *plans[price.plan]) for price in catalogue.prices}


def _hand_in_plan(api: Caller, plan: Plan) -> str:
    return str(api.post("/v1/plans", dict(plan.body), f"demo/plan/{plan.reference}")["id"])


def _hand_in_price(api: Caller, price: Price, plan: Plan, plan_id: str) -> str:
    body = {
        "plan_id": plan_id,
        "currency": price.currency,
        "interval": plan.interval,
        "interval_count": plan.interval_count,
        "items": [dict(item) for item in price.items],
    }
    return str(api.post("/v1/prices", body, f"demo/price/{price.plan}/{price.country}")["id"])


def _hand_in_customer(api: Caller, provider: Provider, account: str, customer: Customer, what: tuple[str, str]) -> None:
    currency, price_id = what
    names = ("reference", "name", "email", "country", "zone", "locale")
    body = {name: getattr(customer, name) for name in names}
    shown, was_known = api.post_once("/v1/customers", body, f"demo/customer/{customer.reference}")
    known = tokens_of(api, shown["id"]) if was_known else []
    token_id = known[0] if known else _first_token(api, provider, account, customer, (shown["id"], currency))
    subscription = {"customer_id": shown["id"], "price_id": price_id, "token_id": token_id}
    if customer.starts_at is not None:
        subscription["start_at"] = customer.starts_at.isoformat()
    api.post("/v1/subscriptions", subscription, f"demo/subscription/{customer.reference}")


def _first_token(api: Caller, provider: Provider, account: str, customer: Customer, where: tuple[str, str]) -> str:
    customer_id, currency = where
    token = provider.sign_up(customer, currency, customer.behaviour, customer.reference)
    if customer.fault:
        provider.script_first_charge(token, customer.fault)
    return add_token(api, account, customer_id, currency, token, f"demo/token/{customer.reference}")
