"""Reports over HTTP, for the accountant's key."""

from datetime import UTC, datetime

import httpx

from tests.api.service import Service

REPORTS = "/admin/v1/reports"


def test_the_trial_balance_of_today_sums_to_zero(service: Service, client: httpx.Client) -> None:
    service.paid_invoice(client)
    report = client.get(f"{REPORTS}/trial-balance").json()
    assert report["on"] == "2028-01-31"
    assert sum(row["balance"]["amount"] for row in report["data"]) == 0
    clearing = next(row for row in report["data"] if row["account"] == "provider_clearing")
    assert clearing["balance"] == {"amount": 3970, "currency": "SEK"}
    assert client.get(f"{REPORTS}/trial-balance", params={"on": "2028-01-30"}).json()["data"] == []


def test_vat_of_a_month(service: Service, client: httpx.Client) -> None:
    service.paid_invoice(client)
    report = client.get(f"{REPORTS}/vat", params={"month": "2028-01"}).json()
    assert [(row["rate"], row["net"]["amount"], row["tax"]["amount"]) for row in report["data"]] == [
        (1200, 1330, 160),
        (2500, 1984, 496),
    ]
    assert report["differences"] == []


def test_the_journal_comes_as_csv_and_as_text(service: Service, client: httpx.Client) -> None:
    service.paid_invoice(client)
    days = {"from": "2028-01-01", "to": "2028-01-31"}
    table = client.get(f"{REPORTS}/journal.csv", params=days)
    assert table.headers["content-type"].startswith("text/csv")
    assert table.text.splitlines()[0].startswith("date,transaction,kind")
    journal = client.get(f"{REPORTS}/journal.hledger", params=days)
    assert "2028-01-31 * capture | invoice-000001" in journal.text


def test_revenue_is_released_up_to_today_when_it_is_asked_for(service: Service, client: httpx.Client) -> None:
    service.paid_invoice(client)
    service.shop.clock.set(datetime(2028, 2, 11, 10, tzinfo=UTC))
    done = client.post(f"{REPORTS}/release", json={})
    assert (done.status_code, done.json()) == (200, {"invoices": 1, "up_to": "2028-02-11"})
    rows = client.get(f"{REPORTS}/trial-balance").json()["data"]
    assert {row["detail"] for row in rows if row["account"] == "revenue"} == {"at_capture", "time"}
    assert client.post(f"{REPORTS}/release", json={"up_to": "2028-02-12"}).status_code == 422


def test_the_seals_are_checked(service: Service, client: httpx.Client) -> None:
    service.paid_invoice(client)
    service.shop.clock.set(datetime(2028, 2, 1, tzinfo=UTC))
    assert client.get(f"{REPORTS}/seals").json()["blocks"] == 0
    sealed = service.loops.seal()
    found = client.get(f"{REPORTS}/seals").json()
    assert (found["is_intact"], found["blocks"], found["transactions"]) == (True, 1, sealed)


def test_days_that_cannot_be_are_refused_by_their_name(client: httpx.Client) -> None:
    for path, asked, where in [
        ("trial-balance", {"on": "2028-02-30"}, "on"),
        ("vat", {"month": "2028-13"}, "month"),
        ("vat", {"month": "28-1"}, "month"),
        ("vat", {}, "month"),
        ("journal.csv", {"from": "2028-02-02", "to": "2028-02-01"}, "to"),
        ("journal.hledger", {"from": "2028-02-02"}, "to"),
        ("journal.csv", {"from": "x", "to": "2028-02-01"}, "from"),
    ]:
        answer = client.get(f"{REPORTS}/{path}", params=asked)
        assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, where), answer.text


def test_reports_are_not_for_the_merchants_key(service: Service) -> None:
    with service.client(service.merchant_key) as merchant:
        assert merchant.get(f"{REPORTS}/trial-balance").status_code == 403
