"""Install: what a database needs once, before anything can be charged on it, and what is checked at every start."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, select

from billing.domain.errors import NotReady
from billing.domain.periods import check_zone
from billing.ports import Ids
from billing.store.accounts import Installation, ProviderAccount, installation
from billing.store.engine import Database
from billing.store.invoices import Series
from billing.store.numbers import CREDIT_NOTES, INVOICES
from billing.store.paces import AccountPace
from billing.vault.keyring import Keyring


def install(database: Database, keyring: Keyring, ids: Ids, now: datetime) -> UUID:
    """Tie this database to its vault key; returns the root of its idempotency keys. A second call changes nothing.

    Raises `NotReady` where the database already belongs to another key.
    """
    with database.tx() as session:
        known = installation(session)
        if known is not None:
            keyring.check_canary(known.canary)
            return known.namespace
        row = Installation(id=ids.new(), namespace=ids.new(), canary=keyring.canary(), created_at=now)
        session.add(row)
        return row.namespace


def is_installed(database: Database) -> bool:
    """Whether this database is tied to a vault key already; then only that key will do."""
    with database.tx() as session:
        return installation(session) is not None


@dataclass(frozen=True, slots=True)
class AccountTerms:
    """What is configured about a provider account; `minimum_amount` in minor units, no currencies or countries means
    all. A `rate_per_second` of 0 is no limit; a `burst` of 0 saves up one second's worth.
    """

    generation: str = "rest"
    currencies: tuple[str, ...] = ()
    minimum_amount: int = 0
    token_covers_any_interval: bool = False
    countries: tuple[str, ...] = ()
    rate_per_second: int = 0
    burst: int = 0


def admit(database: Database, keyring: Keyring, accounts: Mapping[str, AccountTerms], zone: str) -> UUID:
    """Check that this key opens this database, write down the accounts by name and the seller's zone.

    Returns the root of the idempotency keys. Raises `NotReady` for a database that was never tied to a key, or to
    another one; nothing is written then.
    """
    check_zone(zone)
    with database.tx() as session:
        # Locked, since processes that start together on a new database would write the same rows.
        known = installation(session, lock=True)
        if known is None:
            raise NotReady("the database is not tied to a vault key yet; run `billing vault init`")
        keyring.check_canary(known.canary)
        _write_accounts(session, accounts)
        for series_id in (INVOICES, CREDIT_NOTES):
            row = session.get(Series, series_id) or Series(id=series_id)
            row.zone = zone
            session.add(row)
        return known.namespace


def _write_accounts(session: Session, accounts: Mapping[str, AccountTerms]) -> None:
    known = {row.name: row for row in session.exec(select(ProviderAccount))}
    paced = set(session.exec(select(AccountPace.name)))
    for name, terms in accounts.items():
        row = known.get(name) or ProviderAccount(name=name, generation=terms.generation)
        row.currencies, row.minimum_amount = list(terms.currencies), terms.minimum_amount
        row.token_covers_any_interval = terms.token_covers_any_interval
        row.countries = list(terms.countries)
        row.rate_per_second, row.burst = terms.rate_per_second, terms.burst or terms.rate_per_second
        session.add(row)
        if name not in paced:
            session.add(AccountPace(name=name))
