"""The FTP commands of a session, as an upload server for scanners answers them.

What a device does not need is refused in words; what devices send out of habit (ALLO, MODE S,
touching a file after it was sent) succeeds, so that it costs them nothing.
"""

from __future__ import annotations

import posixpath
import time
from calendar import timegm
from datetime import datetime
from typing import Any, Final

from pyftpdlib.handlers import TLS_FTPHandler

from openspp_ftpd import names
from openspp_ftpd.errors import displayable
from openspp_ftpd.ftp.authorizer import log_in
from openspp_ftpd.ftp.filesystem import LONGEST_PATH, View
from openspp_ftpd.ftp.transfers import Transfers
from openspp_ftpd.openspp import Credentials


def _commands() -> dict[str, dict[str, Any]]:
    """pyftpdlib's table of commands, with what scanners need otherwise."""
    commands: dict[str, dict[str, Any]] = {
        name: dict(entry)
        for name, entry in TLS_FTPHandler.proto_cmds.items()
        if not name.startswith("SITE ")
    }
    commands["ACCT"] = {"auth": False, "arg": None, "help": "Syntax: ACCT (not needed)."}
    commands["CLNT"] = {"auth": False, "arg": None, "help": "Syntax: CLNT <SP> name (noop)."}
    commands["ALLO"]["arg"] = None
    commands["OPTS"]["auth"] = False
    commands["SITE"]["arg"] = None
    return commands


COMMANDS: Final = _commands()

_FACTS: Final = ["modify", "perm", "size", "type"]
_UNKNOWN: Final = "No such file in this session."


class Commands(Transfers):
    """One method a command; `control.py` calls them in order."""

    secure_connection: Any
    begin_tls: Any
    logged_in: Any
    encrypted: Any
    push: Any
    close: Any
    producer_fifo: Any

    def reset_session(self) -> None:
        """As at the beginning of a session: nobody is logged in, nothing was sent (also REIN and
        a second USER). TLS and PROT stay."""
        self.reset_transfers()
        self.fs = self.view = View(self)
        self.authenticated = False
        self.username = ""
        self._announced_facts = list(_FACTS)
        self._rename_from: str | None = None
        self._unique = 0

    # -- access (RFC 959 section 4.1.1, RFC 2228, RFC 4217)

    def ftp_USER(self, argument: str) -> None:
        if self.authenticated:
            self.forget_data_connection()
            self.reset_session()
        if self.services.settings.tls.mode == "required" and not self.encrypted:
            self.reply(530, "TLS is required. Set the scanner to FTPS.")
            return
        self.username = argument
        self.reply(331, "Send the scanner password.")

    def ftp_PASS(self, argument: str) -> None:
        if self.authenticated:
            self.reply(230, "Already logged in.")
        elif not self.username:
            self.reply(503, "Send USER first.")
        elif not argument:
            self.reply(530, "A scanner password is needed (it is set in OpenSPP).")
        else:
            self.credentials = Credentials(self.username, argument)
            self.wait()
            log_in(self, self.credentials, self.logged_in)  # type: ignore[arg-type]

    def ftp_ACCT(self, argument: str) -> None:
        self.reply(202, "No account is needed.")

    def ftp_REIN(self, argument: str) -> None:
        self.forget_data_connection()
        self.reset_session()
        self.reply(220, "Ready for a new user.")

    def ftp_QUIT(self, argument: str) -> None:
        self.forget_data_connection()
        self.reply(221, "Goodbye.")
        self.close_when_done()

    def ftp_AUTH(self, argument: str) -> None:
        if self.services.tls is None:
            self.reply(502, "TLS is off here. Go on without it.")
        elif self.encrypted:
            self.reply(503, "TLS is on already.")
        elif argument.upper() not in ("TLS", "TLS-C", "SSL", "TLS-P"):
            self.reply(504, "Use AUTH TLS.")
        else:
            self.reply(234, f"AUTH {argument.upper()} successful.")
            if self.producer_fifo:
                self.close()  # it does not read, and our replies in clear would break the handshake
                return
            self.forget_data_connection()
            self.reset_session()
            self.begin_tls()

    def ftp_PBSZ(self, argument: str) -> None:
        if self.encrypted:
            self.reply(200, "PBSZ=0")
        else:
            self.reply(503, "Use AUTH TLS first.")

    def ftp_PROT(self, argument: str) -> None:
        level = argument.upper()
        if not self.encrypted:
            self.reply(503, "Use AUTH TLS first.")
        elif level in ("C", "P"):
            self._prot = level == "P"
            self.reply(200, f"Protection level set to {level}.")
        else:
            self.reply(536, "Use PROT P or PROT C.")

    # -- transfer parameters: all accepted that mean a file's bytes as they are

    def ftp_TYPE(self, argument: str) -> None:
        if argument.upper().replace(" ", "") in ("A", "AN", "AT", "AC", "I", "L8", "L7", "L"):
            self.reply(200, "Type accepted; files are always stored as they are.")
        else:
            self.reply(504, "Unsupported type.")

    def ftp_MODE(self, argument: str) -> None:
        if argument.strip().upper() == "S":
            self.reply(200, "Mode accepted.")
        else:
            self.reply(504, "Only stream mode: MODE S.")

    def ftp_STRU(self, argument: str) -> None:
        if argument.strip().upper() == "F":
            self.reply(200, "Structure accepted.")
        else:  # records come with marks between them (RFC 959 section 3.4.1)
            self.reply(504, "Only file structure: STRU F.")

    def ftp_ALLO(self, argument: str) -> None:
        size = argument.split(" ")[0]
        self._announced = (
            int(size) if size.isascii() and size.isdigit() and len(size) < 16 else None
        )
        self.reply(200, "ALLO command successful.")  # 202 makes cameras give up

    def ftp_REST(self, argument: str) -> None:
        if argument.strip() == "0":
            self.reply(350, "Restarting at 0.")
        else:
            self.reply(504, "A scan cannot be resumed. Send it from its beginning.")

    def is_off(self, verb: str) -> bool:
        """The administrator switched this command off."""
        scanners = self.services.settings.scanners
        over_ipv4 = ":" not in self.remote_ip  # over IPv6 nothing else works
        return verb in ("EPSV", "EPRT") and scanners.epsv_eprt == "off" and over_ipv4

    def _make_eport(self, address: str, port: int) -> None:
        """PORT and EPRT as pyftpdlib parsed them; the address is not believed."""
        self.set_active_port(port)

    def _make_epasv(self, extmode: bool = False) -> None:
        """PASV and EPSV as pyftpdlib parsed them."""
        self.ask_passive_port(extmode)

    # -- transfers

    def ftp_STOR(self, argument: str) -> None:
        self.begin_upload(self.view.resolve(argument))

    def ftp_APPE(self, argument: str) -> None:
        path = self.view.resolve(argument)
        if self.view.was_sent(path):
            # A client that resumes would send only the tail.
            self.reply(550, "Nothing can be appended. Send the whole file with STOR.")
        else:
            self.begin_upload(path)

    def ftp_STOU(self, argument: str) -> None:
        self._unique += 1
        name = argument or f"scan-{datetime.now():%Y%m%d-%H%M%S}-{self._unique}"
        self.begin_upload(self.view.resolve(name), announce_name=True)

    def ftp_RETR(self, argument: str) -> None:
        self.reply(550, "Scans go to OpenSPP and cannot be read here.")

    def ftp_ABOR(self, argument: str) -> None:
        self.forget_data_connection()
        self.reply(225, "No transfer to abort.")

    def ftp_LIST(self, argument: str) -> None:
        self.begin_listing(b"".join(self.view.list_lines(self._listed(argument))))

    def ftp_NLST(self, argument: str) -> None:
        _, found = self.view.matching(self._listed(argument))
        self.begin_listing("".join(f"{name}\r\n" for name in found).encode("utf-8", "replace"))

    def ftp_MLSD(self, argument: str) -> None:
        path = self.view.resolve(argument)
        self.begin_listing(b"".join(self.view.fact_lines(path, self._announced_facts)))

    def _listed(self, argument: str) -> str:
        """The path behind ls-like options such as -la."""
        words = argument.split(" ")
        while words and words[0].startswith("-"):
            words.pop(0)
        return self.view.resolve(" ".join(words))

    # -- folders: every one exists

    def ftp_CWD(self, argument: str) -> None:
        path = self.view.resolve(argument or "/")
        if len(path) > LONGEST_PATH:
            self.reply(550, "This path is too long.")
            return
        self.view.enter(path)
        self.reply(250, f'"{_quoted(path)}" is the current directory.')

    def ftp_CDUP(self, argument: str) -> None:
        self.ftp_CWD("..")

    def ftp_PWD(self, argument: str) -> None:
        self.reply(257, f'"{_quoted(self.view.cwd)}" is the current directory.')

    def ftp_MKD(self, argument: str) -> None:
        path = self.view.resolve(argument)
        if len(path) > LONGEST_PATH:
            self.reply(550, "This path is too long.")
            return
        self.view.make(path)
        self.reply(257, f'"{_quoted(path)}" created.')

    def ftp_RMD(self, argument: str) -> None:
        self.view.remove_folder(self.view.resolve(argument))
        self.reply(250, "Directory removed.")

    # -- files that were sent: they can be looked at and touched, OpenSPP keeps its copy

    def ftp_SIZE(self, argument: str) -> None:
        sent = self.view.get(self.view.resolve(argument))
        if sent is None:
            self.reply(550, _UNKNOWN)
        else:
            self.reply(213, str(sent.size))

    def ftp_MDTM(self, argument: str) -> None:
        sent = self.view.get(self.view.resolve(argument))
        if sent is None:
            self.reply(550, _UNKNOWN)
        else:
            self.reply(213, time.strftime("%Y%m%d%H%M%S", time.gmtime(sent.modified)))

    def ftp_MFMT(self, argument: str) -> None:
        moment, _, name = argument.partition(" ")
        path = self.view.resolve(name)
        if self.view.get(path) is None:
            self.reply(550, _UNKNOWN)
            return
        try:
            modified = timegm(time.strptime(moment[:14], "%Y%m%d%H%M%S"))
        except ValueError:
            self.reply(501, "Time as YYYYMMDDHHMMSS, then the name.")
            return
        self.view.touch(path, modified)
        self.reply(213, f"Modify={moment[:14]}; {path}")

    def ftp_MLST(self, argument: str) -> None:
        path = self.view.resolve(argument)
        if not (self.view.isdir(path) or self.view.isfile(path)):
            self.reply(550, _UNKNOWN)
            return
        folder, name = posixpath.split(path)
        facts = b"".join(self.view.format_mlsx(folder, [name], "elmw", self._announced_facts))
        facts_only = facts.decode("utf-8", "replace").split(" ", 1)[0]
        self.push(f"250-Listing\r\n {facts_only} {path}\r\n")
        self.reply(250, "End.")

    def ftp_DELE(self, argument: str) -> None:
        path = self.view.resolve(argument)
        sent = self.view.get(path)
        if sent is None:
            self.reply(550, _UNKNOWN)
        else:
            self.view.forget(path)
            kept = "Deleted here. OpenSPP keeps its copy."
            self.reply(250, kept if sent.stored_as else "Deleted.")

    def ftp_RNFR(self, argument: str) -> None:
        path = self.view.resolve(argument)
        if self.view.get(path) is None and not self.view.isdir(path):
            self.reply(550, _UNKNOWN)
        else:
            self._rename_from = path
            self.reply(350, "Send RNTO with the new name.")

    def ftp_RNTO(self, argument: str) -> None:
        source, self._rename_from = self._rename_from, None
        if source is None:
            self.reply(503, "Send RNFR first.")
            return
        target = self.view.resolve(argument)
        sent = self.view.get(source)
        if sent is None:
            self.view.make(target)
            self.reply(250, "Renamed.")
            return
        if not sent.stored_as and sent.size and not self._is_side_file(target):
            # Its content is gone: a 250 would promise a document.
            self.reply(553, "It was not kept. Send it again under the new name.")
            return
        self.view.rename(source, target)
        if sent.stored_as in ("", names.clean(target)):
            self.reply(250, "Renamed.")
        else:
            self.reply(250, displayable(f"Renamed here. OpenSPP keeps it as {sent.stored_as}"))

    def _is_side_file(self, path: str) -> bool:
        return names.fits(names.clean(path), self.services.settings.scanners.side_files)

    # -- information

    def ftp_FEAT(self, argument: str) -> None:
        features = ["UTF8"]
        if self.services.settings.scanners.feat == "full":
            facts = "".join(
                f"{fact}{'*' if fact in self._announced_facts else ''};" for fact in _FACTS
            )
            features += ["MDTM", "MFMT", f"MLST {facts}", "SIZE", "TVFS"]
            features += [verb for verb in ("EPRT", "EPSV") if not self.is_off(verb)]
        if self.services.tls is not None:
            features += ["AUTH TLS", "AUTH SSL", "PBSZ", "PROT"]
        self.push("211-Features:\r\n" + "".join(f" {name}\r\n" for name in sorted(features)))
        self.reply(211, "End.")

    def ftp_OPTS(self, argument: str) -> None:
        words = argument.upper().split(" ")
        if words[0] in ("UTF8", "UTF-8"):
            self.reply(200, "UTF-8 is always on.")
        elif words[0] == "MLST":
            wanted = [fact.lower() for fact in " ".join(words[1:]).split(";")]
            self._announced_facts = [fact for fact in _FACTS if fact in wanted]
            self.reply(200, "MLST OPTS " + "".join(f"{fact};" for fact in self._announced_facts))
        else:
            self.reply(501, "Unknown option.")

    def ftp_STAT(self, argument: str) -> None:
        if argument and self.authenticated:
            lines = b"".join(self.view.list_lines(self._listed(argument)))
            self.push("213-Status:\r\n" + lines.decode("utf-8", "replace"))
            self.reply(213, "End.")
        else:
            self.reply(211, "OpenSPP scan gateway, no transfer in progress.")

    def ftp_NOOP(self, argument: str) -> None:
        self.reply(200, "OK.")

    def ftp_CLNT(self, argument: str) -> None:
        self.reply(200, "OK.")

    def ftp_SITE(self, argument: str) -> None:
        self.reply(502, "No SITE commands here.")


def _quoted(path: str) -> str:
    """A path inside a 257 reply: a double quote is doubled (RFC 959 appendix II)."""
    return path.replace('"', '""')
