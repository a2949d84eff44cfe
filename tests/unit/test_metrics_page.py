"""The page for Prometheus: what a snapshot holds, in its format; and the examples that use it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from openspp_ftpd.metrics.page import render
from openspp_ftpd.status.figures import LOGIN_RESULTS, SCAN_RESULTS
from openspp_ftpd.status.snapshot import BOUNDS, Entry, Facts, Histogram, OpenSPP, Snapshot

EXAMPLES = Path(__file__).resolve().parents[2] / "debian" / "examples"
ALERTS = EXAMPLES / "prometheus-alerts.yml"
DASHBOARD = EXAMPLES / "grafana-dashboard.json"

ENTRY = Entry(1.0, "fatima", "192.0.2.7", "hassan.pdf", 1, "stored", "226 Done.")
FULL = Snapshot(
    taken=100.0,
    started=50.0,
    facts=Facts(
        version="1.2.3",
        sessions_plain=1,
        sessions_tls=2,
        uploads_pending=3,
        spool_used=4,
        spool_size=5,
        certificate_expires=6.0,
    ),
    openspp=OpenSPP(
        answered_at=90.0,
        trouble_at=95.0,
        requests={"login": {"answered": 7, "unreachable": 1}, "upload": {"answered": 8}},
        seconds={"login": Histogram().with_one(0.2).with_one(999.0)},
    ),
    logins=dict.fromkeys(LOGIN_RESULTS, 9),
    scans=dict.fromkeys(SCAN_RESULTS, 10),
    scan_bytes=dict.fromkeys(SCAN_RESULTS, 11),
    problems={"cut": 12},
    sessions_refused=13,
    seconds_to_store=Histogram().with_one(0.2).with_one(3.0),
    last_scans=(ENTRY,),
    last_failures=(ENTRY,),
)


def samples(snapshot: Snapshot) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every value of the page by its name and labels, as Prometheus' own library reads it."""
    parse: Callable[[str], Iterable[Metric]] = text_string_to_metric_families
    found = {}
    for family in parse(render(snapshot).decode()):
        assert family.documentation
        for sample in family.samples:
            key = (sample.name.removeprefix("openspp_ftpd_"), frozenset(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


def value(snapshot: Snapshot, name: str, **labels: str) -> float:
    return samples(snapshot)[name, frozenset(labels.items())]


class TestPage:
    def test_every_count_is_there(self) -> None:
        assert value(FULL, "build_info", version="1.2.3") == 1
        assert value(FULL, "start_time_seconds") == 50
        assert value(FULL, "stopping") == 0
        assert value(FULL, "sessions", protection="plain") == 1
        assert value(FULL, "sessions", protection="tls") == 2
        assert value(FULL, "uploads_pending") == 3
        assert value(FULL, "spool_used_bytes") == 4
        assert value(FULL, "spool_size_bytes") == 5
        assert value(FULL, "certificate_expiry_time_seconds") == 6
        assert value(FULL, "openspp_requests_total", request="login", result="unreachable") == 1
        assert value(FULL, "openspp_requests_total", request="upload", result="answered") == 8
        for result in LOGIN_RESULTS:
            assert value(FULL, "logins_total", result=result) == 9
        for result in SCAN_RESULTS:
            assert value(FULL, "scans_total", result=result) == 10
            assert value(FULL, "scan_bytes_total", result=result) == 11
        assert value(FULL, "scan_problems_total", problem="cut") == 12
        assert value(FULL, "sessions_refused_total") == 13
        assert value(FULL, "openspp_last_answer_time_seconds") == 90

    def test_buckets_add_up_as_prometheus_wants_them(self) -> None:
        bounds = [*map(str, BOUNDS), "+Inf"]
        told = [value(FULL, "store_seconds_bucket", le=bound) for bound in bounds]
        assert told == [0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2]
        assert value(FULL, "store_seconds_count") == 2
        assert value(FULL, "store_seconds_sum") == pytest.approx(3.2)
        name = "openspp_request_seconds_bucket"
        assert value(FULL, name, request="login", le="120.0") == 1
        assert value(FULL, name, request="login", le="+Inf") == 2

    @pytest.mark.parametrize(
        ("openspp", "up"),
        [
            (OpenSPP(answered_at=1.0), 1),
            (OpenSPP(trouble_at=1.0), 0),
            (OpenSPP(answered_at=1.0, trouble_at=2.0), 0),
            (OpenSPP(answered_at=2.0, trouble_at=1.0), 1),
        ],
    )
    def test_whether_openspp_answers(self, openspp: OpenSPP, up: int) -> None:
        assert value(replace(FULL, openspp=openspp), "openspp_up") == up

    def test_what_is_not_known_is_not_told(self) -> None:
        told = samples(replace(FULL, openspp=OpenSPP(), facts=Facts()))
        names = {name for name, _ in told}
        assert not names & {"openspp_up", "certificate_expiry_time_seconds"}

    def test_a_daemon_that_stops_says_so(self) -> None:
        assert value(replace(FULL, facts=Facts(state="stopping")), "stopping") == 1

    def test_nobody_s_name_is_on_it(self) -> None:
        page = render(FULL)
        assert not [word for word in (b"fatima", b"hassan", b"192.0.2.7") if word in page]


def expressions(node: Any) -> Iterator[str]:
    """Every PromQL expression of an example, wherever it stands."""
    if isinstance(node, dict):
        for name, inner in node.items():
            if name in ("expr", "query", "definition") and isinstance(inner, str):
                yield inner
            else:
                yield from expressions(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from expressions(inner)


def examples() -> list[Any]:
    return [
        yaml.safe_load(ALERTS.read_text(encoding="utf-8")),
        json.loads(DASHBOARD.read_text(encoding="utf-8")),
    ]


class TestExamples:
    def test_they_use_only_what_is_on_the_page(self) -> None:
        known = {f"openspp_ftpd_{name}" for name, _ in samples(FULL)}
        for example in examples():
            used = {
                name
                for expression in expressions(example)
                for name in re.findall(r"openspp_ftpd_\w+", expression)
            }
            assert len(used) > 8
            assert used - known == set()

    def test_they_use_only_labels_and_results_that_there_are(self) -> None:
        results: dict[str, set[str]] = {}
        for _, labels in samples(FULL):
            for label, text in labels:
                results.setdefault(label, set()).add(text)
        for example in examples():
            for expression in expressions(example):
                for label, text in re.findall(r'(\w+)=~?"([^"]*)"', expression):
                    if label not in ("instance", "job"):
                        assert set(text.split("|")) <= results[label]
                for grouped in re.findall(r"by \(([^)]*)\)", expression):
                    assert set(grouped.split(", ")) <= {*results, "instance"}

    def test_every_alert_says_what_is_so_and_what_to_do(self) -> None:
        (group,) = examples()[0]["groups"]
        for rule in group["rules"]:
            assert set(rule) - {"for"} == {"alert", "expr", "labels", "annotations"}
            assert rule["labels"]["severity"] in ("warning", "critical")
            assert set(rule["annotations"]) == {"summary", "description"}
            assert "$labels.instance" in rule["annotations"]["summary"]

    def test_no_panel_lies_over_another(self) -> None:
        taken: set[tuple[int, int]] = set()
        for panel in examples()[1]["panels"]:
            at = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(at["x"], at["x"] + at["w"])
                for y in range(at["y"], at["y"] + at["h"])
            }
            assert not cells & taken
            assert max(x for x, _ in cells) < 24
            taken |= cells
