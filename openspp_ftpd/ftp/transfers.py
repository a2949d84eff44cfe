"""A session's transfers: how the data connection is agreed on, and what uses it.

PASV, EPSV, PORT and EPRT say where the data connection comes from; STOR, STOU, APPE and the
listings use it. There is at most one transfer, and nothing else is answered while it runs.
"""

from __future__ import annotations

import socket
from typing import Any, Final

from openspp_ftpd import limits, names, tls
from openspp_ftpd.delivery import Receipt
from openspp_ftpd.errors import Failure, Problem, Reply
from openspp_ftpd.ftp.active import ActiveConnection
from openspp_ftpd.ftp.data import DataConnection
from openspp_ftpd.ftp.filesystem import View
from openspp_ftpd.ftp.listing import Listing
from openspp_ftpd.ftp.passive import Holder as PassiveHolder
from openspp_ftpd.ftp.services import Services
from openspp_ftpd.ftp.upload import SHARE_DETAIL, SPOOL_FULL_DETAIL, Order, Upload
from openspp_ftpd.openspp import Credentials
from openspp_ftpd.spool import ShareUsedUp, SpoolFile, SpoolFull, SpoolUnusable

LOWEST_ACTIVE_PORT: Final = 1024
"""PORT to a well-known port is refused (RFC 2577 section 3)."""


class Transfers:
    """The part of a session that transfers files; `control.py` is the rest."""

    services: Services
    view: View
    remote_ip: str
    reached: str
    authenticated: bool
    username: str
    who: Any
    socket: Any
    _prot: bool

    # What control.py has.
    reply: Any
    respond: Any
    wait: Any
    go_on: Any
    close_when_done: Any
    keep_receipt: Any

    def reset_transfers(self) -> None:
        """Nothing is agreed on yet (a new session, or REIN)."""
        self.credentials = Credentials("", "")
        self.upload: Upload | None = None
        self._listing: Listing | None = None
        self._data: DataConnection | None = None  # came before the command that uses it
        self._active_port: int | None = None
        self._active: ActiveConnection | None = None
        self._passive_port: int | None = None
        self._successor: PassiveHolder | None = None  # who was given our port
        self._extended = False
        self._announced: int | None = None

    def end_transfers(self) -> None:
        """The session ends: whatever runs is stopped without a word."""
        if self.upload is not None:
            self.upload.cancel()
        if self._listing is not None:
            self._listing.cancel()
        self.forget_data_connection()

    @property
    def data_tls(self) -> Any:
        """The TLS context for a data connection, None where it is in the clear."""
        return self.services.tls.data if self._prot and self.services.tls else None

    def is_resumed(self, data: Any) -> bool:
        """See data.Session: `[tls] session_reuse`."""
        wanted = self.services.settings.tls.session_reuse
        if wanted == "off" or tls.resumed(data, self.socket):
            return True
        if wanted == "log":
            self.services.journal.tls_not_resumed(self.who)
        return wanted == "log"

    # -- where the data connection comes from

    def ask_passive_port(self, extended: bool) -> None:
        """PASV and EPSV: get a port, wait for one where all are busy for this address."""
        self.forget_data_connection()
        self._extended = extended
        self.wait()
        self.services.passive.reserve(self)

    def passive_granted(self, port: int) -> None:
        """Tell the client its port (RFC 959 section 4.2, RFC 2428 section 3)."""
        self._passive_port = port
        if self._extended:
            self.reply(229, f"Entering Extended Passive Mode (|||{port}|).")
        else:
            local = self.reached or self.socket.getsockname()[0]
            address = self.services.public_addresses.told_to(self.remote_ip, local)
            if ":" in address:
                self._passive_port = None
                self.services.passive.release(self)
                self.reply(425, "PASV is for IPv4 only. Use EPSV.")
            else:
                host = address.replace(".", ",")
                self.reply(227, f"Entering Passive Mode ({host},{port >> 8},{port & 255}).")
        self.go_on()

    def passive_refused(self) -> None:
        """All ports stayed busy."""
        self.reply(Problem.NO_PASSIVE_PORT.upload_code, Problem.NO_PASSIVE_PORT.text)
        self.go_on()

    def passive_lost(self, successor: PassiveHolder) -> None:
        """The port was given to another session, since the client stayed silent."""
        self._passive_port = None
        self._successor = successor

    def passive_contested(self) -> None:
        """The session that had our port before does send: the data may be its, not ours."""
        if self._successor is not None:  # nor did we use it, and another session has it now
            self._successor.passive_contested()
        elif self.upload is not None:
            self.upload.contested()
        elif self._data is not None or self._passive_port is not None:
            self.forget_data_connection()

    def passive_connected(self, connection: socket.socket) -> None:
        """The client's data connection came."""
        self._passive_port = None
        self._use(DataConnection(connection, self))

    def awaits_data(self) -> bool:
        """A transfer waits for its data connection."""
        return self._transfer() is not None

    def set_active_port(self, port: int) -> None:
        """PORT and EPRT: connect there when the transfer begins, always to the client's address."""
        if port < LOWEST_ACTIVE_PORT:
            self.reply(501, "Ports below 1024 are refused.")
            return
        self.forget_data_connection()
        self._active_port = port
        self.reply(200, "PORT command successful.")

    def forget_data_connection(self) -> None:
        """Whatever was agreed on for the next transfer is void."""
        self._active_port = self._passive_port = None
        self._successor = None
        self.services.passive.release(self)
        if self._active is not None:
            self._active.cancel()
            self._active = None
        if self._data is not None:
            self._data.drop()
            self._data = None

    def _refused_data(self) -> bool:
        """Answer a transfer command that can have no data connection."""
        if self._data is not None and self._data.encrypted != (self.data_tls is not None):
            self.forget_data_connection()  # it was made under another PROT
        if self._successor is not None:
            self._successor.passive_contested()
        if self.services.settings.tls.mode == "required" and not self._prot:
            self.reply(521, "TLS is required for the data connection (PROT P).")
        elif not (self._data or self._active_port or self._passive_port):
            self.reply(425, "No data connection agreed on. Use PASV or PORT first.")
        else:
            return False
        return True

    def _begin(self, transfer: Upload | Listing) -> None:
        """Bring a transfer and its data connection together."""
        self.wait()
        if self._data is not None:
            data, self._data = self._data, None
            transfer.connected(data)
        elif self._active_port is not None:
            port, self._active_port = self._active_port, None
            self._active = ActiveConnection(self.remote_ip, port, self, self._active_connected)

    def _active_connected(self, connection: socket.socket | None) -> None:
        self._active = None
        transfer = self._transfer()
        if connection is not None:
            self._use(DataConnection(connection, self))
        elif transfer is not None:
            transfer.not_connected()

    def _use(self, data: DataConnection) -> None:
        transfer = self._transfer()
        if transfer is not None:
            transfer.connected(data)
        else:
            self._data = data

    def _transfer(self) -> Upload | Listing | None:
        return self.upload or self._listing

    # -- uploads

    def begin_upload(self, path: str, announce_name: bool = False) -> None:
        """STOR, STOU and APPE: 150, or a refusal before any data is sent.

        Args:
            path: the virtual path.
            announce_name: answer with the name, as STOU wants it (RFC 1123 section 4.1.2.9).
        """
        announced, self._announced = self._announced, None
        if self._refused_data():
            return
        sent_as = names.clean(path)
        name = names.final(sent_as, self.services.settings.scanners.temporary_names)
        file = self._open_spool(announced or 0)
        if isinstance(file, SpoolFile):
            order = Order(path, name, name != sent_as or announce_name, announced or None)
            self.upload = Upload(order, self.credentials, file, self)  # type: ignore[arg-type]
            self.reply(150, f"FILE: {name}" if announce_name else "Ok to send data.")
            self._begin(self.upload)
            return
        reply = file.upload_reply()
        self.services.journal.not_stored(self.who, name, 0, file, reply, 0.0)
        self.forget_data_connection()
        self.reply(reply.code, reply.text)

    def _open_spool(self, announced: int) -> SpoolFile | Failure:
        settings = self.services.settings
        if announced > settings.uploads.max_size:
            return Failure(Problem.TOO_LARGE, detail=f"The device announced {announced} bytes.")
        owner = limits.neighbourhood(self.remote_ip, settings.limits.trusted_networks)
        try:
            return self.services.spool.open(announced, owner, settings.uploads.share_per_address)
        except SpoolFull:
            return Failure(Problem.SPOOL_FULL, detail=SPOOL_FULL_DETAIL)
        except ShareUsedUp:
            return Failure(Problem.SHARE_USED_UP, detail=SHARE_DETAIL)
        except (SpoolUnusable, OSError) as error:
            return Failure(Problem.INTERNAL, detail=str(error))

    def upload_done(self, reply: Reply, receipt: Receipt | None) -> None:
        """The upload's final reply."""
        self.upload = None
        self.forget_data_connection()
        self.reply(reply.code, reply.text)
        if receipt is not None:
            self.keep_receipt(receipt)
        self.go_on()

    # -- listings

    def begin_listing(self, lines: bytes) -> None:
        """LIST, NLST and MLSD."""
        if self._refused_data():
            return
        self._listing = Listing(lines, self._listing_done)
        self.reply(150, "Here comes the listing.")
        self._begin(self._listing)

    def _listing_done(self, reply: Reply) -> None:
        self._listing = None
        self.forget_data_connection()
        self.reply(reply.code, reply.text)
        self.go_on()

    def abort_transfer(self) -> bool:
        """ABOR while a transfer runs: its 426.

        False: nothing runs that could be aborted, the command waits its turn.
        """
        transfer = self._transfer()
        if transfer is None or (self.upload is not None and self.upload.being_asked):
            return False
        transfer.abort()
        return True
