"""The page of calls says what is really sent and answered, and leaves no call out."""

from collections.abc import Callable

from tests.adapters.conftest import SandboxProcess
from tests.adapters.record_calls import PAGE, recorded

XML_METHODS = (
    *("cancel_reservation", "update", "activate", "credit_part", "credit_invoice", "return_amount"),
    *("extend_expiry_date", "email_invoice", "send_invoice", "extend_invoice_due_date"),
    *("check_order_status", "invoice_amount"),
)
REST_PATHS = (
    *("/order", "/status", "/authorization", "/captures", "/refunds", "/cancel", "/trigger-send-out", "/shipping-info"),
    *("/release-remaining-authorization", "/extend-authorization-time", "/extend-due-date", "/customer-token"),
    *("/merchant-references", "/customer-details"),
)

SHOWN_IN_BOTH = (
    *("The charge of a token", "A capture before 30 minutes", "An order gets other lines"),
    *("It gets another order number", "It is delivered to another address", "Its authorization ends later"),
    *("It is given back whole", "A part is captured", "The rest is given back", "A parcel by itself"),
    *("An amount goes back", "The invoice is emailed again", "The due date is moved", "A whole invoice goes back"),
)


def test_the_page_is_what_is_sent_and_answered_today(start_sandbox: Callable[..., SandboxProcess]) -> None:
    assert recorded(start_sandbox()) == PAGE.read_text(), (
        "run python -m tests.adapters.record_calls --write docs/klarna-calls.md, and read what changed"
    )


def test_the_page_shows_every_call_of_both_generations() -> None:
    text = PAGE.read_text()
    assert [name for name in XML_METHODS if f"<methodName>{name}</methodName>" not in text] == []
    asked = [line.split()[1] for line in text.splitlines() if line.startswith(("POST /", "PATCH /", "GET /"))]
    assert [title for title in SHOWN_IN_BOTH if text.count(f"### {title}\n") != 2] == []
    assert [path for path in REST_PATHS if not any(target.endswith(path) for target in asked)] == []


def test_the_page_holds_no_digest_and_no_id_of_the_day() -> None:
    text = PAGE.read_text()
    assert "==" not in text.replace("Authorization: Basic", "")
    assert "sharedSecret" not in text
