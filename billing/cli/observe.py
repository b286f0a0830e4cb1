"""What a running service shows of itself on its metrics port, for as long as it runs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import click

from billing.adapters.metrics import Gauge, MetricsServer, serve_metrics
from billing.bootstrap import Wiring
from billing.domain.errors import NotReady
from billing.use_cases.verify_daily import last_breaches
from config.settings import Settings


@contextmanager
def observed(settings: Settings, wiring: Wiring) -> Iterator[None]:
    """Serve the metrics while the block runs; where that is not possible it says so, and the service runs without."""
    server = _served(settings, wiring)
    try:
        yield
    finally:
        if server is not None:
            server.close()


def _served(settings: Settings, wiring: Wiring) -> MetricsServer | None:
    def breaches() -> Mapping[str, int]:
        return last_breaches(wiring.database)

    gauges = [Gauge("billing_verify_breaches", "Rows that broke an invariant in the last check", "invariant", breaches)]
    try:
        server = serve_metrics(settings.metrics.host, settings.metrics.port, gauges)
    except NotReady as reason:
        click.echo(f"no metrics: {reason}", err=True)
        return None
    click.echo(f"metrics on http://{settings.metrics.host}:{server.port}/metrics", err=True)
    return server
