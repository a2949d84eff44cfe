"""A worker: serves the sessions that the supervisor hands over, and tells it what it counts.

Here belongs the worker's side of the channel. The supervisor's end is the worker's end.
"""

from __future__ import annotations

import logging
import socket

from openspp_ftpd import config, tls
from openspp_ftpd.ftp.loop import EventLoop, Watch
from openspp_ftpd.limits import Limits
from openspp_ftpd.serving import Serving, with_what_stays
from openspp_ftpd.settings import LimitSettings, Settings
from openspp_ftpd.spool import SpoolUnusable
from openspp_ftpd.supervisor import messages
from openspp_ftpd.supervisor.channel import Channel
from openspp_ftpd.supervisor.lending import Borrower
from openspp_ftpd.supervisor.messages import Message
from openspp_ftpd.supervisor.shares import ports_of

_log = logging.getLogger("openspp_ftpd")


def work(endpoint: socket.socket, settings: Settings, number: int, credentials: str) -> None:
    """A worker's life, in a process of its own.

    Args:
        endpoint: its end of the channel.
        settings: of the whole daemon.
        number: which of the workers it is, from 0 on.
        credentials: where copies of certificate and key are, "" to read those configured.
    """
    channel = Channel(endpoint)
    try:
        worker = Worker(channel, settings, number, credentials)
    except (OSError, SpoolUnusable, tls.CertificateProblem) as error:
        why = error.strerror if isinstance(error, OSError) else None
        channel.send(messages.CannotStart(why or str(error)))
        return
    worker.run()


class Worker:
    """What a worker's process has. Raises what `Serving` raises."""

    def __init__(self, channel: Channel, settings: Settings, number: int, credentials: str) -> None:
        self._channel = channel
        self._credentials = credentials
        self._loop = EventLoop()
        self._limits = ToldLimits(settings.limits, self)
        self._serving = Serving(
            settings,
            self._limits,
            (),
            ports_of(settings, number),
            self._loop,
        )
        self._borrower = Borrower(self._serving.slots, self.tell)
        self._watch = Watch(channel.endpoint, self._receive, self._flush, self._loop)

    def run(self) -> None:
        """Serve until the supervisor ends it."""
        self.tell(messages.Ready())
        self._borrower.begin()
        try:
            self._serving.run()
        finally:
            # The channel ends with the process; before, the supervisor would kill what is left.
            self._serving.close()
            self._watch.close()
            self._loop.close()

    def tell(self, message: Message) -> None:
        """Tell the supervisor."""
        self._channel.send(message)
        self._watch.want_write(self._channel.waiting)

    def _flush(self) -> None:
        self._channel.flush()
        self._watch.want_write(self._channel.waiting)

    def _receive(self) -> None:
        for message, connection in self._channel.receive():
            try:
                self._heed(message, connection)
            except Exception:  # of one message; the others wait
                _log.exception("Error while a worker heeded a message")
        if self._channel.ended:
            self._serving.end()
            self._watch.close()

    def _heed(self, message: Message, connection: socket.socket | None) -> None:
        match message:
            case messages.Begin():
                self._begin(message, connection)
            case messages.Data(client, port):
                if connection is not None:
                    self._serving.passive.accepted(port, connection, client)
            case messages.AreYouThere():
                self.tell(messages.Here())
            case messages.Reload(text):
                self._reload(text)
            case messages.Stop():
                if self._serving.stopping:
                    self._serving.end()
                else:
                    self._serving.drain()
            case messages.Lending():
                self._borrower.heed(message)
            case messages.Ask(number):
                self.tell(messages.Told(number, self._document()))
            case _:
                raise ValueError(f"{type(message).__name__} is no message to a worker")

    def _begin(self, session: messages.Begin, connection: socket.socket | None) -> None:
        client, implicit_tls, reached = session
        if connection is None:
            _log.error(
                "A session of %s was lost, for the worker has no descriptor left: raise "
                "LimitNOFILE of the unit, or lower [limits] sessions.",
                client,
            )
            self.tell(messages.Closed(client))
        elif self._serving.stopping or (implicit_tls and self._serving.services.tls is None):
            connection.close()
            self.tell(messages.Closed(client))
        else:
            self._serving.reception.begin(connection, client, implicit_tls, reached)

    def _reload(self, text: str) -> None:
        old = self._serving.services.settings
        settings = with_what_stays(old, config.settings_of(text, self._credentials))
        why = ""
        try:
            self._serving.reload(settings)
        except (OSError, tls.CertificateProblem) as error:
            why = "; ".join(str(error).splitlines())
        else:
            self._limits.settings = settings.limits
        self.tell(messages.Reloaded(why))

    def _document(self) -> str:
        return self._serving.snapshot().to_json()


class ToldLimits:
    """Tells the supervisor, which counts for all workers.

    The waits are reckoned here: all failures from one address come to one worker.
    """

    def __init__(self, settings: LimitSettings, worker: Worker) -> None:
        self._own = Limits(settings)
        self._worker = worker

    @property
    def settings(self) -> LimitSettings:
        """Those in force."""
        return self._own.settings

    @settings.setter
    def settings(self, settings: LimitSettings) -> None:
        self._own.settings = settings

    def close_session(self, address: str) -> None:
        """A session is over (limits.Counts)."""
        self._worker.tell(messages.Closed(address))

    def login_wait(self, address: str, user: str, now: float) -> float:
        """Seconds before OpenSPP is asked (limits.Counts)."""
        return self._own.login_wait(address, user, now)

    def login_failed(self, address: str, user: str, now: float, guess: int = 0) -> float:
        """Seconds before the 530 (limits.Counts)."""
        self._worker.tell(messages.LoginFailed(address, user))
        return self._own.login_failed(address, user, now, guess)

    def login_succeeded(self, address: str, user: str, now: float) -> None:
        """A user logged in (limits.Counts)."""
        self._worker.tell(messages.LoginSucceeded(address, user))
        self._own.login_succeeded(address, user, now)
