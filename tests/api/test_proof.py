"""The proof of a period: complete, recomputable by anybody, the same over HTTP and on the command line."""

import hashlib
import json
import sqlite3
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid5

import httpx
import pytest
from click.testing import CliRunner

from billing.cli import main
from billing.domain.operations import OperationKind
from billing.ports import Answer, Declined, Refused
from tests.api.service import Service


@pytest.fixture
def period(service: Service, client: httpx.Client) -> str:
    """The id of a period that was declined once, then purchased, captured and sealed."""
    service.shop.gateway.answer(OperationKind.PURCHASE, Declined(Answer(402, "PAYMENT_METHOD_FAILED"), "soft"))
    row = service.shop.subscription()
    service.tick()
    for _ in range(2):
        service.shop.clock.set(service.loops.next_due_at())
        service.tick()
    service.shop.clock.set(service.shop.clock.now() + timedelta(hours=1))
    service.loops.seal()
    return client.get(f"/v1/subscriptions/sub_{row.id.hex}/periods").json()["data"][0]["id"]


def proof(client: httpx.Client, period: str) -> dict[str, object]:
    answer = client.get(f"/v1/periods/{period}/proof")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_proof_shows_one_live_purchase_and_why_the_others_are_dead(client: httpx.Client, period: str) -> None:
    (invoice,) = proof(client, period)["invoices"]
    assert (invoice["live_purchases"], invoice["status"]) == (1, "paid")
    assert invoice["statement"] == (
        "Of 2 purchase(s) of this invoice exactly 1 can take money; 1 dead, each with its proof."
    )
    dead, live, _ = invoice["operations"]
    assert (dead["dead_because"], live["standing"]) == ("declined: PAYMENT_METHOD_FAILED", "live")
    assert [line["derivation"] for line in invoice["lines"]]


def test_anybody_can_make_every_key_reference_and_digest_again(
    service: Service, client: httpx.Client, period: str
) -> None:
    for call in proof(client, period)["invoices"][0]["operations"]:
        key = uuid5(UUID(call["key"]["namespace"]), "|".join(call["key"]["parts"]))
        assert (str(key), call["key"]["is_its_own"], call["request_has_this_digest"]) == (
            call["key"]["key"],
            True,
            True,
        )
        assert call["merchant_reference"] == "op-" + hashlib.sha256(key.bytes).hexdigest()[:20]
        sent = next(sent for sent in service.shop.gateway.calls if sent.key == key)
        assert hashlib.sha256(sent.request.body).hexdigest() == call["request_sha256"]


def test_a_proof_has_answers_bookings_and_the_seals_over_them(client: httpx.Client, period: str) -> None:
    (invoice,) = proof(client, period)["invoices"]
    assert [seen["outcome"] for seen in invoice["operations"][0]["observations"]] == ["declined"]
    for booking in invoice["ledger"]:
        assert sum(entry["amount"]["amount"] for entry in booking["entries"]) == 0
        assert len(booking["seal"]["sha256"]) == 64
    assert invoice["operations"][0]["reveals"][0]["seal"]["seq"] == 1


def test_a_proof_holds_no_token(client: httpx.Client, period: str) -> None:
    found = json.dumps(proof(client, period))
    assert "token-text" not in found
    assert "{token}" in found


def test_what_a_person_decided_stands_in_the_proof(service: Service, client: httpx.Client) -> None:
    service.shop.gateway.answer(OperationKind.PURCHASE, Refused(Answer(400, "BAD_VALUE")))
    row = service.shop.subscription()
    service.tick()
    (stuck,) = client.get("/v1/operations").json()["data"]
    body = {"verb": "retire", "then": "purchase_again", "reason": "a typo of ours"}
    client.post(f"/admin/v1/operations/{stuck['id']}/decisions", json=body)
    period = client.get(f"/v1/subscriptions/sub_{row.id.hex}/periods").json()["data"][0]["id"]
    retired = proof(client, period)["invoices"][0]["operations"][0]
    assert retired["decisions"][0]["reason"] == "a typo of ours"
    assert "a typo of ours" in retired["dead_because"]


@pytest.mark.parametrize("id_", [f"per_{'0' * 32}", "per_1", f"inv_{'0' * 32}"])
def test_the_proof_of_an_unknown_period_is_a_404_problem(client: httpx.Client, id_: str) -> None:
    answer = client.get(f"/v1/periods/{id_}/proof")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


# --- the same on the command line, while the service runs ------------------------------------------------------


@pytest.fixture
def commands(service: Service, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BILLING_DATABASE__URL", f"sqlite:///{service.file}")
    return service.file


def said(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


def test_the_command_prints_what_the_api_answers(client: httpx.Client, period: str, commands: Path) -> None:
    before = hashlib.sha256(commands.read_bytes()).hexdigest()
    code, printed = said("proof", period, "--json")
    assert (code, json.loads(printed)) == (0, proof(client, period))
    assert hashlib.sha256(commands.read_bytes()).hexdigest() == before
    code, text = said("proof", period)
    assert (code, "exactly 1 can take money" in text, "UUIDv5(" in text) == (0, True, True)


def test_the_command_says_where_something_does_not_fit(period: str, commands: Path) -> None:
    with sqlite3.connect(commands) as connection:
        connection.execute("UPDATE operations SET request = x'00' WHERE kind = 'capture'")
    connection.close()
    code, text = said("proof", period)
    assert (code, "WHICH THE KEPT BYTES DO NOT HAVE" in text) == (1, True)


@pytest.mark.usefixtures("commands")
def test_a_period_that_is_not_there_is_exit_code_1() -> None:
    assert said("proof", f"per_{'0' * 32}") == (1, "no proof: there is no such period\n")
    assert said("proof", "nonsense")[0] == 1


@pytest.mark.usefixtures("commands")
def test_the_lists_of_the_commands_say_by_their_exit_code_whether_there_is_anything(service: Service) -> None:
    assert said("attention") == (0, "nothing needs a person\n")
    assert said("operations", "--status", "unknown") == (0, "there are none\n")
    service.shop.gateway.answer(OperationKind.PURCHASE, Refused(Answer(400, "BAD_VALUE", "wrong")))
    service.shop.subscription()
    service.tick()
    code, table = said("attention")
    assert (code, "39.70 SEK" in table, "1 of 1 shown" in table) == (1, True, True)
    code, table = said("operations", "--status", "needs_operator")
    assert (code, "refused BAD_VALUE wrong" in table) == (1, True)
    assert json.loads(said("attention", "--json")[1])["count"] == 1
