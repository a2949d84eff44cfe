"""The tables of uploads that fail, against the installed package.

The rows are those of tests/acceptance/test_failing_uploads.py and test_broken_transfers.py. The
daemon is the one that apt installed and that systemd runs in its sandbox; the embedded OpenSPP is
the installed one too.
"""

from __future__ import annotations

from tests.acceptance import test_broken_transfers as transfers
from tests.acceptance import test_failing_uploads as table


class TestWhatOpenSPPAnswers(table.TestWhatOpenSPPAnswers):
    test_a_scan_beyond_openspps_own_limit = None  # type: ignore[assignment]  # another OpenSPP


class TestWhatWasRecorded(table.TestWhatWasRecorded):
    test_none_is_missing = None  # type: ignore[assignment]  # looks at the table alone


class TestAnOpenSPPThatIsNone(table.TestAnOpenSPPThatIsNone):
    pass


class TestHowTheDataConnectionEnds(transfers.TestHowTheDataConnectionEnds):
    pass
