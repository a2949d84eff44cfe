"""A scanner's session: the control connection, its lines and replies, login and TLS.

One command, one answer, in order: while a login, a passive port or a transfer is waited for, lines
wait too, and only ABOR acts at once. What the commands do is in `commands.py`.
"""

from __future__ import annotations

import re
import secrets
import socket
import time
from typing import Any, Final

from pyftpdlib.handlers import FTPHandler

from openspp_ftpd import names, tls
from openspp_ftpd.delivery import Receipt
from openspp_ftpd.errors import Problem, Reply
from openspp_ftpd.events import Who
from openspp_ftpd.ftp import crowd, foreign, peer
from openspp_ftpd.ftp.commands import COMMANDS, Commands
from openspp_ftpd.ftp.lines import CommandLines
from openspp_ftpd.ftp.services import Services

LOGIN_SECONDS: Final = 120.0
"""How long a session may last without a login, where [limits] command_idle is not shorter."""

MOST_LOGINS: Final = 3
"""Failed logins in one session."""

_WAITING_SECONDS: Final = 5.0
_CONTROL_CHARACTERS: Final = re.compile("[\x00-\x1f\x7f-\x9f]")  # never a second line in a reply
_ARGUMENT_SHOWN: Final = frozenset(
    {"USER", "TYPE", "MODE", "STRU", "ALLO", "REST", "PORT", "EPRT", "EPSV", "PBSZ", "PROT"}
)
_NAMES_A_FILE: Final = {
    *("APPE", "CWD", "DELE", "LIST", "MDTM", "MFMT", "MKD", "MLSD", "MLST", "NLST", "RMD", "RNFR"),
    *("RNTO", "SIZE", "STAT", "STOR", "STOU", "XCWD", "XMKD", "XRMD"),
}


class ControlConnection(Commands, CommandLines):
    """One session. pyftpdlib makes it for every connection that a `Listener` accepts."""

    timeout = 0  # pyftpdlib's own timers; ours know what the session waits for
    proto_cmds = COMMANDS
    implicit_tls = False

    def __init__(self, connection: socket.socket, server: Any, ioloop: Any = None) -> None:
        self.services: Services = server.services
        self._registry: set[ControlConnection] = server.sessions
        self._session_id = secrets.token_hex(4)
        self._opened = False
        self._stopping = False
        self._receipts: list[Receipt] = []
        self._failed_logins = 0
        self.reached = ""
        self._idle_timer: Any = None
        self.began = self._last_command = time.monotonic()
        self.reset_session()
        super().__init__(connection, server, ioloop)
        self.fs = self.view  # FTPHandler has its own idea

    @staticmethod
    def get_ssl_context() -> None:
        """pyftpdlib would keep one for the class; each session has its own, for reloads."""

    # -- life

    def passed_on(self, client: str, reached: str) -> None:
        """Whose session it is, where somebody passed the connection on; called before `handle`.

        reached: the address that the client connected to, "" for the connection's own.
        """
        self.remote_ip, self.reached = client, reached

    def handle(self) -> None:
        """Greet, or begin implicit TLS; called once by the listener."""
        self._opened = True
        self._registry.add(self)
        self._make_room()
        self.buffer = self.services.buffer
        self.data_idle = self.services.settings.limits.data_idle
        self.handshake_within = self.services.settings.limits.handshake_within
        self._watch_idle()
        if self.implicit_tls:
            self.begin_tls()
        else:
            self.greet()

    def greet(self) -> None:
        """220 in one line, which every device understands."""
        self.reply(220, "OpenSPP scan gateway ready.")

    @property
    def who(self) -> Who:
        """Whom the journal names."""
        return Who(self._session_id, self.remote_ip, self.username)

    @property
    def closed(self) -> bool:
        """The session is over."""
        return bool(self._closed)

    @property
    def encrypted(self) -> bool:
        """The control connection is protected by TLS."""
        return bool(self._ssl_established)

    def call_later(self, seconds: float, target: Any) -> Any:
        """A timer that outlives the session; the caller cancels it."""
        return self.ioloop.call_later(seconds, target, _errback=self.handle_error)

    def call_while_open(self, seconds: float, target: Any) -> None:
        """A timer that ends with the session: what it keeps of a closed one is memory, TLS's too.

        It is remembered until then, so that this is for timers of which a session has few.
        """
        super().call_later(seconds, target)

    def stop(self, drain_within: float) -> None:
        """The daemon stops: an upload is finished first, everything else ends now."""
        self._stopping = True
        if self.upload is not None:
            self.upload.drain(drain_within)
        else:
            self._say_goodbye(Problem.STOPPING.upload_code, Problem.STOPPING.text)

    def _make_room(self) -> None:
        """One session leaves where too many have not logged in."""
        staying = [each for each in self._registry if not each.closing_ourselves]
        leaving = crowd.one_too_many(staying, self.services.settings.limits)
        if leaving is not None:
            leaving._say_goodbye(421, "Too many connections without a login. Try again.")

    def abort_upload(self) -> None:
        """The daemon has no more time: a scan that is still coming gets its 426."""
        if self.upload is not None and not self.upload.being_asked:
            self.upload.abort()

    def close(self) -> None:
        """End the session and everything that belongs to it."""
        if self._closed:
            return
        if self._ssl_established:
            tls.say_goodbye(self.socket)
        self.forget_lines()
        self.end_transfers()
        if self._idle_timer is not None and not self._idle_timer.cancelled:
            self._idle_timer.cancel()
        FTPHandler.close(self)  # TLS_FTPHandler's would wait for the client's close_notify
        if self._opened:
            self._registry.discard(self)
            self.services.limits.close_session(self.remote_ip)

    def handle_error(self) -> None:
        """A fault of ours: log it and end this session only."""
        self.log_exception(self)
        self.close()

    def handle_failed_ssl_handshake(self) -> None:
        self.services.journal.protocol(self.who, "TLS handshake failed")
        self.close()

    # -- the client's end

    def handle_close(self) -> None:
        """Called by asyncore at the client's end, and when what was to be written is written."""
        if self._closed or self.closing_ourselves:
            self.close()
            return
        if self.client_gone:
            return
        if peer.closed_in_order(self.socket):
            self._reply_was_read()
        self.client_gone = True
        if self.upload is None:
            self.close()
            return
        # The socket stays open: a client that closed only its own side still reads the reply.
        self.del_channel()
        if not self.quit_waits():
            self.upload.control_gone()

    def control_is_gone(self) -> bool:
        """The client closed or lost the control connection, and did not say QUIT."""
        if self._closed:
            return True
        if not self.client_gone and peer.has_ended(self.socket):
            for _ in range(4):  # what it said before, perhaps QUIT, and then the end
                if not self.client_gone and not self._closed:
                    self.handle_read_event()
        return self._closed or (self.client_gone and not self.quit_waits())

    def _reply_was_read(self) -> None:
        receipts, self._receipts = self._receipts, []
        for receipt in receipts:
            receipt.arrived()

    def keep_receipt(self, receipt: Receipt) -> None:
        """A 226 was written; whether it was read shows when the client goes on."""
        if not self.client_gone and not self._closed:
            self._receipts.append(receipt)

    # -- what the lines tell

    def line_came(self) -> None:
        """The client speaks: it has read what was written and acknowledged before."""
        if self._receipts and not peer.unacknowledged(self.socket):
            self._reply_was_read()
        self._restart_idle()

    def stream_broke(self) -> None:
        """A broken stream is no end in order: who knows what of the replies arrived."""
        self._receipts.clear()

    def go_on(self) -> None:
        """The command was answered; go on with the lines that wait."""
        self.waiting = False
        self._restart_idle()
        if self._stopping:
            self.close_when_done()
        else:
            self.run_lines()

    def handle_line(self, raw: bytes) -> None:
        """One command (empty: it was too long)."""
        if not raw:
            self.reply(500, "Line too long.")
            return
        line = names.decode(raw, self.services.settings.scanners.code_page).lstrip(" ")
        verb, _, argument = line.partition(" ")
        verb = verb.upper()
        self._log_command(verb, argument)
        if verb not in COMMANDS and verb[-4:] in ("QUIT", "STAT"):
            verb = verb[-4:]  # behind the Telnet signals of RFC 959 section 4.1.3
        if verb not in COMMANDS:
            what = foreign.whole_line(raw)
            if what and not self.authenticated:
                self.speaks_no_ftp(what)
                return
            self.reply(500, "Command not understood.")
        elif self.is_off(verb):
            self.reply(502, f"{verb} is off here. Use {'PASV' if verb == 'EPSV' else 'PORT'}.")
        elif COMMANDS[verb]["arg"] is True and not argument:
            self.reply(501, "This command needs an argument.")
        elif COMMANDS[verb]["auth"] and not self.authenticated:
            self.reply(530, "Log in with USER and PASS first.")
        else:
            getattr(self, f"ftp_{verb}")(argument)

    def speaks_no_ftp(self, what: str) -> None:
        """Close at once: another protocol's lines could be commands by accident or design."""
        if self.authenticated or self.waiting or self.closing_ourselves:
            return
        self.services.journal.foreign_protocol(self.who, what)
        self._say_goodbye(421, "This port speaks FTP. Closing.")

    def _log_command(self, verb: str, argument: str) -> None:
        journal = self.services.journal
        if not journal.protocol_wanted:
            return
        if verb in _NAMES_A_FILE:
            argument = journal.file_argument(argument)
        elif argument and verb not in _ARGUMENT_SHOWN:
            argument = "(not shown)"  # a mistyped PASS is not logged either
        journal.protocol(self.who, f"<- {verb if verb in COMMANDS else '?'} {argument}")

    # -- replies

    def reply(self, code: int, text: str) -> None:
        """Send one reply line."""
        self.respond(f"{code} {text}")

    def respond(self, resp: str, logfun: Any = None) -> None:
        """Send one reply line; pyftpdlib's own commands call this too."""
        if self._closed:
            return
        line = _CONTROL_CHARACTERS.sub("?", resp)
        if self.services.journal.protocol_wanted:
            self.services.journal.reply(self.who, line)
        self.push(line + "\r\n")

    def _say_goodbye(self, code: int, text: str) -> None:
        """The last reply; lines that wait are not obeyed any more."""
        if self._ssl_accepting:
            self.close()  # nothing can be said in the middle of the handshake
            return
        self.closing_ourselves = True
        self.reply(code, text)
        self.close_when_done()

    # -- idle

    def _restart_idle(self) -> None:
        self._last_command = time.monotonic()

    def _watch_idle(self) -> None:
        """Look again when the session may have been idle for too long.

        One timer that looks, for pyftpdlib's timers cannot be put off without hiding others.
        """
        limits = self.services.settings.limits
        if self.authenticated:
            due = self._last_command + limits.command_idle
        else:  # commands alone do not keep a session that does not log in
            due = self.began + min(limits.command_idle, LOGIN_SECONDS)
        rest = due - time.monotonic()
        if self.waiting:
            rest = max(rest, _WAITING_SECONDS)  # the transfer or login has a limit of its own
        elif rest <= 0:
            self._say_goodbye(421, "No command for too long. Closing.")
            return
        self._idle_timer = self.call_later(rest, self._watch_idle)

    # -- login

    def logged_in(self, reply: Reply) -> None:
        """The answer to PASS is there."""
        if self._closed or self.closing_ourselves:
            return
        if reply.code == 230:
            self.authenticated = True
        else:
            self.username = ""
            self._failed_logins += 1
        if reply.code == 421 or self._failed_logins >= MOST_LOGINS:
            self._say_goodbye(reply.code, reply.text)
        else:
            self.reply(reply.code, reply.text)
            self.go_on()

    # -- TLS

    def begin_tls(self) -> None:
        """Start the handshake on the control connection; what came in clear behind it is nothing.

        Commands in clear behind AUTH would otherwise be obeyed inside TLS (pyftpdlib issue 315, the
        kind of CVE-2011-1575).
        """
        assert self.services.tls is not None
        self.forget_lines()
        self.call_while_open(self.handshake_within, self._check_handshake)
        self.secure_connection(self.services.tls.control)

    def handle_ssl_established(self) -> None:
        if self.implicit_tls:
            self._prot = True
            self.greet()

    def _check_handshake(self) -> None:
        if not self._closed and self._ssl_accepting:
            self.close()
