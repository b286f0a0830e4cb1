"""How a subscription itself turns in these lives: another plan, a pause, another zone, a longer trial, a discount."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from lives.acts import Acts
from lives.machine import FEW, ZONES

from billing.domain.changes import ChangeMode
from billing.domain.pauses import PauseMode
from billing.domain.periods import local_date
from billing.use_cases.change import cancel_change, change, preview_change
from billing.use_cases.change_case import ChangeRequest
from billing.use_cases.change_zone import change_zone
from billing.use_cases.discount import NewDiscount, grant_discount
from billing.use_cases.extend_trial import extend_trial
from billing.use_cases.pause import PauseRequest, pause, preview_pause, undo_pause
from billing.use_cases.resume import ResumeRequest, preview_resume, resume

DAYS = st.sampled_from([None, None, 3, 12])
MODES = st.sampled_from([None, *ChangeMode])


class Turns(Acts):
    """Verbs that change what a subscription is, each compared with its preview."""

    @rule(who=FEW, kind=st.sampled_from(["monthly", "daily", "weekly", "yearly", "by_second"]), mode=MODES)
    def change_plan(self, who: int, kind: str, mode: ChangeMode | None) -> None:
        self._change(who, ChangeRequest(self.life.offered(kind), {}, mode))

    @rule(who=FEW, article=st.sampled_from(["BOX", "BASE"]), units=st.integers(0, 4), mode=MODES)
    def change_quantity(self, who: int, article: str, units: int, mode: ChangeMode | None) -> None:
        self._change(who, ChangeRequest(None, {article: units}, mode))

    def _change(self, who: int, request: ChangeRequest) -> None:
        life = self.life
        here = (life.seller, life.sign, life.now, self.a_subscription(who).id, request)
        shown = life.look(preview_change, life.database, *here)
        done = life.act(change, life.database, life.ids, *here)
        self._same(shown, done)
        if done is not None:
            assert (shown.due_now, shown.balance_after) == (done.due_now, done.balance_after), "not what was shown"

    @rule(who=FEW)
    def forget_change(self, who: int) -> None:
        self.life.act(cancel_change, self.life.database, self.life.ids, self.life.now, self.a_subscription(who).id)

    @rule(who=FEW, mode=st.sampled_from(PauseMode), begins=DAYS, ends=DAYS, stub=st.booleans())
    def pause(self, who: int, mode: PauseMode, begins: int | None, ends: int | None, stub: bool) -> None:
        life = self.life
        at = None if begins is None else life.now + timedelta(days=begins)
        until = None if ends is None else life.now + timedelta(days=ends + 5)
        request = PauseRequest(mode, at, until, stub and mode is PauseMode.SKIP)
        here = (life.sign, life.now, self.a_subscription(who).id, request)
        self._same(life.look(preview_pause, life.database, *here), life.act(pause, life.database, life.ids, *here))

    @rule(who=FEW)
    def undo_pause(self, who: int) -> None:
        self.life.act(undo_pause, self.life.database, self.life.ids, self.life.now, self.a_subscription(who).id)

    @rule(who=FEW, begins=DAYS, collects_all=st.booleans())
    @precondition(lambda self: any(row.status == "paused" for row in self.life.subscriptions()))
    def resume(self, who: int, begins: int | None, collects_all: bool) -> None:
        life = self.life
        at = None if begins is None else life.now + timedelta(days=begins)
        paused = [row for row in life.subscriptions() if row.status == "paused"]
        here = (life.seller, life.sign, life.now, paused[who % len(paused)].id, ResumeRequest(at, collects_all))
        shown = life.look(preview_resume, life.database, *here)
        self._same(shown, life.act(resume, life.database, life.ids, *here))

    @rule(who=FEW, zone=ZONES)
    def change_zone(self, who: int, zone: str) -> None:
        life = self.life
        life.act(change_zone, life.database, life.ids, life.sign, life.now, self.a_subscription(who).id, zone)

    @rule(who=FEW, days=st.sampled_from([5, 20, -1]))
    @precondition(lambda self: any(row.status == "trialing" for row in self.life.subscriptions()))
    def extend_trial(self, who: int, days: int) -> None:
        life, row = self.life, self.a_subscription(who)
        until = local_date(row.next_period_at or life.now, row.zone) + timedelta(days=days)
        life.act(extend_trial, life.database, life.ids, life.seller, life.sign, life.now, row.id, until)

    @rule(who=FEW, percent=st.sampled_from([1000, 3333, 10000]), cycles=st.sampled_from([1, 2, None]))
    def grant_discount(self, who: int, percent: int, cycles: int | None) -> None:
        life, new = self.life, NewDiscount("welcome", percent, cycles=cycles)
        life.act(grant_discount, life.database, life.ids, life.now, self.a_subscription(who).id, new)

    def _same(self, shown: Any, done: Any) -> None:
        """A preview and its verb agree, whether it can be done and in every cent."""
        assert (shown is None) == (done is None), "preview and verb do not agree whether it can be done"
        if done is not None:
            shown_money, done_money = (getattr(found, "plan", found).money for found in (shown, done))
            assert shown_money == done_money, f"shown {shown_money}, done {done_money}"
