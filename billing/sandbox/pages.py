"""Pages for a person: what there is, and approving a purchase, so that a token comes of it.

Plain forms without scripts or styles from elsewhere. What a form sends may be sent as JSON too, and is then
answered with JSON.
"""

import json
from collections.abc import Iterable
from html import escape
from typing import Any
from urllib.parse import parse_qs

from billing.sandbox import aggregated, orders, payments, tokens
from billing.sandbox.control import GENERATIONS, read_wish
from billing.sandbox.places import CURRENCIES, LEGACY_COUNTRIES, NOT_TOKENIZED, locale_of
from billing.sandbox.scripts import unprocessable
from billing.sandbox.wire import Answer, Call, Refusal, json_answer
from billing.sandbox.world import World, new_id

_FORM = "application/x-www-form-urlencoded"
_LINKS = (
    ("/_sandbox/approve", "Approve a purchase and get a token"),
    ("/_sandbox/tokens", "Tokens and their behaviour"),
    ("/_sandbox/ledger", "The books"),
    ("/_sandbox/ledger.csv", "The books as a table"),
    ("/_sandbox/settings", "Settings"),
    ("/_sandbox/script", "Faults still to come"),
    ("/_sandbox/clock", "The clock"),
)


def index(world: World, call: Call) -> Answer:  # noqa: ARG001  every call is answered through one signature
    links = "".join(f'<li><a href="{path}">{escape(text)}</a></li>' for path, text in _LINKS)
    now = f"<p>It is {world.clock.stamp_now()} here.</p>"
    recent = world.ledger.rows("SELECT * FROM orders ORDER BY rowid DESC LIMIT 20")
    return _page("Sandbox", f"{now}<ul>{links}</ul><h2>Latest orders</h2>{_order_table(recent)}")


def sign_up(world: World, call: Call) -> Answer:  # noqa: ARG001  every call is answered through one signature
    places = [country for country in CURRENCIES if country not in NOT_TOKENIZED]
    fields = (
        _choice("generation", "Generation", GENERATIONS)
        + _choice("country", "Country", sorted(places))
        + _behaviour_fields()
    )
    return _page("Approve a purchase", _form("/_sandbox/approve", fields))


def signed_up(world: World, call: Call) -> Answer:
    """A token of either generation at once, for those who have no shop at hand to open a session."""
    wish = _wish(call)
    behaviour, seed = read_wish(wish)
    generation, country = wish.get("generation", orders.REST), str(wish.get("country", "DE")).upper()
    if generation not in GENERATIONS:
        raise unprocessable(f"generation must be one of {', '.join(GENERATIONS)}.")
    if country not in (LEGACY_COUNTRIES if generation == orders.LEGACY else CURRENCIES.keys() - NOT_TOKENIZED):
        raise unprocessable("country must be one where that generation has recurring payments.")
    token_id = new_id()
    tokens.add(
        world,
        token_id,
        behaviour=behaviour,
        seed=seed,
        generation=generation,
        currency=CURRENCIES[country],
        country=country,
        locale=locale_of(country),
    )
    return _told(call, {"token": token_id, "generation": generation}, "The purchase is approved.")


def session(world: World, call: Call) -> Answer:
    """What Klarna's widget would show: the purchase, and a button."""
    found = payments.existing_session(world, call.ids[0])
    content = json.loads(found["content"])
    shown = _lines_table(content.get("order_lines", []), found["currency"])
    form = _form(f"/_sandbox/sessions/{found['session_id']}/approve", _behaviour_fields())
    return _page("Approve the purchase", f"<p>{escape(found['intent'])}, {escape(found['country'])}</p>{shown}{form}")


def approve_session(world: World, call: Call) -> Answer:
    """What the customer does in the browser; `token` names how the token that comes of it will behave."""
    behaviour, seed = read_wish(_wish(call))
    authorization_token = payments.approve_session(world, call.ids[0], behaviour, seed)
    said = "The purchase is approved. Within an hour, the shop turns the authorization into a customer token."
    form = _form(f"/_sandbox/authorizations/{authorization_token}/token", "", "Do what the shop does")
    return _told(call, {"authorization_token": authorization_token}, said, form)


def make_token(world: World, call: Call) -> Answer:
    """What the shop does with an authorization, for a person who has no shop at hand."""
    token_id = payments.token_of(world, call.ids[0])
    return _told(call, {"token_id": token_id}, "This is the customer token.")


def checkout(world: World, call: Call) -> Answer:
    """The page of the older checkout."""
    found = aggregated.existing(world, call.ids[0])
    items = json.loads(found["content"])["cart"]["items"]
    shown = _lines_table(items, json.loads(found["content"])["purchase_currency"])
    form = _form(f"/_sandbox/checkouts/{found['checkout_id']}/approve", _behaviour_fields())
    is_open = found["status"] == aggregated.INCOMPLETE
    return _page("Checkout", shown + (form if is_open else "<p>The purchase is complete.</p>"))


def approve_checkout(world: World, call: Call) -> Answer:
    behaviour, seed = read_wish(_wish(call))
    token_id = aggregated.complete(world, call.ids[0], behaviour, seed)
    reservation = aggregated.existing(world, call.ids[0])["order_id"]
    result = {"reservation": reservation} | ({"recurring_token": token_id} if token_id else {})
    return _told(call, result, "The purchase is complete.")


def _wish(call: Call) -> dict[str, Any]:
    """What was sent, by a form or as JSON; an empty field of a form counts as left out."""
    if not call.content_type.lower().startswith(_FORM):
        return call.body
    try:
        sent = parse_qs(call.raw.decode("utf-8"), max_num_fields=100)
    except ValueError:
        raise Refusal(400, "BAD_REQUEST", "The form cannot be read.") from None
    return {name: values[-1] for name, values in sent.items()}


def _told(call: Call, result: dict[str, Any], sentence: str, form: str = "") -> Answer:
    if not call.content_type.lower().startswith(_FORM):
        return json_answer(result)
    rows = "".join(
        f'<dt>{escape(name)}</dt><dd><code id="{escape(name)}">{escape(str(value))}</code></dd>'
        for name, value in result.items()
    )
    return _page("Approved", f"<p>{escape(sentence)}</p><dl>{rows}</dl>{form}")


def _page(title: str, content: str) -> Answer:
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title></head>'
        f"<body><h1>{escape(title)}</h1>{content}<p><a href='/_sandbox/'>Sandbox</a></p></body></html>"
    )
    policy = "default-src 'none'; form-action 'self'; base-uri 'none'"
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy}
    return Answer(200, html.encode(), headers)


def _form(action: str, fields: str, button: str = "Approve") -> str:
    return f'<form method="post" action="{escape(action)}">{fields}<p><button>{escape(button)}</button></p></form>'


def _behaviour_fields() -> str:
    seed = '<p><label>Seed <input name="seed"></label></p>'
    return _choice("token", "How the token will behave", tokens.BEHAVIOURS) + seed


def _choice(name: str, label: str, values: Iterable[str]) -> str:
    options = "".join(f"<option>{escape(value)}</option>" for value in values)
    return f'<p><label>{escape(label)} <select name="{name}">{options}</select></label></p>'


def _order_table(rows: Iterable[Any]) -> str:
    names = ("order_id", "generation", "status", "order_amount", "captured_amount", "refunded_amount", "currency")
    cells = ("".join(f"<td>{escape(str(row[name]))}</td>" for name in names) for row in rows)
    return _table((name.replace("_", " ") for name in names), cells)


def _lines_table(lines: Iterable[dict[str, Any]], currency: str) -> str:
    cells = (
        "".join(f"<td>{escape(str(line.get(name, '')))}</td>" for name in ("name", "quantity", "unit_price"))
        + f"<td>{escape(currency)}</td>"
        for line in lines
    )
    return _table(("name", "quantity", "unit price (minor units)", "currency"), cells)


def _table(names: Iterable[str], rows: Iterable[str]) -> str:
    heading = "".join(f"<th>{escape(name)}</th>" for name in names)
    return f"<table><tr>{heading}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"
