"""The story: hand the shop in, step through thirteen months to each next due instant, count what came of it.

It keeps nothing of its own: the sandbox's clock says how far it has been told, so a killed demo goes on from there.
"""

import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from billing.demo.acting import Stage, perform
from billing.demo.books import frozen_clock
from billing.demo.calling import Caller
from billing.demo.catalogue import Catalogue, read_catalogue
from billing.demo.figures import Figures, read_figures
from billing.demo.loading import load
from billing.demo.provider import Provider
from billing.demo.service import Service
from billing.demo.tables import show

START = datetime(2028, 1, 31, 8, tzinfo=UTC)
END = datetime(2029, 3, 1, 12, tzinfo=UTC)
"""Late enough that everything due on that day is done in all of the catalogue's zones."""

_SANDBOX_CREDENTIALS = ("sandbox", "sandbox")
_TAKEN_UP_AGAIN = timedelta(days=1)
"""Actions this far back are done once more after a kill, in case it came before or between them."""

_FIRST_WAIT = timedelta(minutes=1)
_LONGEST_WAIT = timedelta(hours=1)


def tell(
    service: Service, catalogue: Path, console: Console, start: datetime | None = None, end: datetime | None = None
) -> Figures:
    """Tell the story of `catalogue` on `service` from `start` to `end` (aware), or from where it stands; print the end.

    Raises UnexpectedAnswer where service or sandbox refuse what the story asks for.
    """
    began = time.monotonic()
    shop = read_catalogue(catalogue)
    first, last = start or START, end or END
    with (
        Caller(service.api_url, bearer=service.api_key) as api,
        Caller(service.sandbox_url, auth=_SANDBOX_CREDENTIALS) as sandbox,
        _progress(console) as progress,
        closing(Provider(sandbox, service.sandbox_url)) as provider,
    ):
        stage = Stage(api, provider, service.provider_account, shop)
        _Telling(service, stage, progress, last).tell(first)
    figures = read_figures(
        service.service_file, service.sandbox_file, shop.customers.values(), time.monotonic() - began
    )
    show(console, figures, _players(shop))
    return figures


class _Telling:
    """One pass over the time from where the sandbox's clock stands to the end."""

    def __init__(self, service: Service, stage: Stage, progress: Progress, end: datetime) -> None:
        self._service = service
        self._stage = stage
        self._progress = progress
        self._end = end
        self._actions = [action for action in stage.catalogue.actions if action.at <= end]
        self._wait = _FIRST_WAIT

    def tell(self, start: datetime) -> None:
        """From `start`, or from where a killed telling stopped, to the end."""
        stood = frozen_clock(self._service.sandbox_file)
        now = max(start, stood or start)
        self._move(now)
        if now == start:
            self._load()
            # What starts now is due now.
            self._service.advance(now)
        task = self._progress.add_task("time", total=_seconds(self._end - start), at=f"{now:%Y-%m-%d}")
        self._act(now - _TAKEN_UP_AGAIN, now)
        while now < self._end:
            then = self._next(now)
            self._move(then)
            self._act(now, then)
            self._show(task, then, start)
            now = then

    def _load(self) -> None:
        stage, shop = self._stage, self._stage.catalogue
        task = self._progress.add_task("shop", total=len(shop.customers), at="customers")
        load(stage.api, stage.provider, stage.account, shop, lambda: self._progress.advance(task))

    def _move(self, instant: datetime) -> None:
        # The sandbox first: nothing of ours may ever be younger than what the provider has seen.
        self._stage.provider.set_clock(instant)
        self._service.advance(instant)

    def _act(self, after: datetime, until: datetime) -> None:
        """What the actors do in `(after, until]`; what comes of it is due at once."""
        due = [action for action in self._actions if after < action.at <= until]
        for action in due:
            perform(self._stage, action)
        if due:
            self._service.advance(until)

    def _next(self, now: datetime) -> datetime:
        """The next instant at which anything happens: due rows, the story's own actions, the end."""
        due = self._service.next_due_at()
        if due is not None and due <= now:
            # Left leased by a process that died, or held by a stopped account: look again soon, then less often.
            due, self._wait = now + self._wait, min(2 * self._wait, _LONGEST_WAIT)
        else:
            self._wait = _FIRST_WAIT
        action = next((action.at for action in self._actions if action.at > now), None)
        return min(at for at in (due, action, self._end) if at is not None)

    def _show(self, task: TaskID, instant: datetime, start: datetime) -> None:
        self._progress.update(task, completed=_seconds(instant - start), at=f"{instant:%Y-%m-%d}")


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description:5}"), BarColumn(), TextColumn("{task.fields[at]}"), TimeElapsedColumn())
    return Progress(*columns, console=console, refresh_per_second=4)


def _seconds(span: timedelta) -> int:
    return span // timedelta(seconds=1)


def _players(shop: Catalogue) -> dict[str, int]:
    return dict(Counter(customer.part for customer in shop.customers.values()))
