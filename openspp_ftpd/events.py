"""Everything worth a journal entry: one method an event, with its MESSAGE_ID and its fields.

A sentence says who, what, why and, when something failed, what to do. Passwords and contents are
never among the fields; file names are shown as `[log] names` says, for they are personal data.
"""

from __future__ import annotations

import enum
import logging
from dataclasses import dataclass

from openspp_ftpd import names
from openspp_ftpd.errors import Failure, Reply
from openspp_ftpd.settings import LogSettings
from openspp_ftpd.status.figures import Figures


class Event(enum.Enum):
    """The kinds of journal entries: MESSAGE_ID (see journalctl -x) and logging level."""

    STARTED = ("702ac0d53fd74cc6aafc52c4ee8a4e38", logging.INFO)
    RELOADED = ("2cce31e2981047a9b28304e37a0d0b17", logging.INFO)
    RELOAD_REFUSED = ("8cfe9b6ee4cc45bbaa8dcb810322edb8", logging.ERROR)
    STOPPING = ("fe0c50c445eb4e67a5772aaaaf93b63c", logging.INFO)
    STOPPED = ("4d2a88c0cad1494e9ea041d451fafcaf", logging.INFO)
    SESSION_REFUSED = ("9ba6e14540c7444689913e4f948dd87c", logging.WARNING)
    LOGGED_IN = ("167fb93381d14a5b8fe49b9355594564", logging.INFO)
    LOGIN_FAILED = ("feffd252ad1a4408811511c5636d2e08", logging.WARNING)
    STORED = ("dd8aca7f93fb439d8debd36e73861d81", logging.INFO)
    NOT_STORED = ("c6814ee7a82d455485c14d9f46e3672b", logging.WARNING)
    NOT_KEPT = ("37d0f2be06354ea2afd95f92963d8123", logging.INFO)
    SECOND_COPY_POSSIBLE = ("e14417688667480a8ce4cd2fd81ccb95", logging.WARNING)
    BARE_TLS_END = ("6e9a4b7a946049b29b86176aed1377d3", logging.INFO)
    TLS_NOT_RESUMED = ("a491d852defc49a8b874d0d3ca0dd8d4", logging.INFO)
    FOREIGN_PROTOCOL = ("de18a905086e42ddabc55de9794dbb03", logging.INFO)
    BALANCER_REFUSED = ("4b1f1c0c8f5e4b7c9c0a52d4f2b7d3a6", logging.WARNING)
    WORKER_ENDED = ("f2fdb547d26845fd98d13b012307ded2", logging.ERROR)
    WARNING = ("02c116115aaf43828464a9921491a650", logging.WARNING)
    PROTOCOL = ("ea3f4f600c764a59aabe0c6674fbe1b5", logging.DEBUG)

    def __init__(self, message_id: str, level: int) -> None:
        self.message_id = message_id
        self.level = level


@dataclass(frozen=True, slots=True)
class Who:
    """Whose session an entry is about."""

    session: str
    client: str
    user: str = ""

    def __str__(self) -> str:
        return f"{self.user} at {self.client}" if self.user else self.client


class Journal:
    """Writes entries through Python's logging; `systemd.py` gives the fields to the journal.

    What is written is counted in `figures` too.
    """

    def __init__(
        self, settings: LogSettings, logger: logging.Logger, figures: Figures | None = None
    ) -> None:
        self._names = settings.names
        self._logger = logger
        self._figures = figures or Figures()
        self.protocol_wanted = logger.isEnabledFor(logging.DEBUG)

    def started(self, sentence: str) -> None:
        """The daemon listens."""
        self._write(Event.STARTED, sentence)

    def reloaded(self, sentence: str) -> None:
        """The configuration was read again and serves new sessions."""
        self._write(Event.RELOADED, sentence)

    def reload_refused(self, mistakes: str) -> None:
        """The new configuration is wrong; the old one stays."""
        self._write(
            Event.RELOAD_REFUSED,
            f"Configuration not reloaded, the old one stays in force. Mend and reload: {mistakes}",
        )

    def stopping(self, sessions: int) -> None:
        """The daemon was told to stop."""
        self._write(
            Event.STOPPING, f"Stopping: scans under way in {sessions} sessions are finished first."
        )

    def stopped(self) -> None:
        """Nothing is left to do."""
        self._write(Event.STOPPED, "Stopped.")

    def worker_ended(self, worker: str, how: str, sessions: int, rest: float | None) -> None:
        """A worker died, hung or could not start; another comes in `rest` seconds, or none."""
        ended = "1 session of it ended" if sessions == 1 else f"{sessions} sessions of it ended"
        if rest is None:
            next_one = ""
        else:
            next_one = f" Another takes its place {f'in {rest:g} s' if rest else 'at once'}."
        self._write(Event.WORKER_ENDED, f"{worker} {how}; {ended}.{next_one}")

    def warning(self, sentence: str) -> None:
        """Something the administrator should look at, with what to do."""
        self._write(Event.WARNING, sentence)

    def session_refused(self, client: str, reply: Reply) -> None:
        """A connection was turned away at once."""
        self._figures.session_refused()
        self._write(
            Event.SESSION_REFUSED,
            f"Connection from {client} refused: {reply}",
            CLIENT=client,
            REPLY=str(reply),
        )

    def logged_in(self, who: Who, seconds: float, encrypted: bool) -> None:
        """OpenSPP accepted a scanner's user."""
        self._figures.logged_in()
        protection = "with TLS" if encrypted else "without TLS"
        self._write(
            Event.LOGGED_IN, f"{who} logged in {protection}.", who, SECONDS=f"{seconds:.3f}"
        )

    def login_failed(self, who: Who, failure: Failure, reply: Reply) -> None:
        """A login was refused, by OpenSPP or for want of its answer."""
        self._figures.login_failed(who.user, who.client, failure, str(reply))
        self._write(
            Event.LOGIN_FAILED,
            f"{who} could not log in: {_reason(failure)} Reply: {reply}",
            who,
            REPLY=str(reply),
        )

    def stored(
        self,
        who: Who,
        file: str,
        stored_as: str,
        size: int,
        sha256: str,
        seconds: float,
        reply: Reply,
        again: bool = False,
    ) -> None:
        """OpenSPP has the scan; `again`: it had it from an earlier sending whose reply was lost."""
        shown = self._shown(stored_as)
        told = str(reply if self._names == "full" else reply.code)  # a 226 may name the file
        self._figures.stored(who.user, who.client, shown, size, seconds, told)
        other = "" if stored_as == file else f" as {shown}"
        other += " already, from an earlier sending" if again else ""
        self._write(
            Event.STORED,
            f"{who}: {self._shown(file)} ({size} bytes) is in OpenSPP{other}, "
            f"after {seconds:.1f} s.",
            who,
            FILE=shown,
            BYTES=str(size),
            SHA256=sha256,
            SECONDS=f"{seconds:.3f}",
            REPLY=told,
        )

    def not_stored(
        self, who: Who, file: str, size: int, failure: Failure, reply: Reply | None, seconds: float
    ) -> None:
        """A scan was refused, cut or failed, and who was told what."""
        shown = self._shown(file)
        self._figures.not_stored(
            who.user, who.client, shown, size, failure, str(reply or ""), seconds
        )
        told = f"Reply: {reply}" if reply else "Nobody was left to tell."
        self._write(
            Event.NOT_STORED,
            f"{who}: {shown} ({size} bytes) was not stored: {_reason(failure)} {told}",
            who,
            FILE=shown,
            BYTES=str(size),
            SECONDS=f"{seconds:.3f}",
            REPLY=str(reply or ""),
        )

    def not_kept(self, who: Who, file: str, why: str, reply: Reply, size: int = 0) -> None:
        """A file was thrown away because the administrator ordered so."""
        self._figures.not_kept(who.user, who.client, self._shown(file), size, str(reply))
        self._write(
            Event.NOT_KEPT,
            f"{who}: {self._shown(file)} was not kept: {why}",
            who,
            FILE=self._shown(file),
            REPLY=str(reply),
        )

    def second_copy_possible(self, who: Who, file: str, stored_as: str) -> None:
        """A scan whose first delivery stayed uncertain was stored under a name of its own."""
        self._write(
            Event.SECOND_COPY_POSSIBLE,
            f"{who}: {self._shown(file)} was sent before and OpenSPP did not confirm it; it is now "
            f"stored as {self._shown(stored_as)}. Look in OpenSPP whether there are two copies.",
            who,
            FILE=self._shown(stored_as),
        )

    def bare_tls_end(self, who: Who, file: str) -> None:
        """A device ended TLS without close_notify (`[tls] close_notify = log`)."""
        self._write(
            Event.BARE_TLS_END,
            f"{who}: the data connection of {self._shown(file)} ended without close_notify.",
            who,
            FILE=self._shown(file),
        )

    def tls_not_resumed(self, who: Who) -> None:
        """A data connection has a TLS session of its own (`[tls] session_reuse = log`)."""
        self._write(
            Event.TLS_NOT_RESUMED,
            f"{who}: a data connection did not resume the TLS session of the control connection.",
            who,
        )

    def foreign_protocol(self, who: Who, what: str) -> None:
        """A client does not speak FTP; `what` says what it speaks."""
        self._write(Event.FOREIGN_PROTOCOL, f"{who.client} does not speak FTP: {what}", who)

    def balancer_refused(self, client: str, why: str) -> None:
        """A connection from a load balancer did not say whose it is."""
        self._write(
            Event.BALANCER_REFUSED,
            f"Connection from {client} closed: {why}. It is in [ftp] proxy_networks, so each of its"
            " connections has to begin with a PROXY header: write send-proxy-v2 for its server.",
            CLIENT=client,
        )

    def protocol(self, who: Who, line: str) -> None:
        """One command or reply, for `[log] level = debug`; the caller has masked what is secret."""
        if self.protocol_wanted:
            self._write(Event.PROTOCOL, f"{who} {line}", who)

    def reply(self, who: Who, line: str) -> None:
        """One reply; it may name a file (257, 226), so its text is shown only where names are."""
        self.protocol(who, f"-> {line if self._names == 'full' else line[:3]}")

    def file_argument(self, argument: str) -> str:
        """A command's argument that names a file, as `[log] names` allows."""
        return self._shown(argument)

    def _shown(self, name: str) -> str:
        return names.shown(name, self._names)

    def _write(self, event: Event, sentence: str, who: Who | None = None, **fields: str) -> None:
        if who:
            fields = {"SESSION": who.session, "CLIENT": who.client, "USER": who.user, **fields}
        fields = {"OPENSPP_EVENT": event.name.lower(), "MESSAGE_ID": event.message_id, **fields}
        self._logger.log(event.level, "%s", _one_line(sentence), extra={"journal_fields": fields})


def _reason(failure: Failure) -> str:
    """What happened, OpenSPP's words and the detail; that nothing was stored is said already."""
    parts = (failure.problem.text.replace(" Not stored.", ""), failure.said, failure.detail)
    return " ".join(part for part in parts if part)


def _one_line(sentence: str) -> str:
    if sentence.isprintable():
        return sentence
    return "".join(c if c.isprintable() else "?" for c in sentence)
