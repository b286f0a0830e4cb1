"""Plans: what is offered, and the rules that every subscription to it follows."""

from datetime import datetime
from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody
from pydantic import ConfigDict, Field, StrictBool

from api.answers import ListOut, Out, listed
from api.bodies import In, Reference, Text, Whole, in_path
from api.errors import problems
from api.idempotency import Write
from api.queries import After, ByReference, Limit, Reading, part_of, reference_or_none
from billing.domain.changes import ChangeMode
from billing.domain.dunning import LADDER, TERMINAL_DAY
from billing.domain.ids import Prefix, shown
from billing.store.plans import (
    AnchorPolicy,
    CancelCredit,
    CaptureMode,
    Emailing,
    Exhausted,
    MissingToken,
    NumberOn,
    Plan,
    Proration,
    ZeroInvoices,
)
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
    anchor_policy: Annotated[AnchorPolicy, Field(description="Where the calendar after a trial is anchored.")] = (
        AnchorPolicy.CONVERSION
    )
    missing_token: Annotated[MissingToken, Field(description="What a trial's end without a token does.")] = (
        MissingToken.PAUSE
    )
    capture: Annotated[CaptureMode, Field(description="When the money is taken.")] = CaptureMode.AUTOMATIC
    capture_delay_minutes: Annotated[
        Whole, Field(ge=0, le=40_320, description="From the purchase to the capture: 0, or 30 and more.")
    ] = 31
    proration: Annotated[Proration, Field(description="The grain in which a part of a period is priced.")] = (
        Proration.DAY
    )
    cancel_credit: Annotated[CancelCredit, Field(description="What a cancel at once gives back.")] = CancelCredit.NONE
    zero_invoices: Annotated[ZeroInvoices, Field(description="What becomes of an invoice over nothing.")] = (
        ZeroInvoices.PAID
    )
    upgrade_mode: Annotated[ChangeMode, Field(description="How a dearer price is taken.")] = ChangeMode.CHARGE_NOW
    downgrade_mode: Annotated[ChangeMode, Field(description="How a cheaper price is taken.")] = ChangeMode.AT_PERIOD_END
    quantity_up_mode: Annotated[ChangeMode, Field(description="How more units are taken.")] = ChangeMode.CHARGE_NOW
    quantity_down_mode: Annotated[ChangeMode, Field(description="How fewer units are taken.")] = (
        ChangeMode.AT_PERIOD_END
    )
    longer_interval_mode: Annotated[ChangeMode, Field(description="`full_and_reset` or `at_period_end`.")] = (
        ChangeMode.FULL_AND_RESET
    )
    shorter_interval_mode: Annotated[ChangeMode, Field(description="`full_and_reset` or `at_period_end`.")] = (
        ChangeMode.AT_PERIOD_END
    )
    term_cycles: Annotated[Whole, Field(ge=1, le=10_000, description="It ends after so many paid cycles.")] | None = (
        None
    )
    minimum_cycles: Annotated[Whole, Field(ge=0, le=10_000, description="Paid cycles before it can end.")] = 0
    notice_days: Annotated[Whole, Field(ge=0, le=730, description="Days of notice before it can end.")] = 0
    pause_in_minimum_term: StrictBool = False
    pause_days_max: Annotated[Whole, Field(ge=1, le=3_650, description="The longest pause, in days.")] | None = None
    payment_gated: Annotated[StrictBool, Field(description="Starts with its first authorization, not before.")] = False
    gate_hours: Annotated[Whole, Field(ge=1, le=720, description="How long such a start is waited for.")] = 24
    dunning_days: Annotated[
        tuple[Annotated[Whole, Field(ge=1, le=365)], ...],
        Field(max_length=20, description="Days after the first decline on which the charge is tried again."),
    ] = LADDER
    dunning_terminal_day: Annotated[Whole, Field(ge=1, le=366, description="The day on which trying ends.")] = (
        TERMINAL_DAY
    )
    grace_days: Annotated[Whole, Field(ge=0, le=365, description="How long an unpaid customer keeps access.")] = 7

    def new(self) -> NewPlan:
        """What the use case takes."""
        return NewPlan(**{name: getattr(self, name) for name in type(self).model_fields})


class PlanOut(Out):
    """A plan."""

    id: str
    reference: str
    name: str
    number_on: NumberOn
    emailing: Emailing
    exhausted: Exhausted
    trial_days: int
    anchor_policy: AnchorPolicy
    missing_token: MissingToken
    capture: CaptureMode
    capture_delay_minutes: int
    proration: Proration
    cancel_credit: CancelCredit
    zero_invoices: ZeroInvoices
    upgrade_mode: ChangeMode
    downgrade_mode: ChangeMode
    quantity_up_mode: ChangeMode
    quantity_down_mode: ChangeMode
    longer_interval_mode: ChangeMode
    shorter_interval_mode: ChangeMode
    term_cycles: int | None
    minimum_cycles: int
    notice_days: int
    pause_in_minimum_term: bool
    pause_days_max: int | None
    payment_gated: bool
    gate_hours: int
    dunning_days: list[int]
    dunning_terminal_day: int
    grace_days: int
    archived_at: datetime | None
    created_at: datetime


class PlanList(ListOut):
    """Plans."""

    data: list[PlanOut]


def plan_out(row: Plan) -> PlanOut:
    rules = {name: getattr(row, name) for name in PlanOut.model_fields if name != "id"}
    return PlanOut(id=shown(Prefix.PLAN, row.id), **rules)


class Plans(Controller):
    path = "/plans"
    tags = ("Plans",)

    @post(sync_to_thread=True, responses=problems(409, 413))
    def create_plan(self, data: JSONBody[PlanIn], write: Write) -> Response[PlanOut]:
        """Make a plan."""
        return write.answer(
            201,
            lambda record: create_plan(write.wiring.database, write.wiring.ids, write.now, data.new(), record),
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
