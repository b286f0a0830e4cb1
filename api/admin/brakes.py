"""Brakes: what was halted because it looked wrong, and a person's leave to go on."""

from datetime import datetime
from typing import Annotated, Any

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from pydantic import Field

from api.admin.restores import By, said_by
from api.answers import ListOut, Out
from api.bodies import In, Instant, Note, described, in_path
from api.errors import problems
from api.idempotency import Write
from api.queries import Reading
from billing.domain.ids import Prefix, shown
from billing.store.brakes import Brake, BrakeKind
from billing.use_cases.release_brake import BrakeRelease, list_brakes, release_brake

WithReleased = Annotated[bool, QueryParameter(description="Released ones too, the newest 200.")]

_SUBJECTS = {
    BrakeKind.PERIODS_AT_ONCE: Prefix.SUBSCRIPTION,
    BrakeKind.RUN_TOTAL: Prefix.RUN,
    BrakeKind.CUSTOMER_CHARGES: Prefix.CUSTOMER,
}


class BrakeReleaseIn(In):
    """Why it may go on, and until when the same brake leaves it alone: 24 hours unless said."""

    model_config = described("Release a brake", {"reason": "the outage was ours, and everything is due"})

    by: By = None
    reason: Note
    allowed_until: Instant | None = None

    def release(self, holder: str) -> BrakeRelease:
        """What the use case takes."""
        return BrakeRelease(said_by(self.by, holder), self.reason, self.allowed_until)


class BrakeOut(Out):
    """What is halted: one subscription, run or customer by its id, or one provider account by its name."""

    id: str
    kind: BrakeKind
    subject: str
    reason: str
    figures: dict[str, Any] = Field(description="What was counted; amounts are minor units.")
    engaged_at: datetime
    released_at: datetime | None
    released_by: str | None
    released_because: str | None
    allowed_until: datetime | None


class BrakeList(ListOut):
    """Brakes, the newest first."""

    data: list[BrakeOut]


def brake_out(row: Brake) -> BrakeOut:
    kind = BrakeKind(row.kind)
    prefix = _SUBJECTS.get(kind)
    return BrakeOut(
        id=shown(Prefix.BRAKE, row.id),
        kind=kind,
        subject=row.subject if prefix is None else f"{prefix}_{row.subject}",
        reason=row.reason,
        figures=row.figures,
        engaged_at=row.engaged_at,
        released_at=row.released_at,
        released_by=row.released_by,
        released_because=row.released_because,
        allowed_until=row.allowed_until,
    )


class Brakes(Controller):
    path = "/brakes"

    @get(sync_to_thread=True, responses=problems())
    def list_brakes(self, database: Reading, released: WithReleased = False) -> BrakeList:
        """List what is halted until a person approves."""
        return BrakeList(data=[brake_out(row) for row in list_brakes(database, released=released)], next=None)

    @post("/{brake_id:str}/releases", sync_to_thread=True, responses=problems(404, 409, 413))
    def release_brake(
        self, brake_id: FromPath[str], data: JSONBody[BrakeReleaseIn], write: Write
    ) -> Response[BrakeOut]:
        """Let go what a brake has halted.

        The same brake does not halt the same subject again before `allowed_until`. What waited goes on by itself: a
        run at the next tick, the charges of a customer within an hour.
        """
        wiring, wanted = write.wiring, in_path(Prefix.BRAKE, brake_id)
        release = data.release(write.holder.name)
        return write.answer(
            201,
            lambda record: release_brake(wiring.database, wiring.ids, write.now, wanted, release, record),
            lambda _, brake: brake_out(brake),
        )
