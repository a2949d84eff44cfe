"""What the administrator reads: one sentence for systemctl, tables for `openspp-ftpd status`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from openspp_ftpd.openspp.odoo_keys import Expiry
from openspp_ftpd.status.snapshot import Entry, Facts, OpenSPP, Snapshot
from openspp_ftpd.status.text import report, sentence

NOON = datetime(2026, 11, 22, 12, 0).timestamp()
HOUR = 3600.0
DAY = 24 * HOUR
WELL = Snapshot(
    taken=NOON,
    started=NOON - 2 * HOUR,
    facts=Facts(
        version="1.2.3",
        listening="Listening on 0.0.0.0:8002; TLS optional; passive ports 3000-3005; scans go to"
        " https://openspp.",
        sessions_plain=1,
        sessions_tls=2,
        spool_used=12_345_678,
        spool_size=2_000_000_000,
        certificate_expires=NOON + 29.5 * DAY,
    ),
    openspp=OpenSPP("https://openspp", answered_at=NOON - 60, answers_since=NOON - HOUR),
    logins={"accepted": 5, "wrong_password": 1},
    scans={"stored": 12, "refused": 1, "failed": 2, "cut": 3},
)
AWAY = OpenSPP(
    "https://openspp",
    answered_at=NOON - 3 * HOUR,
    trouble_at=NOON - 60,
    trouble_since=NOON - HOUR,
    trouble="https://openspp/dms/auth: Connection refused; is OpenSPP running?",
)


class TestSentence:
    def test_it_says_where_how_many_what_became_of_them_and_how_openspp_is(self) -> None:
        assert sentence(WELL) == (
            "Listening on 0.0.0.0:8002; TLS optional; passive ports 3000-3005; scans go to"
            " https://openspp; 3 sessions; 12 scans stored, 1 refused, 5 failed since 10:00:00;"
            " OpenSPP answers."
        )

    def test_it_says_since_when_openspp_is_away_and_why(self) -> None:
        assert sentence(replace(WELL, openspp=AWAY)).endswith(
            "; OpenSPP has not answered as it should since 11:00:00: https://openspp/dms/auth:"
            " Connection refused; is OpenSPP running?"
        )

    def test_another_day_has_its_date(self) -> None:
        started = replace(WELL, started=NOON - 3 * DAY)
        assert "failed since 2026-11-19 12:00;" in sentence(started)

    def test_it_does_not_say_what_it_does_not_know(self) -> None:
        assert sentence(replace(WELL, openspp=OpenSPP())).endswith("; OpenSPP was not asked yet.")

    def test_a_daemon_that_stops_says_so_first(self) -> None:
        stopping = replace(WELL, facts=replace(WELL.facts, state="stopping"))
        said = sentence(stopping)
        assert said.startswith("Stopping, scans under way are finished first: 3 sessions;")
        assert "Listening" not in said

    def test_it_stays_the_same_while_nothing_happens(self) -> None:
        answered = replace(WELL.openspp, answered_at=NOON)
        assert sentence(replace(WELL, taken=NOON + 30, openspp=answered)) == sentence(WELL)


class TestReport:
    def test_the_newest_is_above_and_columns_stand_below_each_other(self) -> None:
        entries = (
            Entry(NOON - 2, "clerk", "192.0.2.7", "a.pdf", 999, "stored", "226 Done."),
            Entry(NOON - 1, "al", "192.0.2.123", "فاتورة.pdf", 1_234_567, "not_kept", "250 Not."),
        )
        lines = report(replace(WELL, last_scans=entries)).splitlines()
        table = lines[lines.index("Last scans") + 1 :][:3]
        assert table == [
            "  TIME      USER   FROM           SIZE  RESULT      REPLY      FILE",
            "  11:59:59  al     192.0.2.123  1.2 MB  not kept    250 Not.   فاتورة.pdf",
            "  11:59:58  clerk  192.0.2.7     999 B  in OpenSPP  226 Done.  a.pdf",
        ]

    def test_a_login_that_failed_has_no_file_and_nobody_left_is_said(self) -> None:
        failures = (
            Entry(NOON - DAY, "clerk", "192.0.2.7", "", 0, "wrong_password", "530 Wrong."),
            Entry(NOON, "clerk", "192.0.2.7", "a.pdf", 5, "cut", ""),
        )
        lines = report(replace(WELL, last_failures=failures)).splitlines()
        table = lines[lines.index("Last failures") + 2 :]
        assert table[0] == (
            "  12:00:00          clerk  192.0.2.7   5 B  cut             (nobody left)  a.pdf"
        )
        assert "2026-11-21 12:00  clerk  192.0.2.7" in table[1]
        assert "wrong password  530 Wrong." in table[1]

    def test_keys_that_expire_are_told(self) -> None:
        expiry = Expiry("alice", datetime(2026, 11, 25, 9, 0), certain=True)
        state = replace(WELL.openspp, expiring_keys={"alice": expiry.sentence()})
        told = report(replace(WELL, openspp=state))
        assert "The API key of alice in OpenSPP expires on 2026-11-25 at 09:00 UTC" in told

    def test_nothing_yet_is_said(self) -> None:
        assert report(WELL).count("  none since the start") == 2

    @pytest.mark.parametrize(
        ("left", "said"),
        [(29.5 * DAY, "29 days left"), (1.2 * DAY, "1 day left"), (-1.0, "EXPIRED: renew it")],
    )
    def test_the_certificate_s_days_are_told(self, left: float, said: str) -> None:
        facts = replace(WELL.facts, certificate_expires=NOON + left)
        assert said in report(replace(WELL, facts=facts))

    def test_without_tls_there_is_no_certificate(self) -> None:
        facts = replace(WELL.facts, certificate_expires=None)
        assert "Certificate" not in report(replace(WELL, facts=facts))

    def test_the_counts_are_all_there(self) -> None:
        said = report(WELL)
        assert "Sessions   1 without TLS, 2 with TLS, 0 refused since start" in said
        assert "12 stored, 1 refused, 2 failed, 3 cut; 0 on their way to OpenSPP" in said
        assert "5 accepted, 1 wrong password" in said
        assert "12.3 MB of 2.0 GB used" in said
        assert "last answered 11:59:00, last trouble never" in said
