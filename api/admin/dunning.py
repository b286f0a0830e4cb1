"""Dunning of one customer, stopped and taken up again by an operator."""

from datetime import datetime

from litestar import Controller, Response, post
from litestar.params import FromPath, JSONBody

from api.answers import Out
from api.bodies import In, Note, described, in_path
from api.errors import problems
from api.idempotency import Write
from billing.domain.ids import Prefix, shown
from billing.use_cases.pause_dunning import DunningPause, pause_dunning, resume_dunning


class PauseDunningIn(In):
    """Why nothing is to be tried again for a while; kept with the customer."""

    model_config = described("Pause dunning", {"reason": "called, pays by the end of the month"})

    reason: Note


class DunningPauseOut(Out):
    """Whether dunning is paused, and how many planned attempts that concerns."""

    customer_id: str
    paused_at: datetime | None
    reason: str | None
    attempts: int


def _pause_out(done: DunningPause) -> DunningPauseOut:
    return DunningPauseOut(
        customer_id=shown(Prefix.CUSTOMER, done.customer_id),
        paused_at=done.paused_at,
        reason=done.reason,
        attempts=done.attempts,
    )


class Dunning(Controller):
    path = "/customers/{customer_id:str}/dunning"

    @post("/pause", status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def pause_dunning(
        self, customer_id: FromPath[str], data: JSONBody[PauseDunningIn], write: Write
    ) -> Response[DunningPauseOut]:
        """Pause dunning of a customer.

        Planned attempts wait and the end of dunning does not come. Renewals, and what the customer does, go on.
        """
        concerned = in_path(Prefix.CUSTOMER, customer_id)
        return write.answer(
            200,
            lambda record: pause_dunning(
                write.wiring.database, write.wiring.ids, write.now, concerned, data.reason, record
            ),
            lambda _, done: _pause_out(done),
        )

    @post("/resume", status_code=200, sync_to_thread=True, responses=problems(404, 409))
    def resume_dunning(self, customer_id: FromPath[str], write: Write) -> Response[DunningPauseOut]:
        """Take dunning up again.

        What waited is tried on its own day of the ladder, or on the next local morning; the end comes later by the
        length of the pause.
        """
        concerned = in_path(Prefix.CUSTOMER, customer_id)
        return write.answer(
            200,
            lambda record: resume_dunning(write.wiring.database, write.wiring.ids, write.now, concerned, record),
            lambda _, done: _pause_out(done),
        )
