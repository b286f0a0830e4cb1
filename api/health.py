"""Health: alive, and able to bill. Nothing here needs a key, so nothing here says more than one word a check."""

from collections.abc import Mapping

from litestar import Response, Router, get
from litestar.openapi.datastructures import ResponseSpec

import migrations
from api.answers import Out
from billing.bootstrap import Wiring
from billing.scheduler import Loops
from billing.use_cases.check_ready import OK, check_ready


class LiveOut(Out):
    """This process answers."""

    status: str


class ReadyOut(Out):
    """Whether this process can bill, and which check says otherwise."""

    status: str
    checks: Mapping[str, str]


def health(wiring: Wiring, loops: Loops) -> Router:
    """The two addresses for whoever watches the service."""
    schema = migrations.newest()

    @get("/live", sync_to_thread=False)
    def live() -> LiveOut:
        """Say that the process answers."""
        return LiveOut(status=OK)

    @get("/ready", sync_to_thread=True, responses={503: ResponseSpec(ReadyOut, description="It cannot bill now.")})
    def ready() -> Response[ReadyOut]:
        """Say whether the service can bill: database, schema, vault key, work that is not overdue, and no copy.

        Answers 503 with the same document where it cannot.
        """
        checks = check_ready(wiring.database, wiring.keyring, wiring.clock.now(), schema, loops.next_due_at)
        checks = {**checks, "instance": wiring.guard.refusal or OK}
        is_ready = all(said == OK for said in checks.values())
        document = ReadyOut(status=OK if is_ready else "not ready", checks=dict(checks))
        return Response(document, status_code=200 if is_ready else 503)

    return Router("/health", route_handlers=[live, ready], tags=["Health"])
