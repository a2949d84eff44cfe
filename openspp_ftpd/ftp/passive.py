"""Passive ports: opened once at start, and shared by the addresses that scanners come from.

A data connection belongs to the session that was told its port and comes from the same address, so
a port is busy only for one address and six ports serve an office. There is never a port outside the
configured range, since a firewall would swallow it.
"""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, Literal, Protocol

from openspp_ftpd.balancers import Balancers
from openspp_ftpd.ftp.loop import EventLoop, PatientAcceptor
from openspp_ftpd.listening import open_passive_port

WAIT_SECONDS: Final = 5.0
"""How long a session waits for a port when all are busy for its address."""

TAKE_OVER_SECONDS: Final = 4.0
"""Age at which a port that was told to a silent session may be given to a waiting one.

A client connects at once after 227, or after 3 s where its first two SYN were lost; one that only
asks and then stays silent would keep the others of its address waiting.
"""

_CHECK_SECONDS: Final = 0.25


class Holder(Protocol):
    """A session, as the passive ports see it."""

    remote_ip: str

    def passive_granted(self, port: int) -> None:
        """The session may tell `port` to its client."""

    def passive_refused(self) -> None:
        """No port became free in time."""

    def passive_lost(self, successor: Holder) -> None:
        """Its port was given to another session, since nothing came."""

    def passive_contested(self) -> None:
        """The session that lost its port to this one sends after all."""

    def passive_connected(self, connection: socket.socket) -> None:
        """The client's data connection has come."""

    def awaits_data(self) -> bool:
        """A transfer command was accepted and waits for the data connection."""


class PassivePorts:
    """Who was told which port, and the listeners of all of them.

    Args:
        addresses: the numeric addresses that the control connections listen on; none where
            another process listens, and `accepted` is called with what it hands over.
        ports: the configured passive ports.
        data_from: `session` takes a data connection only from the session's address, `any` from
            anywhere (a port then serves one session at a time).
        balancers: know whose a connection is.
        loop: the event loop.

    Raises:
        OSError: a port cannot be opened; `strerror` names it.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        ports: Sequence[int],
        data_from: Literal["session", "any"],
        balancers: Balancers,
        loop: EventLoop,
    ) -> None:
        self._loop = loop
        self._ports = tuple(ports)
        self._any = data_from == "any"
        self._held: dict[tuple[int, str], tuple[Holder, float]] = {}
        self._waiting: deque[tuple[Holder, float]] = deque()
        self._next = 0
        self._check: Any = None
        self._listeners: list[_Listener] = []
        try:
            for address in addresses:
                for port in self._ports:
                    self._listeners.append(_Listener(self, address, port, balancers, loop))
        except OSError:
            self.close()
            raise

    def reserve(self, holder: Holder) -> None:
        """Find a port for a session; it is told by passive_granted or passive_refused."""
        self.release(holder)
        key = self._free_key(holder)
        if key is not None:
            self._held[key] = (holder, time.monotonic())
            holder.passive_granted(key[0])
        else:
            self._waiting.append((holder, time.monotonic() + WAIT_SECONDS))
            self._watch_waiting()

    def release(self, holder: Holder) -> None:
        """The session needs no port any more (a new command, its data connection, its end)."""
        self._waiting = deque(entry for entry in self._waiting if entry[0] is not holder)
        for key, (held_by, _) in list(self._held.items()):
            if held_by is holder:
                del self._held[key]
        self._serve_waiting()

    def accepted(self, port: int, connection: socket.socket, client: str) -> None:
        """A data connection came: give it to the session it belongs to, or close it."""
        held = self._held.pop(self._key(port, client), None)
        if held is None:
            connection.close()
            return
        holder, _ = held
        holder.passive_connected(connection)
        self._serve_waiting()

    def close(self) -> None:
        """Close all listeners."""
        if self._check is not None and not self._check.cancelled:
            self._check.cancel()
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    def _key(self, port: int, client: str) -> tuple[int, str]:
        return (port, "" if self._any else client)

    def _free_key(self, holder: Holder) -> tuple[int, str] | None:
        """The next port that is free for the holder's address; ports rotate, so that a connection
        that comes late for an earlier 227 does not meet a later one."""
        for step in range(len(self._ports)):
            index = (self._next + step) % len(self._ports)
            key = self._key(self._ports[index], holder.remote_ip)
            if key not in self._held:
                self._next = index + 1
                return key
        return None

    def _take_over(self, holder: Holder, now: float) -> tuple[int, str] | None:
        """The port that a silent session of the same address has held longest."""
        client = self._key(0, holder.remote_ip)[1]
        silent = [
            (since, key, held_by)
            for key, (held_by, since) in self._held.items()
            if key[1] == client and now - since >= TAKE_OVER_SECONDS and not held_by.awaits_data()
        ]
        if not silent:
            return None
        _, key, held_by = min(silent, key=lambda entry: entry[0])
        held_by.passive_lost(holder)
        return key

    def _give_later(self, key: tuple[int, str], holder: Holder) -> None:
        """Give a port to a session that waited, not on the stack of the one that made it free."""
        self._held[key] = (holder, time.monotonic())
        self._loop.call_later(0, partial(self._give, key, holder))

    def _give(self, key: tuple[int, str], holder: Holder) -> None:
        held = self._held.get(key)
        if held is not None and held[0] is holder:  # it may have left meanwhile
            holder.passive_granted(key[0])

    def _serve_waiting(self) -> None:
        still_waiting = deque[tuple[Holder, float]]()
        for holder, deadline in self._waiting:
            key = self._free_key(holder)
            if key is None:
                still_waiting.append((holder, deadline))
            else:
                self._give_later(key, holder)
        self._waiting = still_waiting

    def _watch_waiting(self) -> None:
        if self._check is None or self._check.cancelled:
            self._check = self._loop.call_later(_CHECK_SECONDS, self._on_check)

    def _on_check(self) -> None:
        now = time.monotonic()
        still_waiting = deque[tuple[Holder, float]]()
        for holder, deadline in self._waiting:
            key = self._take_over(holder, now)
            if key is not None:
                self._give_later(key, holder)
            elif now >= deadline:
                self._loop.call_later(0, holder.passive_refused)
            else:
                still_waiting.append((holder, deadline))
        self._waiting = still_waiting
        if still_waiting:
            self._check = self._loop.call_later(_CHECK_SECONDS, self._on_check)


class _Listener(PatientAcceptor):
    """One passive port on one address."""

    def __init__(
        self, ports: PassivePorts, address: str, port: int, balancers: Balancers, loop: EventLoop
    ) -> None:
        super().__init__(open_passive_port(address, port), loop)
        self._balancers = balancers
        self.accepting = True  # it listens already
        self._ports = ports
        self._port = port

    def handle_accepted(self, connection: socket.socket, address: Any) -> None:
        self._balancers.pass_on(connection, address[0], self._came)

    def _came(self, connection: socket.socket, client: str, reached: str) -> None:
        self._ports.accepted(self._port, connection, client)
