"""A snapshot is what its JSON says, and those of several processes become one."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openspp_ftpd.status.snapshot import (
    BOUNDS,
    KEPT,
    Entry,
    Facts,
    Histogram,
    OpenSPP,
    Snapshot,
    from_json,
    merge,
)

TEXT = st.text(max_size=20)
COUNTS = st.dictionaries(st.sampled_from(["stored", "cut", "failed"]), st.integers(0, 999))
# Whole numbers, so that sums are exact in any order.
TIMES = st.integers(0, 10**9).map(float)
HISTOGRAMS = st.builds(
    Histogram, st.tuples(*[st.integers(0, 99)] * (len(BOUNDS) + 1)), st.integers(0, 999).map(float)
)
ENTRIES = st.lists(
    st.builds(Entry, TIMES, TEXT, TEXT, TEXT, st.integers(0, 10**9), TEXT, TEXT, TIMES),
    max_size=3,
).map(lambda entries: tuple(sorted(entries, key=lambda entry: entry.at)))
MAYBE_TIMES = st.none() | TIMES
KINDS = st.sampled_from(["login", "upload", "probe"])
SNAPSHOTS = st.builds(
    Snapshot,
    taken=TIMES,
    started=TIMES,
    facts=st.builds(
        Facts,
        version=TEXT,
        state=st.sampled_from(["serving", "stopping"]),
        listening=TEXT,
        sessions_plain=st.integers(0, 99),
        spool_used=st.integers(0, 99),
        certificate_expires=MAYBE_TIMES,
    ),
    openspp=st.builds(
        OpenSPP,
        url=st.just("https://openspp"),
        answered_at=MAYBE_TIMES,
        answers_since=MAYBE_TIMES,
        trouble_at=MAYBE_TIMES,
        trouble_since=MAYBE_TIMES,
        trouble=TEXT,
        requests=st.dictionaries(KINDS, COUNTS),
        seconds=st.dictionaries(KINDS, HISTOGRAMS),
    ),
    logins=COUNTS,
    scans=COUNTS,
    scan_bytes=COUNTS,
    sessions_refused=st.integers(0, 99),
    seconds_to_store=HISTOGRAMS,
    last_scans=ENTRIES,
    last_failures=ENTRIES,
)


class TestJson:
    @settings(max_examples=30, deadline=None)
    @given(SNAPSHOTS)
    def test_what_was_written_is_read(self, snapshot: Snapshot) -> None:
        assert from_json(snapshot.to_json()) == snapshot

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{}",
            "[]",
            "null",
            '{"taken": 1',
            Snapshot(1.0, 1.0).to_json().replace('"taken": 1.0', '"taken": "now"'),
            Snapshot(1.0, 1.0).to_json().replace('"taken": 1.0, ', ""),
            Snapshot(1.0, 1.0).to_json().replace('"taken"', '"more": 1, "taken"'),
            Snapshot(1.0, 1.0).to_json().replace('"serving"', '"sleeping"'),
            Snapshot(1.0, 1.0)
            .to_json()
            .replace('"sessions_refused": 0', '"sessions_refused": true'),
        ],
    )
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r".+"):
            from_json(text)

    def test_names_stay_readable(self) -> None:
        entry = Entry(1.0, "clerk", "192.0.2.7", "فاتورة.pdf", 1, "stored", "226 Done.")
        text = Snapshot(1.0, 1.0, last_scans=(entry,)).to_json()
        assert json.loads(text)["last_scans"][0]["file"] == "فاتورة.pdf"
        assert "فاتورة" in text


class TestHistogram:
    @pytest.mark.parametrize(
        ("seconds", "bucket"),
        [(0.0, 0), (0.1, 0), (0.1001, 1), (45.0, 9), (120.0, 11), (120.1, 12), (9e9, 12)],
    )
    def test_a_bound_belongs_to_its_bucket(self, seconds: float, bucket: int) -> None:
        counts = Histogram().with_one(seconds).counts
        assert [number for number, count in enumerate(counts) if count] == [bucket]


class TestMerge:
    @settings(max_examples=30, deadline=None)
    @given(SNAPSHOTS)
    def test_one_is_itself(self, snapshot: Snapshot) -> None:
        assert merge([snapshot]) == snapshot

    @settings(max_examples=30, deadline=None)
    @given(SNAPSHOTS, SNAPSHOTS)
    def test_counts_are_added(self, one: Snapshot, other: Snapshot) -> None:
        both = merge([one, other])
        for name in ("stored", "cut", "failed"):
            assert both.scans.get(name, 0) == one.scans.get(name, 0) + other.scans.get(name, 0)
        assert both.sessions_refused == one.sessions_refused + other.sessions_refused
        assert sum(both.seconds_to_store.counts) == sum(one.seconds_to_store.counts) + sum(
            other.seconds_to_store.counts
        )
        assert both.facts.sessions_plain == one.facts.sessions_plain + other.facts.sessions_plain

    @settings(max_examples=30, deadline=None)
    @given(st.lists(SNAPSHOTS, min_size=1, max_size=4), SNAPSHOTS)
    def test_it_is_the_same_in_steps(self, some: list[Snapshot], last: Snapshot) -> None:
        def without_since(snapshot: Snapshot) -> Snapshot:
            """Since when: told by fewer times in steps than at once."""
            openspp = dataclasses.replace(
                snapshot.openspp, answers_since=None, trouble_since=None, trouble=""
            )
            # Of entries of one moment those of either process may be dropped.
            return dataclasses.replace(snapshot, openspp=openspp, last_scans=(), last_failures=())

        at_once = merge([*some, last])
        assert without_since(merge([merge(some), last])) == without_since(at_once)

    def test_the_last_scans_of_all_are_the_last(self) -> None:
        def of(start: int) -> Snapshot:
            entries = [
                Entry(float(at), "u", "c", f"{at}.pdf", 1, "stored", "226")
                for at in range(start, start + 2 * KEPT, 2)
            ]
            return Snapshot(1.0, 1.0, last_scans=tuple(entries))

        both = merge([of(0), of(1)])
        assert [entry.at for entry in both.last_scans] == [
            float(at) for at in range(KEPT, 2 * KEPT)
        ]

    def test_openspp_is_what_showed_last_wherever(self) -> None:
        well = OpenSPP(answered_at=30.0, answers_since=10.0)
        ill = OpenSPP(trouble_at=20.0, trouble_since=15.0, trouble="refused")
        merged = merge([Snapshot(1, 1, openspp=ill), Snapshot(1, 1, openspp=well)]).openspp
        assert (merged.answers, merged.answered_at, merged.trouble) == (True, 30.0, "refused")
        assert merged.answers_since == 30.0  # since 15 it did not, until 20 at least
        later = dataclasses.replace(ill, trouble_at=40.0, trouble_since=35.0)
        merged = merge([Snapshot(1, 1, openspp=later), Snapshot(1, 1, openspp=well)]).openspp
        assert (merged.answers, merged.trouble_since) == (False, 35.0)

    def test_one_that_stops_makes_the_whole_stop(self) -> None:
        snapshots = [Snapshot(1, 1), Snapshot(1, 1, facts=Facts(state="stopping"))]
        assert merge(snapshots).facts.state == "stopping"

    def test_what_they_share_is_not_added(self) -> None:
        facts = Facts(spool_used=10, spool_size=100, certificate_expires=5.0)
        merged = merge([Snapshot(1, 1, facts=facts)] * 3).facts
        assert (merged.spool_used, merged.spool_size) == (10, 100)
        assert merged.certificate_expires == 5.0
