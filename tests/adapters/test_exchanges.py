"""The judge of a run's exchanges: finds what is wrong, leaves out what is so on purpose, says where it cannot judge."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.conftest import SandboxProcess
from tests.adapters.exchanges import DOCUMENT, Specification, documents, read_exchanges
from tests.judged_exchanges import DIRECTORY_VARIABLE, verdict

ORDER = "/customer-token/v1/tokens/tok/order"
LINE = {"name": "Coffee", "quantity": 1, "unit_price": 1990, "total_amount": 1990}
BODY = {"purchase_currency": "EUR", "order_amount": 1990, "order_tax_amount": 0, "order_lines": [LINE]}
ANSWER = {"order_id": "o", "fraud_status": "ACCEPTED", "redirect_url": "https://shop.example"}


@pytest.fixture
def specification() -> Specification:
    if not (documents() / DOCUMENT).is_file():
        pytest.skip(f"{DOCUMENT} is not in {documents()}; set KLARNA_OPENAPI_DIR")
    return Specification.at(documents())


def exchange(**changes: Any) -> dict[str, Any]:
    """A charge and its answer, as the document has them."""
    headers = {"Content-Type": "application/json", "Klarna-Correlation-Id": "c"}
    said = {"method": "POST", "path": ORDER, "key": None, "fault": None, "status": 200, "headers": headers}
    return said | {"request": json.dumps(BODY), "answer": json.dumps(ANSWER)} | changes


def test_an_exchange_as_documented_is_judged_and_has_no_fault(specification: Specification) -> None:
    assert specification.faults([exchange()]) == []
    assert specification.judged == {"answers": 1, "requests": 1}


@pytest.mark.parametrize(
    "changes",
    [
        {"answer": json.dumps(ANSWER | {"order_id": 7})},
        {"answer": "{}"},
        {"answer": "<html/>"},
        {"answer": ""},
        {"status": 206},
        {"request": json.dumps(BODY | {"order_amount": "1990"})},
        {"request": json.dumps(BODY | {"order_lines": []})},
        {"status": 400, "answer": json.dumps({"error_code": 7})},
    ],
)
def test_an_exchange_that_is_not_as_documented_is_a_fault(specification: Specification, changes: Any) -> None:
    assert specification.faults([exchange(**changes)]) != []


@pytest.mark.parametrize(
    "changes",
    [
        {"fault": "garbage", "answer": "<html/>"},
        {
            "status": 400,
            "request": "{}",
            "answer": json.dumps({"error_code": "BAD_VALUE", "error_messages": [], "correlation_id": "c"}),
        },
        {"path": "/nowhere", "answer": "nothing"},
    ],
)
def test_what_is_wrong_on_purpose_is_left_out(specification: Specification, changes: Any) -> None:
    assert specification.faults([exchange(**changes)]) == []


def test_the_body_under_a_repeated_key_is_not_looked_at(specification: Specification) -> None:
    first, again = exchange(key="k"), exchange(key="k", request="{}")
    assert specification.faults([first, again]) == []
    assert specification.faults([again]) != []


def test_the_sandboxes_of_this_run_are_recorded(sandbox: SandboxProcess) -> None:
    order_id = sandbox.order_id()
    recorded = list(read_exchanges(_directory()))
    [one] = [each for each in recorded if order_id in each["answer"] and each["path"].endswith("/order")]
    assert (one["status"], json.loads(one["request"])["order_amount"]) == (200, 1990)


def test_without_the_document_the_run_says_so_and_is_refused_where_nothing_may_be_skipped(tmp_path: Path) -> None:
    (tmp_path / "1.jsonl").write_text(json.dumps(exchange()) + "\n")
    good, said = verdict(tmp_path, tmp_path, "")
    assert (good, "were not judged" in said[0]) == (True, True)
    assert verdict(tmp_path, tmp_path, "all") == (False, said)


def test_a_fault_makes_the_run_fail_and_is_named(tmp_path: Path, specification: Specification) -> None:
    (tmp_path / "1.jsonl").write_text(json.dumps(exchange(answer="{}")) + "\n")
    good, said = verdict(tmp_path, documents(), "")
    assert (good, "1 answers" in said[0]) == (False, True)
    assert "order_id" in " ".join(said[1:])


def _directory() -> Path:
    return Path(os.environ[DIRECTORY_VARIABLE])
