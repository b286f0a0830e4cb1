"""A customer's recurring token comes in: sealed at once, found again by its blind index, never given out."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from billing.domain.errors import AlreadyExists, Conflict, Invalid, NotFound
from billing.domain.money import exponent
from billing.domain.periods import Interval
from billing.domain.tokens import Token
from billing.ports import Ids
from billing.store.accounts import ProviderAccount, account_names
from billing.store.customers import Customer, StoredToken, TokenStatus, token_with_index
from billing.store.engine import Database
from billing.use_cases.recording import Record, nothing
from billing.use_cases.sending import token_context
from billing.vault.envelope import key_id_of
from billing.vault.keyring import Keyring

TOKEN_LENGTH_MAX = 2048


def save_token(
    database: Database,
    keyring: Keyring,
    ids: Ids,
    now: datetime,
    *,
    customer_id: UUID,
    provider_account: str,
    currency: str,
    token: Token,
    signed_cycle: tuple[Interval, int] | None = None,
    record: Record[StoredToken] = nothing,
) -> StoredToken:
    """Seal `token` for its customer and keep it, with the billing cycle that the customer signed where it is known.

    Raises `NotFound` for an unknown customer, `Invalid` for an unknown account, a currency or country that it does not
    take or an impossible token, and
    `AlreadyExists` where this very token is kept already, `Conflict` where the customer was erased.
    """
    exponent(currency)
    if not 1 <= len(token.reveal()) <= TOKEN_LENGTH_MAX or not token.reveal().isprintable():
        raise Invalid(f"a token has 1 to {TOKEN_LENGTH_MAX} printable characters", where="token")
    index_version, index = keyring.blind_index(provider_account, token)
    with database.tx() as session:
        customer = _owner(session, customer_id)
        known = account_names(session)
        if provider_account not in known:
            raise Invalid(
                f"no provider account has this name; configured: {', '.join(sorted(known))}", where="provider_account"
            )
        _check_terms(session.get_one(ProviderAccount, provider_account), customer, currency)
        if token_with_index(session, provider_account, index_version, index) is not None:
            raise AlreadyExists("this token is kept already", where="token")
        row = StoredToken(
            id=ids.new(),
            customer_id=customer_id,
            provider_account=provider_account,
            currency=currency,
            signed_interval=signed_cycle[0].value if signed_cycle else None,
            signed_interval_count=signed_cycle[1] if signed_cycle else None,
            status=TokenStatus.ACTIVE.value,
            sealed=b"",
            version=1,
            kek_id="",
            index_version=index_version,
            blind_index=index,
            created_at=now,
        )
        row.sealed = keyring.seal(token_context(row), token)
        row.kek_id = key_id_of(row.sealed).hex()
        session.add(row)
        session.flush()
        record(session, row)
        return row


def _owner(session: Session, customer_id: UUID) -> Customer:
    customer = session.get(Customer, customer_id)
    if customer is None:
        raise NotFound("there is no such customer")
    if customer.erased_at is not None:
        raise Conflict("this customer was erased; make a new one")
    return customer


def _check_terms(account: ProviderAccount, customer: Customer, currency: str) -> None:
    """Refused now, while somebody is there to choose another account, and not on the day of a renewal."""
    if account.currencies and currency not in account.currencies:
        raise Invalid(f"this account takes {', '.join(sorted(account.currencies))} only", where="currency")
    if account.countries and customer.country not in account.countries:
        takes = ", ".join(sorted(account.countries))
        raise Invalid(
            f"the customer is in {customer.country}; this account takes customers in {takes} only",
            where="provider_account",
        )
