"""A snapshot in words: the sentence of `systemctl status`, and what `openspp-ftpd status` prints.

Pure: the time zone's clock reading is made here from the seconds that the snapshot holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from openspp_ftpd.status.snapshot import Entry, OpenSPP, Snapshot

_RESULTS = {
    "stored": "in OpenSPP",
    "not_kept": "not kept",
    "wrong_password": "wrong password",
    "not_a_scanner_user": "no scanner user",
    "unavailable": "login failed",
}


def sentence(snapshot: Snapshot) -> str:
    """Where it listens, how many sessions, what became of the scans, and how OpenSPP is."""
    facts, scans = snapshot.facts, snapshot.scans
    failed = scans.get("failed", 0) + scans.get("cut", 0)
    counted = (
        f"{_many(facts.sessions_plain + facts.sessions_tls, 'session')};"
        f" {_many(scans.get('stored', 0), 'scan')} stored, {scans.get('refused', 0)} refused,"
        f" {failed} failed since {_moment(snapshot.started, snapshot.taken)};"
        f" {openspp(snapshot.openspp, snapshot.taken)}"
    )
    if facts.state == "stopping":
        return f"Stopping, scans under way are finished first: {counted}"
    return f"{facts.listening.rstrip('.')}; {counted}"


def openspp(state: OpenSPP, now: float) -> str:
    """Whether OpenSPP answers, and if not, since when and why."""
    if state.answers is None:
        return "OpenSPP was not asked yet."
    if state.answers:
        return "OpenSPP answers."
    why = state.trouble if state.trouble.endswith((".", "?")) else f"{state.trouble}."
    return f"OpenSPP has not answered as it should since {_moment(state.trouble_since, now)}: {why}"


def report(snapshot: Snapshot) -> str:
    """The sentence, more counts, and the last scans and failures as tables, newest first."""
    facts, now = snapshot.facts, snapshot.taken
    lines = [
        sentence(snapshot),
        "",
        f"Version    {facts.version}, running since {_moment(snapshot.started, now)}",
        f"OpenSPP    last answered {_moment(snapshot.openspp.answered_at, now)},"
        f" last trouble {_moment(snapshot.openspp.trouble_at, now)}",
        f"Sessions   {facts.sessions_plain} without TLS, {facts.sessions_tls} with TLS,"
        f" {snapshot.sessions_refused} refused since start",
        f"Logins     {_counts(snapshot.logins)}",
        f"Scans      {_counts(snapshot.scans)};"
        f" {facts.uploads_pending} on their way to OpenSPP",
        f"Spool      {_size(facts.spool_used)} of {_size(facts.spool_size)} used",
    ]
    if facts.certificate_expires is not None:
        days = int((facts.certificate_expires - now) // 86400)
        left = f"{_many(days, 'day')} left" if days >= 0 else "EXPIRED: renew it, then reload"
        lines.append(f"Certificate until {_date(facts.certificate_expires)}, {left}")
    lines += snapshot.openspp.expiring_keys.values()
    lines += ["", "Last scans", *_table(snapshot.last_scans, now)]
    lines += ["", "Last failures", *_table(snapshot.last_failures, now)]
    return "\n".join(lines)


def _table(entries: Sequence[Entry], now: float) -> list[str]:
    if not entries:
        return ["  none since the start"]
    columns: list[tuple[str, Callable[[Entry], str], bool]] = [
        ("TIME", lambda entry: _moment(entry.at, now), False),
        ("USER", lambda entry: entry.user, False),
        ("FROM", lambda entry: entry.client, False),
        ("SIZE", lambda entry: _size(entry.size) if entry.file else "", True),
        ("RESULT", lambda entry: _RESULTS.get(entry.result, entry.result), False),
        ("REPLY", lambda entry: entry.reply or "(nobody left)", False),
        ("FILE", lambda entry: entry.file, False),  # last, for its width is anybody's guess
    ]
    texts = [[title for title, _, _ in columns]]
    texts += [[text(entry) for _, text, _ in columns] for entry in reversed(entries)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(columns))]
    return [
        "  "
        + "  ".join(
            text.rjust(width) if to_the_right else text.ljust(width)
            for text, width, (_, _, to_the_right) in zip(row, widths, columns, strict=True)
        ).rstrip()
        for row in texts
    ]


def _counts(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counted.items())


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _size(size: int) -> str:
    if size < 1000:
        return f"{size} B"
    value = float(size)
    for unit in ("kB", "MB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} GB"


def _moment(at: float | None, now: float) -> str:
    """Local time, with the date where it is another day's."""
    if at is None:
        return "never"
    when = datetime.fromtimestamp(at)
    same_day = when.date() == datetime.fromtimestamp(now).date()
    return f"{when:%H:%M:%S}" if same_day else f"{when:%Y-%m-%d %H:%M}"


def _date(at: float) -> str:
    return f"{datetime.fromtimestamp(at):%Y-%m-%d}"
