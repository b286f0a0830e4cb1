"""A person's word about an operation whose outcome no machine can tell: it happened, it did not, or it may go again."""

from typing import Annotated

from litestar import Controller, Response, post
from litestar.params import FromPath, JSONBody
from pydantic import Field

from api.admin.restores import By, said_by
from api.bodies import In, Instant, MoneyIn, Note, Readable, described, in_path
from api.errors import problems
from api.idempotency import Write
from api.operations import OperationOut, operation_out
from billing.domain.decisions import Then, Verb
from billing.domain.ids import Prefix
from billing.domain.money import Money
from billing.use_cases.decide import Word, decide
from billing.use_cases.look_up import operation_in


class DecisionIn(In):
    """What a person says, and why; with the figures as they stand at the provider where it happened."""

    model_config = described(
        "Decision about an operation",
        {
            "verb": "link",
            "provider_id": "f3392f8b-6116-4073-ab96-e330819e2c07",
            "amount": {"amount": 3970, "currency": "SEK"},
            "reason": "found in the portal",
        },
    )

    verb: Annotated[
        Verb,
        Field(
            description="`link`: it happened. `retire`: it did not and is not to. `allow_again`: it may go once more."
            " `acknowledge`: it was seen."
        ),
    ]
    provider_id: Annotated[
        str | None, Field(min_length=1, max_length=255, description="What the provider calls it; to link."), Readable
    ] = None
    amount: Annotated[MoneyIn | None, Field(description="As it stands at the provider; to link what moves money.")] = (
        None
    )
    expires_at: Annotated[Instant | None, Field(description="When the authorization ends; to link.")] = None
    then: Annotated[
        Then | None, Field(description="What follows on retiring; needed for a purchase, `to_balance` for a refund.")
    ] = None
    unverified: Annotated[
        bool, Field(description="You looked yourself, where the provider's record cannot be read from here.")
    ] = False
    by: By = None
    reason: Note

    def word(self, holder: str) -> Word:
        """What the use case takes."""
        amount = None if self.amount is None else Money(self.amount.amount, self.amount.currency)
        return Word(
            self.verb,
            said_by(self.by, holder),
            self.reason,
            self.provider_id,
            amount,
            self.expires_at,
            self.then,
            self.unverified,
        )


class Decisions(Controller):
    path = "/operations/{operation_id:str}/decisions"

    @post(status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def decide(self, operation_id: FromPath[str], data: JSONBody[DecisionIn], write: Write) -> Response[OperationOut]:
        """Decide about an operation that needs a person.

        The provider's record is read first. What contradicts it is refused, and the problem shows both sides.
        """
        wiring, decided = write.wiring, in_path(Prefix.OPERATION, operation_id)
        word = data.word(write.holder.name)
        return write.answer(
            200,
            lambda record: decide(
                wiring.database, wiring.accounts, wiring.ids, wiring.namespace, write.now, decided, word, record
            ),
            lambda session, id_: operation_out(operation_in(session, id_), write.now),
        )
