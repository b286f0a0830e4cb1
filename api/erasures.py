"""Ending what a customer left with us: a token is revoked at the provider, a customer is erased."""

from datetime import datetime

from litestar import Controller, Response, post
from litestar.params import FromPath

from api.answers import Out
from api.bodies import in_path
from api.errors import problems
from api.idempotency import Write
from billing.domain.ids import Prefix, shown
from billing.use_cases.erase import Erasure, erase
from billing.use_cases.revoke import Revoked, revoke


class RevokedOut(Out):
    """The operation that cancels the token at the provider."""

    token_id: str
    operation_id: str


class ErasureOut(Out):
    """What was erased, and the operations after which the last tokens are.

    `key_ids` are the keys that could open the tokens in an old backup: with them the backups die.
    """

    customer_id: str
    erased_at: datetime
    operation_ids: list[str]
    key_ids: list[str]


def _revoked_out(done: Revoked) -> RevokedOut:
    return RevokedOut(
        token_id=shown(Prefix.TOKEN, done.token_id), operation_id=shown(Prefix.OPERATION, done.operation_id)
    )


def _erasure_out(done: Erasure) -> ErasureOut:
    return ErasureOut(
        customer_id=shown(Prefix.CUSTOMER, done.customer_id),
        erased_at=done.erased_at,
        operation_ids=[shown(Prefix.OPERATION, id_) for id_ in done.operation_ids],
        key_ids=list(done.key_ids),
    )


class Erasures(Controller):
    path = "/"

    @post(
        "/tokens/{token_id:str}/revoke",
        status_code=202,
        sync_to_thread=True,
        responses=problems(404, 409),
        tags=["Tokens"],
    )
    def revoke_token(self, token_id: FromPath[str], write: Write) -> Response[RevokedOut]:
        """Revoke a token.

        The provider cancels it for good. Refused while a charge of it may be happening.
        """
        ending = in_path(Prefix.TOKEN, token_id)
        return write.answer(
            202,
            lambda record: revoke(write.wiring.database, write.wiring.ids, write.now, ending, record),
            lambda _, done: _revoked_out(done),
        )

    @post(
        "/customers/{customer_id:str}/erase",
        status_code=202,
        sync_to_thread=True,
        responses=problems(404, 409),
        tags=["Customers"],
    )
    def erase_customer(self, customer_id: FromPath[str], write: Write) -> Response[ErasureOut]:
        """Erase a customer.

        Name and address go at once, each token once the provider has canceled it; the books stay. Subscriptions must
        have ended, and no charge may be in doubt.
        """
        leaving = in_path(Prefix.CUSTOMER, customer_id)
        return write.answer(
            202,
            lambda record: erase(write.wiring.database, write.wiring.ids, write.now, leaving, record),
            lambda _, done: _erasure_out(done),
        )
