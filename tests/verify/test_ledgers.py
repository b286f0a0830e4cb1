"""I1 and I3 against the provider's own ledger, in every form in which it may come."""

import csv
import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from verify.breaking import broken
from verify.scene import Lived, checked, only

from billing.verify import NotVerifiable

COLUMNS = [
    *("generation", "kind", "id", "order_id", "amount", "currency", "merchant_reference1", "merchant_reference2"),
    *("reference", "idempotency_key", "status", "at"),
]

_DONE = """
SELECT o.kind, o.provider_id, COALESCE(p.provider_id, o.provider_id) AS order_id, o.amount, o.currency, o.invoice_id,
  COALESCE(p.merchant_reference, o.merchant_reference) AS of_order, o.merchant_reference, o."authorization"
FROM operations o LEFT JOIN operations p ON p.id = o.purchase_id
WHERE o.kind IN ('purchase', 'capture', 'refund') AND o.status = 'succeeded' ORDER BY o.id
"""
Row = dict[str, Any]


def provider_rows(shop: Lived) -> list[Row]:
    """What an honest provider would export for everything that succeeded here."""
    with shop.database.tx() as session:
        found = session.execute(text(_DONE)).mappings().all()
    return [
        {
            "generation": "rest",
            "kind": "order" if row["kind"] == "purchase" else row["kind"],
            "id": row["provider_id"],
            "order_id": row["order_id"],
            "amount": row["amount"],
            "currency": row["currency"],
            "merchant_reference1": f"inv_{str(row['invoice_id']).replace('-', '')}",
            "merchant_reference2": row["of_order"],
            "reference": None if row["kind"] == "purchase" else row["merchant_reference"],
            "idempotency_key": None,
            "status": "CANCELLED" if row["authorization"] == "voided" else "CAPTURED",
            "at": "2028-01-31T08:00:00.000Z",
        }
        for row in found
    ]


def as_csv(tmp_path: Path, rows: list[Row], columns: Sequence[str] = COLUMNS) -> Path:
    path = tmp_path / "ledger.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_json(tmp_path: Path, rows: list[Row]) -> Path:
    tables: dict[str, list[Row]] = {"orders": [], "captures": [], "refunds": []}
    for row in rows:
        if row["kind"] == "order":
            tables["orders"].append({**row, "order_amount": row["amount"], "created_at": row["at"]} | {"amount": None})
            tables["orders"][-1].pop("amount")
        else:
            named = {f"{row['kind']}_id": row["id"], "order_id": row["order_id"], "amount": row["amount"]}
            tables[f"{row['kind']}s"].append({**named, "reference": row["reference"]})
    path = tmp_path / "ledger.json"
    path.write_text(json.dumps(tables))
    return path


@pytest.mark.parametrize("written", [as_csv, as_json])
def test_an_honest_ledger_agrees_in_both_forms(shop: Lived, tmp_path: Path, written: Any) -> None:
    report = checked(shop, ledgers=[written(tmp_path, provider_rows(shop))])
    assert report.holds, report.as_text()
    assert report.breaches["I3"] == 0


def test_the_smallest_form_agrees(sqlite_shop: Lived, tmp_path: Path) -> None:
    columns = ["kind", "id", "order_id", "amount", "currency"]
    ledger = as_csv(tmp_path, provider_rows(sqlite_shop), columns)
    assert checked(sqlite_shop, ledgers=[f"main={ledger}"]).holds


def changed(rows: list[Row], kind: str, **columns: object) -> list[Row]:
    row = next(row for row in rows if row["kind"] == kind)
    row.update(columns)
    return rows


@pytest.mark.parametrize("kind", ["order", "capture", "refund"])
@pytest.mark.parametrize("columns", [{"amount": 1}, {"currency": "EUR"}], ids=["another amount", "another currency"])
def test_another_amount_or_currency_breaks_i3(
    sqlite_shop: Lived, tmp_path: Path, kind: str, columns: dict[str, object]
) -> None:
    rows = changed(provider_rows(sqlite_shop), kind, **columns)
    report = checked(sqlite_shop, ledgers=[as_csv(tmp_path, rows)])
    assert only(report, "I3") == ["what both have is the same amount, currency and reference"]


@pytest.mark.parametrize("kind", ["order", "capture", "refund"])
def test_what_only_the_provider_has_breaks_i3(sqlite_shop: Lived, tmp_path: Path, kind: str) -> None:
    rows = provider_rows(sqlite_shop)
    row = next(row for row in rows if row["kind"] == kind)
    strange = {"id": "strange", "merchant_reference1": "inv_x", "merchant_reference2": "op-x", "reference": "op-y"}
    report = checked(sqlite_shop, ledgers=[as_csv(tmp_path, [*rows, {**row, **strange}])])
    assert only(report, "I3") == ["what the provider did has its one row here"]
    assert report.stops == ({"main"} if kind == "order" else frozenset())


@pytest.mark.parametrize("kind", ["order", "capture", "refund"])
def test_what_only_we_have_breaks_i3(sqlite_shop: Lived, tmp_path: Path, kind: str) -> None:
    rows = provider_rows(sqlite_shop)
    rows.remove(next(row for row in rows if row["kind"] == kind))
    report = checked(sqlite_shop, ledgers=[as_csv(tmp_path, rows)])
    assert only(report, "I3") == ["what succeeded here happened there"]


def test_a_ledger_that_begins_later_is_asked_for_no_more(sqlite_shop: Lived, tmp_path: Path) -> None:
    ledger = as_csv(tmp_path, [])
    later = sqlite_shop.clock.now() + timedelta(days=1)
    assert checked(sqlite_shop, ledgers=[ledger]).broken == ["I3"]
    assert checked(sqlite_shop, ledgers=[ledger], ledgers_since=later).holds


def test_what_happened_there_and_is_declined_here_breaks_i3(sqlite_shop: Lived, tmp_path: Path) -> None:
    rows = provider_rows(sqlite_shop)
    declined = "SELECT merchant_reference FROM operations WHERE status = 'declined' AND kind = 'purchase'"
    with sqlite_shop.database.tx() as session:
        reference = session.execute(text(declined)).scalars().first()
    new = {"id": "taken", "order_id": "taken", "merchant_reference1": "inv_y", "merchant_reference2": reference}
    order = next(row for row in rows if row["kind"] == "order")
    report = checked(sqlite_shop, ledgers=[as_csv(tmp_path, [*rows, {**order, **new}])])
    assert "what happened there is not held for undone here" in [f.sentence for f in report.findings if f.offending]


def test_two_orders_for_one_invoice_break_i1(sqlite_shop: Lived, tmp_path: Path) -> None:
    rows = provider_rows(sqlite_shop)
    order = next(row for row in rows if row["kind"] == "order" and row["status"] == "CAPTURED")
    twin = {**order, "id": "twin", "order_id": "twin", "merchant_reference2": "op-twin"}
    report = checked(sqlite_shop, ledgers=[as_csv(tmp_path, [*rows, twin])])
    assert report.broken == ["I1", "I3"]
    assert report.stops == {"main"}


def test_an_order_that_was_given_back_does_not_count(sqlite_shop: Lived, tmp_path: Path) -> None:
    rows = provider_rows(sqlite_shop)
    order = next(row for row in rows if row["kind"] == "order" and row["status"] == "CAPTURED")
    twin = {**order, "id": "twin", "order_id": "twin", "merchant_reference2": "op-twin", "status": "CANCELLED"}
    assert checked(sqlite_shop, ledgers=[as_csv(tmp_path, [*rows, twin])]).broken == ["I3"]


def test_an_amended_order_is_about_its_new_amount(sqlite_shop: Lived, tmp_path: Path) -> None:
    rows = changed(provider_rows(sqlite_shop), "order", amount=3000)
    order = next(row["id"] for row in rows if row["kind"] == "order")
    assert checked(sqlite_shop, ledgers=[as_csv(tmp_path, rows)]).broken == ["I3"]
    broken(
        sqlite_shop,
        "UPDATE operations SET kind = 'amend', amount = 3000, standing = NULL, provider_id = NULL, purchase_id ="
        f" (SELECT id FROM operations WHERE provider_id = '{order}') WHERE id = (SELECT id FROM operations"
        " WHERE kind = 'refund' ORDER BY id LIMIT 1)",
    )
    sentence = "what both have is the same amount, currency and reference"
    report = checked(sqlite_shop, ledgers=[as_csv(tmp_path, rows)])
    assert sentence not in [finding.sentence for finding in report.findings if finding.offending]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b\n1,2\n", "lacks the columns kind, id, order_id, amount, currency"),
        ("kind,id,order_id,amount,currency\norder,1,1,12.50,SEK\n", "no whole number of minor units"),
        ("kind,id,order_id,amount,currency\npayout,1,1,12,SEK\n", "is none of order"),
        ("{}", "has no lists of orders"),
        ("{", "is not JSON"),
        ("kind,id,order_id,amount,currency,at\norder,1,1,12,SEK,yesterday\n", "is no instant"),
    ],
)
def test_a_ledger_that_cannot_be_read_says_where(sqlite_shop: Lived, tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "ledger"
    path.write_text(content)
    with pytest.raises(NotVerifiable, match=said):
        checked(sqlite_shop, ledgers=[path])


def test_a_ledger_of_an_account_that_is_not_here_is_refused(sqlite_shop: Lived, tmp_path: Path) -> None:
    with pytest.raises(NotVerifiable, match="the provider ledger is of nobody; accounts here are main"):
        checked(sqlite_shop, ledgers=[f"nobody={as_csv(tmp_path, [])}"])
