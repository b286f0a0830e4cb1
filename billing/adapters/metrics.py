"""Metrics for Prometheus on a port of their own: gauges that are read when somebody asks, nothing is kept here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from billing.domain.errors import NotReady


@dataclass(frozen=True, slots=True)
class Gauge:
    """One gauge with one label: `read` gives its value by label value, whenever it is asked for."""

    name: str
    says: str
    label: str
    read: Callable[[], Mapping[str, int]]


class _Server(Protocol):
    server_port: int

    def shutdown(self) -> None: ...

    def server_close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class MetricsServer:
    """A server that answers `GET /metrics` until it is closed."""

    server: _Server

    @property
    def port(self) -> int:
        return self.server.server_port

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class _Gauges(Collector):
    def __init__(self, gauges: Sequence[Gauge]) -> None:
        self._gauges = gauges

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Names only: registering must not read the database."""
        return [GaugeMetricFamily(gauge.name, gauge.says, labels=[gauge.label]) for gauge in self._gauges]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        for gauge in self._gauges:
            family = GaugeMetricFamily(gauge.name, gauge.says, labels=[gauge.label])
            for label, value in gauge.read().items():
                family.add_metric([label], value)
            yield family


def serve_metrics(host: str, port: int, gauges: Sequence[Gauge]) -> MetricsServer:
    """Answer on `host`:`port` (0: a free one) in a thread of its own. Raises `NotReady` where it cannot listen."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Gauges(gauges))
    try:
        server, _ = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise NotReady(f"metrics cannot be served on {host}:{port}: {error.strerror or error}") from None
    return MetricsServer(server)
