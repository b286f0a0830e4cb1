"""One builder per thing a test needs, with sensible defaults; keywords only."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from fakes.gateway import FakeGateway

from billing.adapters.clock import SimulatedClock
from billing.adapters.ids import SystemIds
from billing.adapters.keys_local import LocalKeys, new_keys
from billing.domain.periods import Interval
from billing.domain.pricing import CreditRule, PriceItem, Recognize
from billing.domain.tax import TaxTable
from billing.domain.tokens import Token
from billing.ports import Account
from billing.store.engine import Database
from billing.store.plans import Emailing, Exhausted, NumberOn
from billing.store.subscriptions import Subscription
from billing.use_cases.catalogue import NewCustomer, NewPlan, NewPrice, create_customer, create_plan, create_price
from billing.use_cases.check_tokens import check_tokens
from billing.use_cases.exhaust import exhaust
from billing.use_cases.install import AccountTerms, admit, install
from billing.use_cases.opening import Seller
from billing.use_cases.operate import operate
from billing.use_cases.reconcile import reconcile
from billing.use_cases.release_revenue import release_revenue
from billing.use_cases.remind import remind
from billing.use_cases.renew import renew
from billing.use_cases.save_token import save_token
from billing.use_cases.sending import Sending, nothing
from billing.use_cases.subscribe import NewSubscription, subscribe
from billing.vault.keyring import Keyring

START = datetime(2028, 1, 31, 8, tzinfo=UTC)

BASE_FEE = PriceItem("BASE", "Base fee", 1, 1990, 2500, CreditRule.TIME, Recognize.TIME)
BOXES = PriceItem("BOX", "Box", 2, 745, 1200, CreditRule.QUANTITY, Recognize.DISPATCH)
FREIGHT = PriceItem("FREIGHT", "Freight", 1, 490, 2500, CreditRule.NONE, Recognize.AT_CAPTURE)
GOODS = (BASE_FEE, BOXES, FREIGHT)

SELLER = Seller("SE", "Europe/Stockholm", TaxTable(()))


@dataclass
class Shop:
    """A service on one database, its provider in memory, its clock in the test's hand."""

    database: Database
    clock: SimulatedClock = field(default_factory=lambda: SimulatedClock(START))
    gateway: FakeGateway = field(default_factory=FakeGateway)
    ids: SystemIds = field(default_factory=SystemIds)
    passed: object = nothing
    generation: str = "rest"
    seller: Seller = SELLER
    minimum_amount: int = 0

    def __post_init__(self) -> None:
        self.keyring = Keyring(LocalKeys(new_keys(self.ids.secret), self.ids.secret), self.ids.secret)
        install(self.database, self.keyring, self.ids, self.clock.now())
        self.namespace = admit(
            self.database,
            self.keyring,
            {"main": AccountTerms(self.generation, minimum_amount=self.minimum_amount)},
            "Europe/Stockholm",
        )
        self._count = 0

    @property
    def sending(self) -> Sending:
        accounts = {"main": Account(self.gateway, 64, timedelta(seconds=65), self.generation)}
        return Sending(self.database, accounts, self.keyring, self.ids, self.clock, self.namespace, "test", self.passed)

    def sign(self, message: bytes) -> bytes:
        return self.keyring.mac(b"quote", message)

    def tick(self) -> None:
        """All loops until nothing is due at the clock's instant."""
        while self.once():
            pass

    def once(self) -> int:
        now = self.clock.now()
        found = renew(self.database, self.ids, now, nothing, self.seller).seen + exhaust(self.database, self.ids, now)
        found += release_revenue(self.database, self.ids, now) + remind(self.database, self.ids, now)
        return found + operate(self.sending) + reconcile(self.sending) + check_tokens(self.sending)

    def at(self, instant: datetime) -> None:
        """Move the clock and tick."""
        self.clock.set(instant)
        self.tick()

    def after(self, **duration: float) -> None:
        """Move the clock on and tick."""
        self.at(self.clock.now() + timedelta(**duration))

    def price(
        self,
        *,
        interval: Interval = Interval.MONTH,
        count: int = 1,
        items: tuple[PriceItem, ...] = GOODS,
        currency: str = "SEK",
        month_end: bool = False,
        **plan: object,
    ) -> UUID:
        self._count += 1
        new = NewPlan(f"plan-{self._count}", "Plant of the month", **plan)
        created = create_plan(self.database, self.ids, self.clock.now(), new)
        price = NewPrice(created.id, currency, interval, count, items, month_end)
        return create_price(self.database, self.ids, self.clock.now(), price).id

    def customer(self, *, zone: str = "Europe/Stockholm", country: str = "SE") -> UUID:
        self._count += 1
        new = NewCustomer(f"customer-{self._count}", "Customer", "c@example.com", country, zone, "sv-SE")
        return create_customer(self.database, self.ids, self.clock.now(), new).id

    def token(self, customer_id: UUID, *, currency: str = "SEK", text: str | None = None) -> UUID:
        self._count += 1
        return save_token(
            self.database,
            self.keyring,
            self.ids,
            self.clock.now(),
            customer_id=customer_id,
            provider_account="main",
            currency=currency,
            token=Token(text or f"token-text-{self._count}"),
        ).id

    def subscription(
        self, *, price_id: UUID | None = None, zone: str = "Europe/Stockholm", start_at: datetime | None = None
    ) -> Subscription:
        customer_id = self.customer(zone=zone)
        new = NewSubscription(customer_id, price_id or self.price(), self.token(customer_id), start_at)
        return subscribe(self.database, self.ids, self.clock.now(), new)


__all__ = ["BASE_FEE", "BOXES", "FREIGHT", "GOODS", "START", "Emailing", "Exhausted", "NumberOn", "Shop"]
