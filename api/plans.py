"""Plans: what is offered, and the rules that every subscription to it follows."""

from datetime import datetime
from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody
from pydantic import ConfigDict, Field

from api.answers import ListOut, Out, listed
from api.bodies import In, Reference, Text, Whole, in_path
from api.errors import problems
from api.idempotency import Write
from api.queries import After, ByReference, Limit, Reading, part_of, reference_or_none
from billing.domain.ids import Prefix, shown
from billing.store.plans import Emailing, Exhausted, NumberOn, Plan
from billing.use_cases import look_up
from billing.use_cases.catalogue import NewPlan, create_plan


class PlanIn(In):
    """A plan to offer."""

    model_config = ConfigDict(
        title="New plan",
        json_schema_extra={"example": {"reference": "plant-club", "name": "Plant of the month", "trial_days": 0}},
    )

    reference: Reference
    name: Text
    number_on: Annotated[NumberOn, Field(description="When an invoice takes its number.")] = NumberOn.CAPTURE
    emailing: Annotated[Emailing, Field(description="Who has the invoice mailed.")] = Emailing.PROVIDER_DEFAULT
    exhausted: Annotated[Exhausted, Field(description="What the end of dunning does.")] = Exhausted.CANCEL
    trial_days: Annotated[Whole, Field(ge=0, le=730, description="Days before the first charge.")] = 0


class PlanOut(Out):
    """A plan."""

    id: str
    reference: str
    name: str
    number_on: NumberOn
    emailing: Emailing
    exhausted: Exhausted
    trial_days: int
    archived_at: datetime | None
    created_at: datetime


class PlanList(ListOut):
    """Plans."""

    data: list[PlanOut]


def plan_out(row: Plan) -> PlanOut:
    return PlanOut(
        id=shown(Prefix.PLAN, row.id),
        reference=row.reference,
        name=row.name,
        number_on=NumberOn(row.number_on),
        emailing=Emailing(row.emailing),
        exhausted=Exhausted(row.exhausted),
        trial_days=row.trial_days,
        archived_at=row.archived_at,
        created_at=row.created_at,
    )


class Plans(Controller):
    path = "/plans"
    tags = ("Plans",)

    @post(sync_to_thread=True, responses=problems(409, 413))
    def create_plan(self, data: JSONBody[PlanIn], write: Write) -> Response[PlanOut]:
        """Make a plan."""
        new = NewPlan(data.reference, data.name, data.number_on, data.emailing, data.exhausted, data.trial_days)
        return write.answer(
            201,
            lambda record: create_plan(write.wiring.database, write.wiring.ids, write.now, new, record),
            lambda _, plan: plan_out(plan),
        )

    @get(sync_to_thread=True, responses=problems())
    def list_plans(
        self, database: Reading, limit: Limit = 50, after: After = None, reference: ByReference = None
    ) -> PlanList:
        """List plans."""
        part = part_of(Prefix.PLAN, limit, after)
        page = look_up.plans(database, part, reference=reference_or_none(reference))
        data, following = listed(Prefix.PLAN, page, plan_out)
        return PlanList(data=data, next=following)

    @get("/{plan_id:str}", sync_to_thread=True, responses=problems(404))
    def get_plan(self, database: Reading, plan_id: FromPath[str]) -> PlanOut:
        """Get a plan."""
        return plan_out(look_up.plan(database, in_path(Prefix.PLAN, plan_id)))
