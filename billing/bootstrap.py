"""Settings to one frozen `Wiring`, once: which adapter fills which port. Everything above is handed its parts."""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import migrations
from billing.adapters.clock import SystemClock
from billing.adapters.ids import SystemIds
from billing.adapters.instance_file import InstanceFile
from billing.adapters.keys_file import FileKeys
from billing.adapters.klarna_legacy.gateway import KlarnaLegacy
from billing.adapters.klarna_rest.gateway import KlarnaRest
from billing.adapters.network import Network
from billing.domain.brakes import DEFAULT_LIMITS, Limits
from billing.domain.errors import NotReady
from billing.ports import Account, Clock, Ids, PaymentGateway
from billing.store.engine import Database, open_database
from billing.use_cases.clone_guard import UNGUARDED, Guard
from billing.use_cases.install import AccountTerms, admit, is_installed
from billing.use_cases.opening import Seller
from billing.use_cases.quoting import Signer
from billing.use_cases.sending import Sending, nothing
from billing.vault.keyring import Keyring
from config.settings import ProviderAccountSettings, Settings
from config.taxes import load_tax_table


@dataclass(frozen=True, slots=True)
class Wiring:
    """The parts of a running service."""

    database: Database
    clock: Clock
    ids: Ids
    keyring: Keyring
    accounts: Mapping[str, Account]
    networks: tuple[Network, ...]
    namespace: UUID
    seller: Seller
    passed: Callable[[str], None] = nothing
    guard: Guard = UNGUARDED
    limits: Limits = DEFAULT_LIMITS

    def sending(self) -> Sending:
        """What the loops that speak to providers are given."""
        worker = f"{os.uname().nodename}:{os.getpid()}"
        return Sending(
            self.database,
            self.accounts,
            self.keyring,
            self.ids,
            self.clock,
            self.namespace,
            worker,
            self.passed,
            self.guard.may_send,
            self.limits,
        )

    @property
    def sign(self) -> Signer:
        """Signs quotes under a key that is made for them alone."""
        return lambda message: self.keyring.mac(b"quote", message)

    def close(self) -> None:
        """Close sockets and connections."""
        for network in self.networks:
            network.close()
        self.database.close()


def wire(
    settings: Settings,
    *,
    clock: Clock | None = None,
    ids: Ids | None = None,
    passed: Callable[[str], None] = nothing,
) -> Wiring:
    """The service that `settings` describe, on `clock` (the wall clock unless given).

    Raises `NotReady` for a database that is not migrated, a key that is missing, unsafe or another database's, and
    credentials that are not there. Nothing is charged by anything that this does not return.
    """
    ids = ids or SystemIds()
    database = migrated_database(settings)
    if not is_installed(database):
        raise NotReady("the database is not tied to a vault key yet; run `billing vault init`")
    keyring = Keyring(FileKeys(settings.vault.key_file), ids.secret)
    terms = {account.name: _terms(account) for account in settings.provider_accounts}
    namespace = admit(database, keyring, terms, settings.seller.zone)
    seller = Seller(settings.seller.country, settings.seller.zone, load_tax_table())
    networks = [Network(account.window) for account in settings.provider_accounts]
    accounts = {
        account.name: _account(account, network)
        for account, network in zip(settings.provider_accounts, networks, strict=True)
    }
    clock = clock or SystemClock()
    guard = Guard(database, ids, instance_notes(settings))
    guard.check(clock.now())
    limits = Limits(**settings.brakes.model_dump())
    return Wiring(database, clock, ids, keyring, accounts, tuple(networks), namespace, seller, passed, guard, limits)


def instance_notes(settings: Settings) -> InstanceFile:
    """The instance file: beside the vault key unless the settings name another place."""
    key_file = settings.vault.key_file
    return InstanceFile(settings.vault.instance_file or key_file.with_name(key_file.name + ".instance"))


def migrated_database(settings: Settings) -> Database:
    """The database, open and with the newest schema. Raises `NotReady` otherwise, without making a file."""
    database = open_database(settings.database.url)
    missing = sqlite_file(settings)
    if missing is not None and not missing.is_file():
        raise NotReady(f"there is no database at {missing}; run `billing migrate`")
    if not migrations.is_current(database.engine):
        database.close()
        raise NotReady("the database does not have this version's schema; run `billing migrate`")
    return database


def sqlite_file(settings: Settings) -> Path | None:
    """The file of an SQLite database, None for a server."""
    prefix = "sqlite:///"
    return Path(settings.database.url.removeprefix(prefix)) if settings.database.url.startswith(prefix) else None


def make_room(settings: Settings) -> None:
    """An SQLite file that only its owner may read, where there is none yet; its log files take its mode."""
    file = sqlite_file(settings)
    if file is not None and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)


@contextmanager
def owned(settings: Settings) -> Iterator[None]:
    """Be the one owner of an SQLite file while the block runs; a server admits any number.

    Raises `NotReady` where another process owns it.
    """
    file = sqlite_file(settings)
    if file is None:
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file.with_name(file.name + ".owner"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise NotReady(
                f"another process owns {file}; stop it, send it the request over its API, or use PostgreSQL"
            ) from None
        yield
    finally:
        os.close(descriptor)


def _terms(settings: ProviderAccountSettings) -> AccountTerms:
    return AccountTerms(
        settings.generation,
        tuple(settings.currencies),
        settings.minimum_amount,
        settings.token_covers_any_interval,
        tuple(settings.countries),
        settings.rate_per_second,
        settings.burst,
    )


def _account(settings: ProviderAccountSettings, network: Network) -> Account:
    deadline = timedelta(seconds=settings.deadline_seconds)
    sees = settings.generation == "legacy" and settings.status_sees_recurring
    return Account(_gateway(settings, network), settings.window, deadline, settings.generation, sees)


def _gateway(settings: ProviderAccountSettings, network: Network) -> PaymentGateway:
    password, seconds = _password(settings), settings.deadline_seconds
    if settings.generation == "rest":
        return KlarnaRest(settings.name, settings.base_url, settings.username, password, network, seconds)
    return KlarnaLegacy(
        settings.name,
        settings.order_management_url,
        settings.checkout_url,
        settings.eid,
        password,
        network,
        seconds,
    )


def _password(settings: ProviderAccountSettings) -> str:
    if settings.password_file is not None:
        try:
            return settings.password_file.read_text().strip()
        except OSError:
            raise NotReady(
                f"the password of account {settings.name!r} is not readable at {settings.password_file}"
            ) from None
    text = os.environ.get(settings.password_env or "")
    if not text:
        wanted = settings.password_env or "password_env or password_file"
        raise NotReady(f"account {settings.name!r} has no password: set {wanted}")
    return text
