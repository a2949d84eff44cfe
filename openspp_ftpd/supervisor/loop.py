"""The supervisor's event loop: sockets and timers of the standard library, and nothing that blocks.

A fault in what it calls is logged, and the loop turns on: every worker depends on it.
"""

from __future__ import annotations

import errno
import logging
import sched
import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

REST_SECONDS: Final = 1.0
"""How long an acceptor rests when the process has no descriptor (or memory) for a connection."""

_AT_ONCE: Final = 64  # connections accepted in one turn
_NO_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_log = logging.getLogger("openspp_ftpd")


@dataclass(slots=True)
class _Watched:
    readable: Callable[[], None]
    writable: Callable[[], None] | None
    at_once: bool
    gone: bool = False


class Loop:
    """Calls what belongs to a socket, or to a time."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers = sched.scheduler(time.monotonic)

    def watch(
        self,
        watched: socket.socket,
        readable: Callable[[], None],
        writable: Callable[[], None] | None = None,
        at_once: bool = False,
    ) -> None:
        """Call `readable` when the socket is so; `writable` only while `want_write` says so.

        Where several are ready, those that are wanted `at_once` come first.
        """
        what = _Watched(readable, writable, at_once)
        self._selector.register(watched, selectors.EVENT_READ, what)

    def want_write(self, watched: socket.socket, wanted: bool) -> None:
        """Whether there is something to write. Nothing happens where it is not watched."""
        key = self._key(watched)
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if wanted else 0)
        if key is not None and key.events != events:
            self._selector.modify(watched, events, key.data)

    def forget(self, watched: socket.socket) -> None:
        """Watch it no more; harmless where it is not watched."""
        if self._key(watched) is not None:
            self._selector.unregister(watched).data.gone = True

    def call_later(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        """Call `action` in `seconds`; what is returned cancels that, and is harmless afterwards."""
        event = self._timers.enter(seconds, 0, _guarded, (action,))

        def cancel() -> None:
            if event in self._timers.queue:
                self._timers.cancel(event)

        return cancel

    def call_every(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` every `seconds`, for good."""

        def call() -> None:
            self._timers.enter(seconds, 0, call)
            _guarded(action)

        self._timers.enter(seconds, 0, call)

    def turn(self) -> None:
        """Wait for something, and do it."""
        due = self._timers.run(blocking=False)
        ready = self._selector.select(due)
        for key, events in sorted(ready, key=lambda one: not one[0].data.at_once):
            watched: _Watched = key.data
            if events & selectors.EVENT_READ and not watched.gone:
                _guarded(watched.readable)
            if events & selectors.EVENT_WRITE and watched.writable and not watched.gone:
                _guarded(watched.writable)

    def _key(self, watched: socket.socket) -> selectors.SelectorKey | None:
        return None if watched.fileno() < 0 else self._selector.get_map().get(watched)

    def close(self) -> None:
        """Watch nothing any more; the sockets are their owners'. Also for a process that was forked
        and must leave the parent's loop as it is."""
        self._selector.close()


class Acceptor:
    """Accepts connections, and goes on when one fails.

    Args:
        listening: the listening socket, owned from now on.
        then: gets each connection and the client's address ("" on a UNIX socket).
        loop: the event loop.
    """

    def __init__(
        self, listening: socket.socket, then: Callable[[socket.socket, str], None], loop: Loop
    ) -> None:
        listening.setblocking(False)
        self._listening = listening
        self._then = then
        self._loop = loop

    def begin(self) -> None:
        """Accept from now on."""
        if self._listening.fileno() >= 0:
            self._loop.watch(self._listening, self._accept)

    def close(self) -> None:
        """Listen no more."""
        self._loop.forget(self._listening)
        self._listening.close()

    def close_copy(self) -> None:
        """Close a forked process's copy; the parent listens on."""
        self._listening.close()

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, address = self._listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                self._rest(error)
                return
            client = address[0] if isinstance(address, tuple) else ""
            _guarded(partial(self._then, connection, client))

    def _rest(self, error: OSError) -> None:
        if error.errno not in _NO_ROOM:
            _log.error("A connection could not be accepted: %s", error.strerror)
            return
        _log.error(
            "No connection can be accepted (%s): raise LimitNOFILE of the unit, or lower "
            "[limits] sessions.",
            error.strerror,
        )
        self._loop.forget(self._listening)
        self._loop.call_later(REST_SECONDS, self.begin)


def _guarded(action: Callable[..., Any]) -> None:
    try:
        action()
    except Exception:
        _log.exception("Error in the supervisor")
