"""pyftpdlib's event loop, with two faults of it mended.

A timer that another timer of the same moment cancelled made it write a traceback; and an acceptor
for which the process has no descriptor left made it spin, since the connection still waits.
"""

from __future__ import annotations

import errno
import logging
import sys
from collections.abc import Callable
from typing import Any, Final

from pyftpdlib.ioloop import Acceptor, IOLoop, _CallLater

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
