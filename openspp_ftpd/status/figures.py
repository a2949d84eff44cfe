"""Counts what happens in one process since its start.

The journal tells it of every event (events.py), the watched OpenSPP of every request
(openspp/watched.py), from worker threads too. Nothing here is ever written anywhere.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from openspp_ftpd.errors import OPENSPP_NOT_WELL, Failure, Problem
from openspp_ftpd.status.snapshot import KEPT, Entry, Facts, Histogram, OpenSPP, Snapshot

LOGIN_RESULTS: Final = ("accepted", "wrong_password", "not_a_scanner_user", "unavailable")
SCAN_RESULTS: Final = ("stored", "refused", "failed", "cut", "not_kept")

_CUT: Final = frozenset({Problem.CUT, Problem.ABORTED, Problem.STALLED, Problem.TLS_FAILED})
_MOST_KEYS: Final = 200
_LONGEST: Final = 255  # characters of a text; what a client sends can be much longer
_LOGIN_PROBLEMS: Final = {
    Problem.WRONG_PASSWORD: "wrong_password",
    Problem.NOT_A_SCANNER_USER: "not_a_scanner_user",
}


class Figures:
    """The counts of a process; safe in every thread. `clock` gives seconds since 1970."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._started = clock()
        self._logins = Counter(dict.fromkeys(LOGIN_RESULTS, 0))
        self._scans = Counter(dict.fromkeys(SCAN_RESULTS, 0))
        self._bytes = Counter(dict.fromkeys(SCAN_RESULTS, 0))
        self._problems = Counter({problem.name.lower(): 0 for problem in Problem})
        self._sessions_refused = 0
        self._seconds_to_store = Histogram()
        self._last_scans: deque[Entry] = deque(maxlen=KEPT)
        self._last_failures: deque[Entry] = deque(maxlen=KEPT)
        self._openspp = OpenSPP()
        self._requests: dict[str, Counter[str]] = {}
        self._seconds: dict[str, Histogram] = {}
        self._asked_of = ""
        self._expiring_keys: dict[str, str] = {}

    # -- sessions, logins and scans

    def session_refused(self) -> None:
        """A connection was turned away."""
        with self._lock:
            self._sessions_refused += 1

    def logged_in(self) -> None:
        """A scanner logged in."""
        with self._lock:
            self._logins["accepted"] += 1

    def login_failed(self, user: str, client: str, failure: Failure, reply: str) -> None:
        """A login was refused, or OpenSPP could not tell."""
        result = _LOGIN_PROBLEMS.get(failure.problem, "unavailable")
        with self._lock:
            self._logins[result] += 1
            self._last_failures.append(self._entry(user, client, "", 0, result, reply))
        self._heed(failure)

    def stored(
        self, user: str, client: str, file: str, size: int, seconds: float, reply: str
    ) -> None:
        """OpenSPP has a scan, `seconds` after its transfer began."""
        with self._lock:
            self._count("stored", size)
            self._seconds_to_store = self._seconds_to_store.with_one(seconds)
            entry = self._entry(user, client, file, size, "stored", reply, seconds)
            self._last_scans.append(entry)

    def not_kept(self, user: str, client: str, file: str, size: int, reply: str) -> None:
        """A file was thrown away because the administrator ordered so."""
        with self._lock:
            self._count("not_kept", size)
            self._last_scans.append(self._entry(user, client, file, size, "not_kept", reply))

    def not_stored(
        self,
        user: str,
        client: str,
        file: str,
        size: int,
        failure: Failure,
        reply: str,
        seconds: float,
    ) -> None:
        """A scan was refused (a 5xx), cut, or failed (any other 4xx)."""
        if failure.problem in _CUT:
            result = "cut"
        else:
            result = "refused" if failure.problem.upload_code >= 500 else "failed"
        with self._lock:
            self._count(result, size)
            self._problems[failure.problem.name.lower()] += 1
            entry = self._entry(user, client, file, size, result, reply, seconds)
            self._last_failures.append(entry)
        self._heed(failure)

    def _entry(
        self,
        user: str,
        client: str,
        file: str,
        size: int,
        result: str,
        reply: str,
        seconds: float = 0.0,
    ) -> Entry:
        texts = (_plain(user), client, _plain(file))
        return Entry(self._clock(), *texts, size, result, _plain(reply), seconds)

    def _count(self, result: str, size: int) -> None:
        self._scans[result] += 1
        self._bytes[result] += size

    # -- OpenSPP

    def openspp_is(self, url: str) -> None:
        """Which OpenSPP is asked from now on; what another one showed says nothing about it."""
        with self._lock:
            if self._asked_of != url:
                self._asked_of = url
                self._openspp = OpenSPP()
                self._expiring_keys = {}

    def openspp_answered(self, kind: str, seconds: float) -> None:
        """A request ("login", "upload", "probe") was answered as it should be, or refused by
        an OpenSPP that is well."""
        with self._lock:
            self._request(kind, "answered")
            self._seconds[kind] = self._seconds.get(kind, Histogram()).with_one(seconds)
            now, was = self._clock(), self._openspp
            since = was.answers_since if was.answers else now
            self._openspp = replace(was, answered_at=now, answers_since=since)

    def openspp_failed(self, kind: str, failure: Failure) -> None:
        """A request had no proper answer."""
        with self._lock:
            self._request(kind, failure.problem.name.lower())
        self._heed(failure)

    def openspp_given_up(self, kind: str) -> None:
        """The daemon gave a request up: the scanner left, or its time was over."""
        with self._lock:
            self._request(kind, "given_up")

    def key_expires(self, user: str, sentence: str) -> None:
        """A user's API key expires soon, in the administrator's words; "": it does not."""
        with self._lock:
            self._expiring_keys.pop(user, None)
            if sentence:
                self._expiring_keys[user] = sentence
            if len(self._expiring_keys) > _MOST_KEYS:
                del self._expiring_keys[next(iter(self._expiring_keys))]

    def _request(self, kind: str, result: str) -> None:
        self._requests.setdefault(kind, Counter())[result] += 1

    def _heed(self, failure: Failure) -> None:
        """A scanner's failure can be the only sign that OpenSPP is not well: it never answered."""
        if failure.problem not in OPENSPP_NOT_WELL:
            return
        with self._lock:
            now, was = self._clock(), self._openspp
            since = was.trouble_since if was.answers is False else now
            why = _plain(failure.detail or failure.problem.text)
            self._openspp = replace(was, trouble_at=now, trouble_since=since, trouble=why)

    # -- all together

    def snapshot(self, facts: Facts) -> Snapshot:
        """Everything up to now."""
        with self._lock:
            return Snapshot(
                taken=self._clock(),
                started=self._started,
                facts=facts,
                openspp=replace(
                    self._openspp,
                    url=self._asked_of,
                    requests={kind: dict(counts) for kind, counts in self._requests.items()},
                    seconds=dict(self._seconds),
                    expiring_keys=dict(self._expiring_keys),
                ),
                logins=dict(self._logins),
                scans=dict(self._scans),
                scan_bytes=dict(self._bytes),
                problems=dict(self._problems),
                sessions_refused=self._sessions_refused,
                seconds_to_store=self._seconds_to_store,
                last_scans=tuple(self._last_scans),
                last_failures=tuple(self._last_failures),
            )


def _plain(text: str) -> str:
    """One line of bounded length, without what a terminal would obey."""
    text = text[:_LONGEST]
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "?" for c in text)
