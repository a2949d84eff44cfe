"""One upload, from its 150 to its final reply: receive, judge, deliver, answer.

226 is said here and only here, and only with what OpenSPP confirmed.
"""

from __future__ import annotations

import enum
import logging
import posixpath
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, Protocol

from openspp_ftpd import content, names
from openspp_ftpd.delivery import Delivered, Pending, Receipt, Scan
from openspp_ftpd.errors import DISPLAY_WIDTH, Failure, Problem, Reply
from openspp_ftpd.events import Who
from openspp_ftpd.ftp.data import DRAIN_SECONDS, DataConnection, End
from openspp_ftpd.ftp.filesystem import SentFile, View
from openspp_ftpd.ftp.services import Services
from openspp_ftpd.openspp import Credentials
from openspp_ftpd.spool import ShareUsedUp, SpooledScan, SpoolFile, SpoolFull, TooLarge
from openspp_ftpd.whole import Doubt, Judgement, judge

CONNECT_SECONDS: Final = 30.0
"""How long a transfer waits for its data connection."""

SECOND_LOOK_SECONDS: Final = 0.1
"""How long a file that its content does not vouch for waits for the control connection's end."""

ORPHAN_SECONDS: Final = 15.0
"""How long the rest of a file may take when its control connection is gone."""

SPOOL_FULL_DETAIL: Final = "The upload directory is full."
SHARE_DETAIL: Final = "[uploads] share_per_address is used up."
"""What the journal says of a scan without room."""

_log = logging.getLogger("openspp_ftpd")


class _State(enum.Enum):
    CONNECTING = enum.auto()
    RECEIVING = enum.auto()
    JUDGING = enum.auto()
    DELIVERING = enum.auto()
    DONE = enum.auto()


@dataclass(frozen=True, slots=True)
class Order:
    """What the transfer command asked for."""

    path: str  # virtual, as the session's view shows it
    name: str  # for OpenSPP
    temporary: bool  # the device sent it under a temporary name
    announced: int | None  # bytes by ALLO


class Session(Protocol):
    """What an upload needs of the session it belongs to."""

    services: Services
    view: View

    @property
    def who(self) -> Who: ...

    def call_later(self, seconds: float, target: Any) -> Any: ...

    def control_is_gone(self) -> bool:
        """The client closed or lost the control connection, and did not say QUIT."""

    def upload_done(self, reply: Reply, receipt: Receipt | None) -> None:
        """The final reply is known."""


class Upload:
    """The life of one STOR, STOU or APPE after its 150.

    Args:
        order: what was asked.
        credentials: whose directory of OpenSPP it goes to.
        file: the open spool file.
        session: the control connection.
    """

    def __init__(
        self, order: Order, credentials: Credentials, file: SpoolFile, session: Session
    ) -> None:
        self._order = order
        self._credentials = credentials
        self._file = file
        self._session = session
        self._services = session.services
        self._state = _State.CONNECTING
        self._data: DataConnection | None = None
        self._refusal: Failure | None = None
        self._end = End.CLOSED
        self._scan: SpooledScan | None = None
        self._content = content.End.UNKNOWN
        self._extension = ""
        self._pending: Pending | None = None
        self._began = time.monotonic()
        self._received_at = datetime.now()
        self._timers: list[Any] = []
        self._later(CONNECT_SECONDS, self._check_connected)
        self._later(self._services.settings.limits.transfer_within, self._check_length)

    @property
    def being_asked(self) -> bool:
        """OpenSPP is being asked: ABOR changes nothing any more."""
        return self._state in (_State.JUDGING, _State.DELIVERING)

    def connected(self, data: DataConnection) -> None:
        """The data connection is there."""
        self._state = _State.RECEIVING
        self._data = data
        data.begin_receiving(self._take, self._ended)

    def not_connected(self) -> None:
        """The data connection could not be made."""
        self._fail(Failure(Problem.NO_DATA_CONNECTION))

    def abort(self) -> None:
        """ABOR, or the daemon has no more time for a file that is still coming."""
        self._fail(Failure(Problem.ABORTED))

    def control_gone(self) -> None:
        """The client closed or lost the control connection."""
        if self._state is _State.DELIVERING:
            # With nobody to tell, only a file whose content vouches for it goes on.
            judged = self._judged(self._doubts() | {Doubt.CONTROL_GONE}, settled=True)
            if judged is Judgement.DISCARD and self._pending and self._pending.abandon():
                self._fail(Failure(Problem.CUT, detail=Doubt.CONTROL_GONE.value))
        elif self._state is not _State.DONE:
            # What the client's kernel still holds may come: a device that does not wait for its
            # reply closes both connections at once after a whole scan.
            self._later(ORPHAN_SECONDS, self._check_orphan)

    def contested(self) -> None:
        """What came may be another session's (see passive.py): it must not be stored as ours."""
        if self._state is _State.DELIVERING and not (self._pending and self._pending.abandon()):
            return  # its last byte is in OpenSPP already
        self._fail(Failure(Problem.CUT, detail="Another session claims the data connection."))

    def drain(self, seconds: float) -> None:
        """The daemon stops: what is still coming has so many seconds."""
        self._later(seconds, self._check_drained)

    def cancel(self) -> None:
        """The session ends by our own will; nobody is told."""
        if self._state is not _State.DONE:
            self._clean_up()

    def _take(self, piece: memoryview) -> None:
        if self._refusal is not None:
            return
        try:
            self._file.write(piece)
        except SpoolFull:
            self._refuse(Failure(Problem.SPOOL_FULL, detail=SPOOL_FULL_DETAIL))
        except ShareUsedUp:
            self._refuse(Failure(Problem.SHARE_USED_UP, detail=SHARE_DETAIL))
        except TooLarge:
            self._refuse(
                Failure(
                    Problem.TOO_LARGE, detail="Larger than [uploads] max_size; OpenSPP has its own."
                )
            )

    def _refuse(self, failure: Failure) -> None:
        self._refusal = failure
        self._file.discard()
        self._later(DRAIN_SECONDS, self._check_refused)

    def _ended(self, end: End) -> None:
        self._answered_in_any_case(partial(self._take_end, end))

    def _take_end(self, end: End) -> None:
        problem = {
            End.RESET: Problem.CUT,
            End.STALLED: Problem.STALLED,
            End.TLS_FAILED: Problem.TLS_FAILED,
            End.NOT_RESUMED: Problem.TLS_NOT_RESUMED,
            End.ERROR: Problem.INTERNAL,
        }.get(end)
        if self._refusal is not None:
            self._fail(self._refusal)
        elif problem is not None:
            self._fail(Failure(problem, detail=f"The data connection ended by {end.name}."))
        else:
            self._end = end
            self._scan = self._file.finish()
            examined = content.examine(self._scan.read_at, self._scan.size)
            self._content, self._extension = examined.end, examined.extension
            self._state = _State.JUDGING
            self._judge(settled=self._data is not None and self._data.encrypted)

    def _answered_in_any_case(self, step: Callable[[], None]) -> None:
        """A defect of ours must not leave the scanner without its answer."""
        try:
            step()
        except Exception:
            _log.exception("Error in an upload")
            self._fail(Failure(Problem.INTERNAL))

    def _judge(self, settled: bool) -> None:
        assert self._scan is not None
        if self._state is not _State.JUDGING:
            return
        if names.fits(self._final_name(), self._services.settings.scanners.side_files):
            self._not_kept("Not kept: side files do not go to OpenSPP.", "[scanners] side_files.")
            return
        doubts = self._doubts()
        judged = self._judged(doubts, settled)
        if self._end is End.CLOSED_BARE and self._services.settings.tls.close_notify == "log":
            self._services.journal.bare_tls_end(self._session.who, self._order.name)
        if judged is Judgement.WAIT:
            second_look = partial(self._judge, settled=True)
            self._later(SECOND_LOOK_SECONDS, partial(self._answered_in_any_case, second_look))
        elif judged is Judgement.DISCARD or (doubts and not self._scan.size):
            why = ", ".join(sorted(doubt.value for doubt in doubts)) or "its content has no end"
            self._fail(Failure(Problem.CUT, detail=f"Discarded: {why}."))
        elif not self._scan.size:
            self._empty()
        else:
            self._deliver(self._scan)

    def _judged(self, doubts: set[Doubt], settled: bool) -> Judgement:
        settings = self._services.settings
        return judge(
            doubts,
            self._content,
            settings.uploads.check_content,
            settings.tls.close_notify,
            settled,
        )

    def _doubts(self) -> set[Doubt]:
        doubts = set()
        if self._end is End.CLOSED_BARE:
            doubts.add(Doubt.NO_CLOSE_NOTIFY)
        if self._session.control_is_gone():
            doubts.add(Doubt.CONTROL_GONE)
        if self._order.announced not in (None, self._scan.size if self._scan else 0):
            doubts.add(Doubt.SIZE_DIFFERS)
        return doubts

    def _empty(self) -> None:
        if self._services.settings.uploads.empty_files == "refuse":
            self._fail(Failure(Problem.EMPTY))
            return
        self._not_kept("Not kept: the file is empty.", "it is empty")

    def _not_kept(self, text: str, why: str) -> None:
        """The administrator wants no such file: 250, for 226 is for what OpenSPP has."""
        assert self._scan is not None
        reply, name = Reply(250, text), self._final_name()
        # The device may look for it, rename or delete it.
        self._session.view.add(self._order.path, SentFile(self._scan.size, time.time(), ""))
        self._services.journal.not_kept(self._session.who, name, why, reply, self._scan.size)
        self._finish(reply, None)

    def _final_name(self) -> str:
        """The name for OpenSPP; one that was temporary gets the extension of its content."""
        name = self._order.name
        return names.with_extension(name, self._extension) if self._order.temporary else name

    def _deliver(self, scan: SpooledScan) -> None:
        self._state = _State.DELIVERING
        self._pending = self._services.delivery.upload(
            Scan(self._credentials, self._final_name(), scan, self._received_at), self._delivered
        )

    def _delivered(self, outcome: Delivered | Failure) -> None:
        self._answered_in_any_case(partial(self._take_outcome, outcome))

    def _take_outcome(self, outcome: Delivered | Failure) -> None:
        if isinstance(outcome, Failure):
            self._fail(outcome)
            return
        assert self._scan is not None
        reply = _stored_reply(outcome.name, self._order.name)
        self._session.view.add(
            self._order.path, SentFile(self._scan.size, time.time(), outcome.name)
        )
        self._services.journal.stored(
            self._session.who,
            self._order.name,
            outcome.name,
            self._scan.size,
            self._scan.sha256,
            time.monotonic() - self._began,
            reply,
            outcome.again,
        )
        if outcome.second_copy:
            self._services.journal.second_copy_possible(
                self._session.who, self._order.name, outcome.name
            )
        self._finish(reply, outcome.receipt)

    def _fail(self, failure: Failure) -> None:
        gone = self._session.control_is_gone()  # this may read an ABOR that ends the upload
        if self._state is _State.DONE:
            return
        reply = failure.upload_reply()
        self._session.view.add_unfinished(self._order.path)
        self._services.journal.not_stored(
            self._session.who,
            self._order.name,
            self._data.received if self._data else 0,
            failure,
            None if gone else reply,
            time.monotonic() - self._began,
        )
        self._finish(reply, None)

    def _finish(self, reply: Reply, receipt: Receipt | None) -> None:
        self._clean_up()
        self._session.upload_done(reply, receipt)

    def _clean_up(self) -> None:
        delivering = self._state is _State.DELIVERING
        self._state = _State.DONE
        for timer in self._timers:
            if not timer.cancelled:
                timer.cancel()
        if self._data is not None:
            self._data.drop()
        # All of these know this upload. Their memory, TLS's above all, is to be free at once, and
        # not when the garbage of some hundred scans is collected.
        self._timers.clear()
        self._data = self._pending = None
        if not delivering:  # from then on the delivery discards it
            self._file.discard()
            if self._scan is not None:
                self._scan.discard()

    def _later(self, seconds: float, target: Any) -> None:
        self._timers.append(self._session.call_later(seconds, target))

    def _check_connected(self) -> None:
        if self._state is _State.CONNECTING:
            self.not_connected()

    def _check_refused(self) -> None:
        if self._refusal is not None:
            self._fail(self._refusal)

    def _check_orphan(self) -> None:
        if self._state in (_State.CONNECTING, _State.RECEIVING):
            self._fail(Failure(Problem.CUT, detail=Doubt.CONTROL_GONE.value))

    def _check_length(self) -> None:
        if self._state in (_State.CONNECTING, _State.RECEIVING):
            within = f"{self._services.settings.limits.transfer_within:g} s"
            self._fail(Failure(Problem.TOO_LONG, detail=f"Not whole within {within}."))

    def _check_drained(self) -> None:
        if self._state in (_State.CONNECTING, _State.RECEIVING):
            self._fail(Failure(Problem.ABORTED, detail="The daemon stops."))


def _stored_reply(stored_as: str, asked_for: str) -> Reply:
    """226, with the name where it is another one; devices look for `Transfer complete`."""
    if stored_as == asked_for:
        return Reply(226, "Transfer complete. OpenSPP has it.")
    text = f"Transfer complete. Stored as {posixpath.basename(stored_as)}"
    if text.isascii() and len(text) <= DISPLAY_WIDTH:
        return Reply(226, text)
    return Reply(226, "Transfer complete. Stored in OpenSPP under another name.")
