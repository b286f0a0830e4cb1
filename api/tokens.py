"""Recurring tokens: handed in once, sealed at once, never given out again."""

from datetime import datetime
from typing import Annotated, Any

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody
from pydantic import BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

from api.answers import ListOut, Out, listed
from api.bodies import SAID, Currency, In, Readable, Whole, described, in_path
from api.errors import problems
from api.idempotency import Write
from api.queries import After, Limit, Reading, part_of
from billing.domain.ids import Prefix, shown
from billing.domain.periods import Interval
from billing.domain.tokens import Token
from billing.store.customers import StoredToken, TokenStatus
from billing.use_cases import look_up
from billing.use_cases.save_token import TOKEN_LENGTH_MAX, save_token


def _token(value: object) -> object:
    if not isinstance(value, str) or not 1 <= len(value) <= TOKEN_LENGTH_MAX or not value.isprintable():
        raise PydanticCustomError(SAID, f"a token has 1 to {TOKEN_LENGTH_MAX} printable characters")
    return value


_LENGTH: dict[str, Any] = {"min_length": 1, "max_length": TOKEN_LENGTH_MAX}
_EXAMPLE = {"provider_account": "sandbox", "currency": "EUR", "token": "the token as the provider gave it"}


class SignedCycleIn(In):
    """The billing cycle that the customer agreed to."""

    interval: Interval
    count: Annotated[Whole, Field(ge=1, le=120)]


class TokenIn(In):
    """A customer's recurring token."""

    model_config = described("New token", _EXAMPLE)

    provider_account: Annotated[str, Field(min_length=1, max_length=64, description="As configured."), Readable]
    currency: Currency
    token: Annotated[
        SecretStr,
        BeforeValidator(_token),
        Field(description="Sealed on arrival; no answer ever shows it.", json_schema_extra=_LENGTH),
    ]
    signed_cycle: Annotated[
        SignedCycleIn | None,
        Field(description="What the customer signed; a change that leaves it waits for another token."),
    ] = None


class TokenOut(Out):
    """That a token is kept; never the token."""

    id: str
    customer_id: str
    provider_account: str
    currency: str
    status: TokenStatus
    created_at: datetime


class TokenList(ListOut):
    """Tokens of a customer."""

    data: list[TokenOut]


def token_out(row: StoredToken) -> TokenOut:
    return TokenOut(
        id=shown(Prefix.TOKEN, row.id),
        customer_id=shown(Prefix.CUSTOMER, row.customer_id),
        provider_account=row.provider_account,
        currency=row.currency,
        status=TokenStatus(row.status),
        created_at=row.created_at,
    )


class Tokens(Controller):
    path = "/customers/{customer_id:str}/tokens"
    tags = ("Tokens",)

    @post(sync_to_thread=True, responses=problems(404, 409, 413))
    def save_token(self, customer_id: FromPath[str], data: JSONBody[TokenIn], write: Write) -> Response[TokenOut]:
        """Hand over a customer's recurring token.

        It is sealed before it is stored; nothing gives it out again.
        """
        owner = in_path(Prefix.CUSTOMER, customer_id)
        return write.answer(
            201,
            lambda record: save_token(
                write.wiring.database,
                write.wiring.keyring,
                write.wiring.ids,
                write.now,
                customer_id=owner,
                provider_account=data.provider_account,
                currency=data.currency,
                token=Token(data.token.get_secret_value()),
                signed_cycle=(data.signed_cycle.interval, data.signed_cycle.count) if data.signed_cycle else None,
                record=record,
            ),
            lambda _, token: token_out(token),
        )

    @get(sync_to_thread=True, responses=problems(404))
    def list_tokens(
        self, database: Reading, customer_id: FromPath[str], limit: Limit = 50, after: After = None
    ) -> TokenList:
        """List a customer's tokens."""
        part = part_of(Prefix.TOKEN, limit, after)
        page = look_up.tokens(database, part, in_path(Prefix.CUSTOMER, customer_id))
        data, following = listed(Prefix.TOKEN, page, token_out)
        return TokenList(data=data, next=following)
