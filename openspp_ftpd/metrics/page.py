"""A snapshot as a page for Prometheus, by python3-prometheus-client.

Its labels are kinds and results, of which there is a fixed number: no user, address or file name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from openspp_ftpd.status.snapshot import BOUNDS, Histogram, Snapshot

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

_PREFIX: Final = "openspp_ftpd_"


def render(snapshot: Snapshot) -> bytes:
    """The page."""
    registry = CollectorRegistry()
    registry.register(_Figures(snapshot))
    return generate_latest(registry)


class _Figures(Collector):
    """The metrics of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        """prometheus_client's interface."""
        now = self._snapshot
        facts = now.facts
        yield _info(facts.version)
        yield _gauge("start_time_seconds", "When the daemon started, since 1970.", now.started)
        yield _gauge("stopping", "1 while the daemon ends.", float(facts.state == "stopping"))
        sessions = {"plain": facts.sessions_plain, "tls": facts.sessions_tls}
        yield _gauges("sessions", "Sessions that are open.", "protection", sessions)
        yield _counter(
            "sessions_refused", "Connections that were turned away at once.", now.sessions_refused
        )
        yield _counters("logins", "Logins by result.", "result", now.logins)
        yield _counters("scans", "Scans by result.", "result", now.scans)
        yield _counters("scan_bytes", "Bytes of scans by result.", "result", now.scan_bytes)
        yield _counters(
            "scan_problems", "Scans that were not stored, by reason.", "problem", now.problems
        )
        yield _histograms(
            "store_seconds",
            "From the transfer's begin to the 226 of scans that were stored.",
            {"": now.seconds_to_store},
        )
        yield _gauge(
            "uploads_pending", "Scans that wait for OpenSPP's answer.", facts.uploads_pending
        )
        yield _gauge("spool_used_bytes", "Of the upload directory's tmpfs.", facts.spool_used)
        yield _gauge("spool_size_bytes", "Of the upload directory's tmpfs.", facts.spool_size)
        if facts.certificate_expires is not None:
            yield _gauge(
                "certificate_expiry_time_seconds",
                "When the certificate for scanners expires, since 1970.",
                facts.certificate_expires,
            )
        yield from self._openspp()

    def _openspp(self) -> Iterator[Metric]:
        openspp = self._snapshot.openspp
        if openspp.answers is not None:
            yield _gauge(
                "openspp_up",
                "1 where OpenSPP answered as it should the last time it was asked.",
                float(openspp.answers),
            )
        if openspp.answered_at is not None:
            yield _gauge(
                "openspp_last_answer_time_seconds",
                "When OpenSPP last answered as it should, since 1970.",
                openspp.answered_at,
            )
        requests = CounterMetricFamily(
            f"{_PREFIX}openspp_requests",
            "Requests to OpenSPP by what came of them.",
            labels=["request", "result"],
        )
        for kind, results in openspp.requests.items():
            for result, count in results.items():
                requests.add_metric([kind, result], count)
        yield requests
        yield _histograms(
            "openspp_request_seconds",
            "How long OpenSPP took to answer as it should.",
            openspp.seconds,
            "request",
        )


def _info(version: str) -> Metric:
    family = GaugeMetricFamily(f"{_PREFIX}build_info", "Version of the daemon.", labels=["version"])
    family.add_metric([version], 1)
    return family


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, what, value=value)


def _gauges(name: str, what: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(_PREFIX + name, what, labels=[label])
    for each, value in values.items():
        family.add_metric([each], value)
    return family


def _counter(name: str, what: str, value: int) -> Metric:
    return CounterMetricFamily(_PREFIX + name, what, value=value)


def _counters(name: str, what: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(_PREFIX + name, what, labels=[label])
    for each, count in counts.items():
        family.add_metric([each], count)
    return family


def _histograms(
    name: str, what: str, histograms: Mapping[str, Histogram], label: str = ""
) -> Metric:
    family = HistogramMetricFamily(_PREFIX + name, what, labels=[label] if label else [])
    for each, histogram in histograms.items():
        total = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*BOUNDS, float("inf")), histogram.counts, strict=True):
            total += count
            buckets.append(("+Inf" if bound == float("inf") else str(bound), total))
        family.add_metric([each] if label else [], buckets, histogram.sum)
    return family
