"""The tables of uploads that fail, against the installed package.

The rows are those of tests/acceptance/test_failing_uploads.py, test_failing_doubles.py,
test_failing_recorded.py and test_broken_transfers.py, with the scanner interface. The daemon is the
one that apt installed and that systemd runs in its sandbox; the embedded OpenSPP is the installed
one too.
"""

from __future__ import annotations

from tests.acceptance import test_broken_transfers as transfers
from tests.acceptance import test_failing_doubles as doubles
from tests.acceptance import test_failing_recorded as recorded
from tests.acceptance import test_failing_uploads as table


class TestWhatOpenSPPAnswers(table.TestWhatOpenSPPAnswers):
    pass


class TestWithinTheBody(table.TestWithinTheBody):
    pass


class TestWhatIsCertainlyNotStoredIsTriedAgain(table.TestWhatIsCertainlyNotStoredIsTriedAgain):
    pass


class TestWhatOnlyOpenSPP15Refuses(table.TestWhatOnlyOpenSPP15Refuses):
    test_a_scan_beyond_openspps_own_limit = None  # type: ignore[assignment]  # another OpenSPP


class TestARecordedRefusal(recorded.TestARecordedRefusal):
    pass


class TestTheAnswer(doubles.TestTheAnswer):
    pass


class TestAConnectionThatIsTakenAndNoMore(doubles.TestAConnectionThatIsTakenAndNoMore):
    pass


class TestWhileItIsSent(doubles.TestWhileItIsSent):
    pass


class TestHowTheDataConnectionEnds(transfers.TestHowTheDataConnectionEnds):
    pass
