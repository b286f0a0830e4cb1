"""What merchant and customers do while time passes: cancels, refunds, new tokens. All of it through the API.

Each action may be done twice with the effect of one: it finds the same rows again and carries the same key.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing.demo.calling import Caller, UnexpectedAnswer
from billing.demo.catalogue import Action, Catalogue
from billing.demo.loading import add_token, tokens_of
from billing.demo.provider import Provider


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that an action reaches."""

    api: Caller
    provider: Provider
    account: str
    catalogue: Catalogue


def perform(stage: Stage, action: Action) -> None:
    """Do it, under a key of its own. Raises UnexpectedAnswer where the service refuses."""
    customer_id = _only(stage.api.get("/v1/customers", reference=action.customer), action.customer)["id"]
    _DOING[action.what](stage, action, customer_id)


def _cancel_now(stage: Stage, action: Action, customer_id: str) -> None:
    _cancel(stage, action, customer_id, {"at": "now", "credit": "none"})


def _cancel_and_refund(stage: Stage, action: Action, customer_id: str) -> None:
    unshipped = (
        [{"article_number": action.article_number, "quantity": action.quantity}] if action.article_number else []
    )
    _cancel(stage, action, customer_id, {"at": "now", "credit": "refund", "unshipped": unshipped})


def _cancel_at_period_end(stage: Stage, action: Action, customer_id: str) -> None:
    _cancel(stage, action, customer_id, {"at": "period_end"})


def _cancel(stage: Stage, action: Action, customer_id: str, body: dict[str, Any]) -> None:
    stage.api.post(f"/v1/subscriptions/{_subscription(stage, customer_id)}/cancel", body, _key(action))


def _refund_units(stage: Stage, action: Action, customer_id: str) -> None:
    invoice = _latest_paid(stage, action, customer_id)
    line_id = next(line["id"] for line in invoice["lines"] if line["article_number"] == action.article_number)
    lines = [{"line_id": line_id, "quantity": action.quantity}]
    _refund(stage, action, {"invoice_id": invoice["id"], "reason": "returned", "lines": lines})


def _refund_amount(stage: Stage, action: Action, customer_id: str) -> None:
    invoice = _latest_paid(stage, action, customer_id)
    amount = {"amount": action.amount, "currency": invoice["total"]["currency"]}
    _refund(stage, action, {"invoice_id": invoice["id"], "reason": "goodwill", "amount": amount})


def _refund_whole(stage: Stage, action: Action, customer_id: str) -> None:
    invoice = _latest_paid(stage, action, customer_id)
    _refund(stage, action, {"invoice_id": invoice["id"], "reason": "withdrawal"})


def _refund(stage: Stage, action: Action, body: dict[str, Any]) -> None:
    stage.api.post("/admin/v1/refunds", body, _key(action))


def _new_token(stage: Stage, action: Action, customer_id: str) -> None:
    customer, known = stage.catalogue.customers[action.customer], tokens_of(stage.api, customer_id)
    if len(known) > 1:
        token_id = known[1]
    else:
        currency = stage.catalogue.currency_of(customer)
        token = stage.provider.sign_up(customer, currency, "always_ok", f"{customer.reference}/2")
        token_id = add_token(stage.api, stage.account, customer_id, currency, token, f"{_key(action)}/token")
    path = f"/v1/subscriptions/{_subscription(stage, customer_id)}/token"
    stage.api.post(path, {"token_id": token_id}, _key(action))


_DOING: Mapping[str, Callable[[Stage, Action, str], None]] = {
    "cancel_now": _cancel_now,
    "cancel_and_refund": _cancel_and_refund,
    "cancel_at_period_end": _cancel_at_period_end,
    "refund_units": _refund_units,
    "refund_amount": _refund_amount,
    "refund_whole": _refund_whole,
    "new_token": _new_token,
}


def _key(action: Action) -> str:
    return f"demo/{action.what}/{action.customer}/{action.at:%Y-%m-%d}"


def _subscription(stage: Stage, customer_id: str) -> str:
    return str(_only(stage.api.get("/v1/subscriptions", customer_id=customer_id), customer_id)["id"])


def _latest_paid(stage: Stage, action: Action, customer_id: str) -> dict[str, Any]:
    """The customer's newest paid invoice as of the action's own instant, whenever it is looked for."""
    invoices = stage.api.get("/v1/invoices", customer_id=customer_id, status="paid", limit="200")["data"]
    due = [row for row in invoices if datetime.fromisoformat(row["opened_at"]) <= action.at and row["total"]["amount"]]
    if not due:
        raise UnexpectedAnswer(f"{action.customer} has no paid invoice on {action.at:%Y-%m-%d}")
    newest = max(due, key=lambda row: (row["opened_at"], row["id"]))
    found: dict[str, Any] = stage.api.get(f"/v1/invoices/{newest['id']}")
    return found


def _only(answer: dict[str, Any], about: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = answer["data"]
    if len(rows) != 1:
        raise UnexpectedAnswer(f"{len(rows)} rows answer to {about}, one was expected")
    return rows[0]
