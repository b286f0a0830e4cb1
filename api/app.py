"""The HTTP application: which resource stands where, who may use it, and what every answer carries."""

from concurrent.futures import ThreadPoolExecutor

from litestar import Litestar, Router
from litestar.concurrency import set_asyncio_executor
from litestar.datastructures import MutableScopeHeaders
from litestar.di import Provide
from litestar.types import Message, Scope

from api.admin.accounts import Accounts
from api.admin.attention import Attention
from api.admin.brakes import Brakes
from api.admin.credit_notes import CreditNotes
from api.admin.decisions import Decisions
from api.admin.disputes import Disputes
from api.admin.dunning import Dunning
from api.admin.instructions import Instructions
from api.admin.invoice_states import InvoiceStates
from api.admin.payments import Payments
from api.admin.payouts import Payouts
from api.admin.refunds import Refunds
from api.admin.reports import Reports
from api.admin.restores import Restores
from api.admin.reviews import Reviews
from api.auth import guard
from api.balances import BalanceChanges, Balances
from api.bodies import BodyPlugin, StrictRequest
from api.calendars import Calendars
from api.cancellations import Cancellations
from api.captures import Captures
from api.changes import Changes
from api.customers import Customers
from api.discounts import Discounts
from api.dispatches import Dispatches
from api.documentation import ASSETS, BEARER, assets, finish, openapi_config, openapi_document
from api.erasures import Erasures
from api.errors import handlers
from api.health import health
from api.idempotency import writing
from api.invoices import Invoices
from api.operations import Operations
from api.pauses import Pauses
from api.plans import Plans
from api.prices import Prices
from api.proofs import Proofs
from api.replacements import Replacements
from api.subscription_previews import SubscriptionPreviews
from api.subscriptions import Subscriptions
from api.tokens import Tokens
from billing.bootstrap import Wiring
from billing.scheduler import Loops
from billing.use_cases.api_keys import Role

THREADS = 20
BODY_BYTES_MAX = 1024 * 1024

_PLAIN_POLICY = "default-src 'self'; frame-ancestors 'none'"
_DOCS_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " frame-ancestors 'none'"
)

_MERCHANT = [
    Plans,
    Prices,
    Customers,
    Tokens,
    Subscriptions,
    Cancellations,
    Invoices,
    Operations,
    Proofs,
    Captures,
    Dispatches,
    Erasures,
    Balances,
    Changes,
    Discounts,
    Replacements,
    SubscriptionPreviews,
    Pauses,
    Calendars,
]
_ADMIN = [
    Accounts,
    Attention,
    Reviews,
    Dunning,
    Payouts,
    Refunds,
    Reports,
    Restores,
    BalanceChanges,
    Brakes,
    CreditNotes,
    Decisions,
    Disputes,
    Instructions,
    InvoiceStates,
    Payments,
]

# Handlers share these threads; it must be said before any event loop runs.
set_asyncio_executor(ThreadPoolExecutor(THREADS, "web"))


def create_app(wiring: Wiring, loops: Loops, *, threads: int = THREADS) -> Litestar:
    """The application over the parts of a running service; `threads` requests are served side by side.

    Call it before an event loop runs.
    """
    if threads != THREADS:
        set_asyncio_executor(ThreadPoolExecutor(threads, "web"))
    merchant = Router(
        "/v1",
        route_handlers=_MERCHANT,
        guards=[guard(wiring.database, Role.MERCHANT, Role.ADMIN)],
        security=[{BEARER: []}],
    )
    admin = Router(
        "/admin/v1",
        route_handlers=_ADMIN,
        guards=[guard(wiring.database, Role.ADMIN)],
        security=[{BEARER: []}],
        tags=["Administration"],
    )
    app = Litestar(
        route_handlers=[merchant, admin, health(wiring, loops), openapi_document, assets()],
        dependencies={
            "database": Provide(lambda: wiring.database, sync_to_thread=False),
            "now": Provide(lambda: wiring.clock.now(), sync_to_thread=False),
            "write": Provide(writing(wiring, loops), sync_to_thread=False),
        },
        exception_handlers=handlers(),
        plugins=[BodyPlugin()],
        request_class=StrictRequest,
        request_max_body_size=BODY_BYTES_MAX,
        before_send=[_protect],
        openapi_config=openapi_config(),
        # Ours logs types and places only; the framework's would log what was sent.
        logging_config=None,
    )
    finish(app)
    return app


async def _protect(message: Message, scope: Scope) -> None:
    """What every answer carries; the page of the documentation alone may run the script that stands in it."""
    if message["type"] != "http.response.start":
        return
    headers = MutableScopeHeaders.from_message(message)
    path = scope["path"]
    headers["Content-Security-Policy"] = _DOCS_POLICY if path.rstrip("/") == "/docs" else _PLAIN_POLICY
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Cache-Control"] = "no-cache" if path.startswith(ASSETS) else "no-store"
