"""One listing (LIST, NLST, MLSD), from its 150 to its final reply."""

from __future__ import annotations

from collections.abc import Callable

from openspp_ftpd.errors import Failure, Problem, Reply
from openspp_ftpd.ftp.data import DataConnection, End


class Listing:
    """Sends what the session's view shows.

    Args:
        lines: the whole listing.
        then: gets the final reply.
    """

    def __init__(self, lines: bytes, then: Callable[[Reply], None]) -> None:
        self._lines = lines
        self._then: Callable[[Reply], None] | None = then
        self._data: DataConnection | None = None

    def connected(self, data: DataConnection) -> None:
        """The data connection is there."""
        self._data = data
        data.send_listing(self._lines, self._ended)

    def not_connected(self) -> None:
        """The data connection could not be made."""
        self._tell(Failure(Problem.NO_DATA_CONNECTION).upload_reply())

    def abort(self) -> None:
        """ABOR."""
        self._tell(Reply(426, "Transfer aborted."))

    def cancel(self) -> None:
        """The session ends."""
        self._then = None
        if self._data is not None:
            self._data.drop()

    def _ended(self, end: End) -> None:
        if end is End.SENT:
            # RFC 959 section 5.4 allows 250 too, but rclone, which lists first, takes 226 alone.
            self._tell(Reply(226, "Transfer complete."))
        elif end is End.NOT_RESUMED:
            self._tell(Failure(Problem.TLS_NOT_RESUMED).upload_reply())
        elif end is End.TLS_FAILED:
            self._tell(Reply(Problem.TLS_FAILED.upload_code, "TLS of the data connection failed."))
        else:
            self._tell(Reply(426, "Connection closed, listing not sent."))

    def _tell(self, reply: Reply) -> None:
        then = self._then
        self.cancel()
        if then is not None:
            then(reply)
