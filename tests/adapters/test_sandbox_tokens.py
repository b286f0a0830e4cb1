"""Where tokens come from: named ones from the start, pages for a person, the Payments API for a shop."""

import re

import httpx
import pytest

BEHAVIOURS = [
    "always_ok",
    "decline_soft",
    "decline_hard",
    "suspended",
    "flaky",
    "pending_then_ok",
    "pending_then_rejected",
]


@pytest.fixture
def browser(sandbox):
    with httpx.Client(base_url=sandbox.url) as client:
        yield client


def listed(sandbox):
    return {row["token"]: row for row in sandbox.client.get("/_sandbox/tokens").json()["tokens"]}


def test_the_named_tokens_are_there_from_the_start_in_both_generations(start_sandbox):
    tokens = listed(start_sandbox())
    assert list(tokens) == BEHAVIOURS
    assert {tuple(row["generations"]) for row in tokens.values()} == {("rest", "legacy")}


@pytest.mark.parametrize("currency", ["EUR", "SEK"])
def test_a_named_token_takes_any_currency_and_its_country(sandbox, currency):
    order = sandbox.read(sandbox.order_id("always_ok", purchase_currency=currency)).json()
    assert (order["purchase_currency"], order["purchase_country"]) == (
        currency.lower(),
        {"EUR": "de", "SEK": "se"}[currency],
    )


def test_a_named_token_keeps_its_fate(start_sandbox):
    sandbox = start_sandbox()
    codes = [sandbox.charge("decline_hard").json()["error_code"] for _ in range(2)]
    assert (codes, listed(sandbox)["decline_hard"]["status"]) == (["TOKEN_CANCELLED"] * 2, "CANCELLED")
    sandbox.client.post("/_sandbox/tokens/decline_hard", json={"status": "ACTIVE"}).raise_for_status()
    assert listed(sandbox)["decline_hard"]["status"] == "ACTIVE"


def test_a_token_is_suspended_and_woken_by_hand(sandbox):
    token = sandbox.token()
    statuses = []
    for status in ("SUSPENDED", "ACTIVE"):
        sandbox.client.post(f"/_sandbox/tokens/{token}", json={"status": status}).raise_for_status()
        statuses.append(sandbox.charge(token).status_code)
    assert statuses == [403, 200]


@pytest.mark.parametrize(
    "wish",
    [
        {"behaviour": "moody"},
        {"behaviour": "always_ok", "generation": "third"},
        {"behaviour": "always_ok", "currency": "XXX"},
        {"behaviour": "always_ok", "currency": "SEK", "country": "DE"},
        {"behaviour": "always_ok", "seed": ""},
    ],
)
def test_a_token_that_makes_no_sense_is_refused(sandbox, wish):
    assert sandbox.client.post("/_sandbox/tokens", json=wish).status_code == 422


def form_of(page):
    """Where the page's form goes, and the names of its fields."""
    assert page.status_code == 200
    assert "src=" not in page.text
    return re.search(r'action="([^"]+)"', page.text)[1], re.findall(r'name="(\w+)"', page.text)


def shown(page, name):
    return re.search(rf'id="{name}">([^<]+)<', page.text)[1]


def test_a_person_approves_the_session_of_a_shop_and_the_shop_gets_its_token(sandbox, browser):
    session_id = sandbox.session().json()["session_id"]
    page = browser.get(f"/_sandbox/sessions/{session_id}")
    action, fields = form_of(page)
    assert ("Coffee" in page.text, fields) == (True, ["token", "seed"])
    approved = browser.post(action, data={"token": "always_ok", "seed": ""})
    token = sandbox.create_token(shown(approved, "authorization_token")).json()["token_id"]
    assert sandbox.charge(token).status_code == 200


def test_a_person_without_a_shop_makes_the_token_too(sandbox, browser):
    session_id = sandbox.session().json()["session_id"]
    approved = browser.post(f"/_sandbox/sessions/{session_id}/approve", data={"token": "decline_soft"})
    action, _ = form_of(approved)
    assert sandbox.charge(shown(browser.post(action, data={"button": "pressed"}), "token_id")).status_code == 403


@pytest.mark.parametrize("generation", ["rest", "legacy"])
def test_a_token_of_either_generation_is_had_from_one_page(sandbox, older, browser, generation):
    action, fields = form_of(browser.get("/_sandbox/approve"))
    assert fields == ["generation", "country", "token", "seed"]
    wish = {"generation": generation, "country": "SE", "token": "always_ok"}
    token = shown(browser.post(action, data=wish), "token")
    charged = sandbox.charge(token, purchase_currency="SEK") if generation == "rest" else older.order(token)
    assert charged.status_code == 200


def test_the_first_page_shows_the_way_and_names_nothing_from_elsewhere(sandbox):
    for path in ("/", "/_sandbox", "/_sandbox/"):
        page = httpx.get(sandbox.url + path)
        assert page.headers["Content-Type"].startswith("text/html")
        assert "/_sandbox/approve" in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_what_a_shop_sends_is_shown_as_text(sandbox, coffee_line):
    session_id = sandbox.session(order_lines=[coffee_line(name="<script>")]).json()["session_id"]
    page = httpx.get(f"{sandbox.url}/_sandbox/sessions/{session_id}").text
    assert ("<script>" in page, "&lt;script&gt;" in page) == (False, True)


def test_a_session_is_read_updated_and_turned_into_an_order(sandbox, coffee_line):
    authorization = sandbox.authorization(intent="buy")
    body = {"purchase_country": "DE", "purchase_currency": "EUR", "order_amount": 1990, "order_tax_amount": 398}
    path = f"/payments/v1/authorizations/{authorization}/order"
    wrong = sandbox.client.post(path, json=body | {"order_lines": [coffee_line()], "purchase_country": "AT"})
    placed = sandbox.client.post(path, json=body | {"order_lines": [coffee_line()], "auto_capture": True})
    assert (wrong.status_code, placed.status_code) == (409, 200)
    assert sandbox.read(placed.json()["order_id"]).json()["status"] == "CAPTURED"
    assert sandbox.client.post(path, json=body | {"order_lines": [coffee_line()]}).status_code == 404


def test_another_cart_leaves_a_session_what_it_was_opened_for(sandbox, coffee_line):
    opened = sandbox.session(intent="buy_and_tokenize", merchant_reference1="cart-1").json()
    path = f"/payments/v1/sessions/{opened['session_id']}"
    lines = [coffee_line(quantity=2, total_amount=3980, total_tax_amount=796)]
    assert sandbox.client.post(path, json={"order_amount": 3980, "order_lines": lines}).status_code == 204
    read = sandbox.client.get(path).json()
    assert (read["intent"], read["merchant_reference1"], read["order_amount"]) == ("buy_and_tokenize", "cart-1", 3980)
    assert (read["purchase_country"], read["locale"], read["client_token"]) == ("DE", "de-DE", opened["client_token"])
    approved = sandbox.client.post(f"/_sandbox{path.removeprefix('/payments/v1')}/approve", json={"token": "always_ok"})
    assert sandbox.create_token(approved.json()["authorization_token"]).status_code == 200


def test_another_amount_than_that_of_the_cart_is_refused(sandbox):
    session_id = sandbox.session(intent="buy").json()["session_id"]
    refused = sandbox.client.post(f"/payments/v1/sessions/{session_id}", json={"order_amount": 5})
    assert (refused.status_code, refused.json()["error_code"]) == (400, "BAD_VALUE")


def test_token_and_order_come_of_one_authorization_that_was_for_both(sandbox, coffee_line):
    authorization = sandbox.authorization(intent="buy_and_tokenize")
    assert sandbox.create_token(authorization).status_code == 200
    body = {"purchase_country": "DE", "purchase_currency": "EUR", "order_amount": 1990, "order_tax_amount": 398}
    path = f"/payments/v1/authorizations/{authorization}"
    assert sandbox.client.post(f"{path}/order", json=body | {"order_lines": [coffee_line()]}).status_code == 200
    assert sandbox.client.delete(path).status_code == 404


def test_a_cancelled_authorization_makes_no_token(sandbox):
    authorization = sandbox.authorization()
    assert sandbox.client.delete(f"/payments/v1/authorizations/{authorization}").status_code == 204
    assert sandbox.create_token(authorization).status_code == 404
