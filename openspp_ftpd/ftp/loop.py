"""pyftpdlib's event loop, with two faults of it mended, and what is ours on it.

A timer that another timer of the same moment cancelled made it write a traceback; and an acceptor
for which the process has no descriptor left made it spin, since the connection still waits.
"""

from __future__ import annotations

import errno
import logging
import socket
import sys
from collections.abc import Callable
from typing import Any, Final

from pyftpdlib.ioloop import Acceptor, AsyncChat, IOLoop, _CallLater

REST_SECONDS: Final = 1.0
"""How long an acceptor rests when the process has no descriptor (or memory) for a connection."""

_NO_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_log = logging.getLogger("openspp_ftpd")


class _Timer(_CallLater):
    """A call that is due later. It cannot be put off: pyftpdlib's `reset` hides other timers."""

    __slots__ = ()

    def call(self) -> None:
        """Make the call, unless one that was due at the same moment cancelled it."""
        if not self.cancelled:
            super().call()


class EventLoop(IOLoop):
    """The one loop of the process."""

    def call_later(
        self, seconds: float, target: Callable[..., None], *rest: Any, **more: Any
    ) -> Any:
        """Call `target` in `seconds`; what is returned can be cancelled."""
        return _Timer(seconds, target, *rest, **more, _scheduler=self.sched)


class PatientAcceptor(Acceptor):
    """Goes on listening when one connection fails; asyncore would close the listener."""

    def handle_error(self) -> None:
        """Rest for a moment where there is no room, so that other sessions can end."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            _log.error(
                "No connection can be accepted (%s): raise LimitNOFILE of the unit, or lower "
                "[limits] sessions.",
                error.strerror,
            )
            self.del_channel()
            self.ioloop.call_later(REST_SECONDS, self._listen_on)
        else:
            _log.exception("Error while accepting a connection")

    def _listen_on(self) -> None:
        if not self._closed:
            self.add_channel()


class Watch(AsyncChat):
    """Calls `readable` and `writable` when a socket is so; it stays its owner's.

    `readable` is called at its end and after an error too. The loop asks for writing only while
    `want_write` says so.
    """

    def __init__(
        self,
        watched: socket.socket,
        readable: Callable[[], None],
        writable: Callable[[], None],
        loop: EventLoop,
    ) -> None:
        self._then_readable = readable
        self._then_writable = writable
        super().__init__(watched, ioloop=loop)

    def want_write(self, wanted: bool) -> None:
        """Whether there is something to write."""
        events = self.ioloop.READ | self.ioloop.WRITE if wanted else self.ioloop.READ
        self.modify_ioloop_events(events)

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def handle_read_event(self) -> None:
        self._then_readable()

    def handle_write_event(self) -> None:
        self._then_writable()

    def handle_close(self) -> None:
        self._then_readable()

    def handle_error(self) -> None:
        """Stay registered; who watches cannot do without."""
        _log.exception("Error while serving a socket of the daemon's own")

    def close(self) -> None:
        """Leave the loop."""
        self.del_channel()
