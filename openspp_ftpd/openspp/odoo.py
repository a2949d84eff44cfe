"""OpenSPP 17 and OpenSPP 2: Odoo's own API with the user's API key (WIRE17.md).

Here belongs what is asked in which order, and what is remembered so that a scan is one call.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from openspp_ftpd.errors import Failure, Problem
from openspp_ftpd.openspp.answers import (
    Credentials,
    Denied,
    NotStored,
    Outcome,
    RequestId,
    Stored,
    Unsettled,
)
from openspp_ftpd.openspp.exchange import Abandoned, Exchange
from openspp_ftpd.openspp.faults import NoAnswer, unexpected
from openspp_ftpd.openspp.odoo_answers import About, Refused, Said, moment
from openspp_ftpd.openspp.odoo_calls import FILE, may_create, search
from openspp_ftpd.openspp.odoo_directories import Directories
from openspp_ftpd.openspp.odoo_keys import EXPIRING_FROM, Expiry, next_expiry, question
from openspp_ftpd.openspp.odoo_memory import Documents, Names, Place, Places
from openspp_ftpd.openspp.odoo_server import OdooServer
from openspp_ftpd.openspp.scanner import can_exist, without_answer
from openspp_ftpd.settings import OpenSPPSettings

if TYPE_CHECKING:
    from openspp_ftpd.openspp import Content

MOST_NAMES: Final = 2000
"""Names in a directory that are listed; in a fuller one each name is looked up."""

LISTING_LIMIT: Final = 1024 * 1024
"""Bytes of such a list."""

SETTLES_AFTER: Final = 120.0
"""Seconds that Odoo may work on a request whose last byte was sent: its limit_time_real."""

RECENTLY: Final = timedelta(hours=1)
"""How old a document may be that is taken for an earlier sending; more than clocks differ."""

_MOST_SAME: Final = 20
_ASK_EXPIRY_AFTER: Final = 24 * 3600.0
_MOST_ASKED: Final = 4096


def _new_id() -> str:
    return secrets.token_hex(8)


class OdooApi:
    """An OpenSPP with Odoo's own API; the `Api` of this package."""

    settles_after = SETTLES_AFTER

    def __init__(
        self,
        settings: OpenSPPSettings,
        tell: Callable[[str, Expiry | None], None] = lambda user, expiry: None,
        new_id: Callable[[], RequestId] = _new_id,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises OSError for a `ca_file` that cannot be used.

        tell: see `api_for`. new_id: makes the id of a JSON-RPC request. clock: monotonic seconds.
        """
        self._server = OdooServer(settings, new_id)
        self._tell = tell
        self._clock = clock
        self._places = Places(secrets.token_bytes(64))
        self._directories = Directories(self._server, settings)
        self._names = Names()
        self._documents = Documents()
        self._expiry_asked: dict[str, float] = {}

    def authenticate(self, credentials: Credentials, exchange: Exchange) -> Denied | None:
        """Check the key, really, and whether its owner may store. None: may send scans."""
        if not can_exist(credentials):
            return Denied(_impossible_user())
        return self._checked(lambda: self._may_send(credentials, exchange))

    def _may_send(self, credentials: Credentials, exchange: Exchange) -> Denied | None:
        place = self._identify(credentials, exchange)
        version = self._server.version(exchange)
        may = self._server.call(credentials, place.uid, may_create(version), exchange)
        if may.result() is not True:
            return Denied(self._may_not_store())
        if version >= EXPIRING_FROM:
            self._look_at_expiry(credentials, place, exchange)
        return None

    def probe(self, exchange: Exchange) -> Denied | None:
        """Ask Odoo's version, which needs no user and no password. None: a fitting one is there."""
        return self._checked(lambda: self._tells_its_version(exchange))

    def find_database(self, exchange: Exchange) -> Denied | None:
        """Ask, as nobody, whether the database is there. None: it is. For `check`."""
        return self._checked(lambda: self._server.find_database(exchange))

    def _tells_its_version(self, exchange: Exchange) -> None:
        self._server.forget_version()
        self._server.version(exchange)

    def _checked(self, check: Callable[[], Denied | None]) -> Denied | None:
        """What `check` finds, or what kept it from finding anything."""
        try:
            return check()
        except Refused as error:
            return Denied(error.failure, error.may_retry)
        except NoAnswer as error:
            return Denied(error.fault.failure, error.fault.may_retry)
        except Abandoned:
            return Denied(self._given_up())
        except Exception as error:  # the thread's job must come back with a verdict
            return Denied(unexpected(error, self._server.where()).failure)

    def expiry(self, credentials: Credentials, exchange: Exchange) -> Expiry | None:
        """Which of the user's keys expires first; None: none does. For `check` and `try`.

        Raises Refused, NoAnswer, Abandoned.
        """
        if self._server.version(exchange) < EXPIRING_FROM:
            return None
        place = self._place(credentials, exchange)
        rows = self._server.call(credentials, place.uid, question(), exchange).result()
        return next_expiry(credentials.user, rows, datetime.now(UTC))

    def store(
        self, credentials: Credentials, name: str, content: Content, exchange: Exchange
    ) -> Outcome:
        """Store once, under a name that the directory does not have."""
        outcome = self._guarded(exchange, lambda: self._store(credentials, name, content, exchange))
        exchange.conclude(nothing_stored=isinstance(outcome, NotStored))
        return outcome

    def settle(
        self, credentials: Credentials, name: str, content: Content, exchange: Exchange
    ) -> Outcome:
        """Look once whether a scan without a verdict is there. NotStored: it is not, yet.

        Unsettled: Odoo could not be asked.
        """
        try:
            place = self._place(credentials, exchange)
            for row in self._same(credentials, place, name, content, exchange):
                if row["id"] not in self._documents:
                    self._documents.add(row["id"])
                    return Stored(earlier=True)
        except Refused as error:
            return Unsettled(error.failure)
        except NoAnswer as error:
            return Unsettled(error.fault.failure)
        except Abandoned:
            return Unsettled(self._given_up())
        except Exception as error:  # the thread's job must come back with a verdict
            return Unsettled(unexpected(error, self._server.where()).failure)
        if place.directory is not None:
            self._names.forget(place.directory)
        detail = f"{self._server.where()}: it did not confirm the scan, and does not have it"
        return NotStored(Failure(Problem.OUT_OF_ORDER, detail=detail), may_retry=True)

    def _guarded(self, exchange: Exchange, ask: Callable[[], Outcome]) -> Outcome:
        try:
            return ask()
        except Refused as error:
            return NotStored(error.failure, error.may_retry)
        except NoAnswer as error:
            return without_answer(error.fault.failure, error.fault.may_retry, exchange)
        except Abandoned:
            return NotStored(self._given_up())
        except Exception as error:  # the thread's job must come back with a verdict
            fault = unexpected(error, self._server.where())
            return without_answer(fault.failure, fault.may_retry, exchange)

    def _store(
        self, credentials: Credentials, name: str, content: Content, exchange: Exchange
    ) -> Outcome:
        if not content.size:  # Odoo would store it (WIRE17.md section 4)
            return NotStored(Failure(Problem.EMPTY, detail="nothing is in it"))
        if not can_exist(credentials):
            return NotStored(_impossible_user())
        _ = content.sha512  # read it now: it is asked for when the content may be gone
        try:
            place = self._place(credentials, exchange)
            free = self._claim(credentials, place, name, exchange)
            if not free:
                return self._taken(credentials, place, name, content, exchange)
        except Refused as error:
            if error.about is About.LOGIN:
                return self._doubted(credentials, error.failure, exchange)
            raise
        outcome: Outcome | None = None
        directory = place.directory
        assert directory is not None
        try:
            said = self._server.store(credentials, place.uid, name, directory, content, exchange)
            outcome = self._judge(said, content, exchange)
        finally:
            stored = not isinstance(outcome, NotStored) and exchange.wholly_sent
            self._names.release(directory, name, stored=stored)
        if isinstance(outcome, NotStored):
            if said.about is About.LOGIN:
                return self._doubted(credentials, outcome.failure, exchange)
            if said.about is About.VALUES:
                return self._moved(credentials, directory, outcome.failure, exchange)
        return outcome

    def _judge(self, said: Said, content: Content, exchange: Exchange) -> Outcome:
        """What became of a scan that was sent."""
        if said.failure is None:
            document = _confirmed(said.value, content)
            if document is not None and exchange.wholly_sent:
                self._documents.add(document)
                return Stored()
            said = said.unlike("confirmation of these very bytes")
            assert said.failure is not None
        if said.certain or not exchange.wholly_sent:
            return NotStored(said.failure, said.may_retry)
        detail = f"{said.failure.detail}; the scan was wholly sent and may be stored"
        failure = Failure(Problem.UNCERTAIN, detail=detail)
        return Unsettled(failure, said.over, said.may_retry)

    def _identify(self, credentials: Credentials, exchange: Exchange) -> Place:
        """Ask Odoo who this is, and remember it. Raises Refused, NoAnswer, Abandoned."""
        known = self._places.get(credentials, self._clock())
        self._places.forget(credentials)
        uid = self._server.identify(credentials, exchange)
        now = self._clock()
        place = Place(uid, now)
        if known is not None and known.uid == uid:
            place = replace(known, since=now)
        self._places.put(credentials, place)
        return place

    def _place(self, credentials: Credentials, exchange: Exchange) -> Place:
        """Who this is and where his scans go, from memory if it was asked lately."""
        place = self._places.get(credentials, self._clock())
        if place is None:
            place = self._identify(credentials, exchange)
        if place.directory is None:
            directory = self._directories.find(credentials, place.uid, exchange)
            place = replace(place, directory=directory, seen=self._clock())
            self._places.put(credentials, place)
        return place

    def _claim(self, credentials: Credentials, place: Place, name: str, exchange: Exchange) -> bool:
        """Take the name, if the directory does not have it: Odoo stores any name twice."""
        assert place.directory is not None
        in_directory: list[Any] = ["directory_id", "=", place.directory]
        if self._names.must_be_listed(place.directory, self._clock()):
            asked = search(FILE, [in_directory], ["name"], MOST_NAMES + 1)
            said = self._server.call(credentials, place.uid, asked, exchange, LISTING_LIMIT)
            rows = _rows(said) if said.answer.whole else []
            complete = said.answer.whole and len(rows) <= MOST_NAMES
            names = [str(row.get("name")) for row in rows]
            self._names.listed(place.directory, names, complete, self._clock())
        if self._names.too_many(place.directory):
            asked = search(FILE, [in_directory, ["name", "=", name]], ["id"], 1)
            if _rows(self._server.call(credentials, place.uid, asked, exchange)):
                return False
        return self._names.claim(place.directory, name)

    def _same(
        self,
        credentials: Credentials,
        place: Place,
        name: str,
        content: Content,
        exchange: Exchange,
    ) -> list[dict[str, Any]]:
        """The documents of this name with these very bytes."""
        domain: list[list[Any]] = [
            ["directory_id", "=", place.directory],
            ["name", "=", name],
            ["checksum", "=", content.sha512],
        ]
        asked = search(FILE, domain, ["id", "create_uid", "create_date"], _MOST_SAME)
        rows = _rows(self._server.call(credentials, place.uid, asked, exchange))
        return [row for row in rows if isinstance(row.get("id"), int)]

    def _taken(
        self,
        credentials: Credentials,
        place: Place,
        name: str,
        content: Content,
        exchange: Exchange,
    ) -> Outcome:
        """The directory has the name: for this very scan, sent before we were started?"""
        for row in self._same(credentials, place, name, content, exchange):
            if row["id"] not in self._documents and _is_recent_of(row, place.uid):
                self._documents.add(row["id"])
                return Stored(earlier=True)
        detail = f"{self._server.where()}: the directory has a file of this name"
        return NotStored(Failure(Problem.NAME_TAKEN, detail=detail))

    def _doubted(self, credentials: Credentials, failure: Failure, exchange: Exchange) -> NotStored:
        """Odoo did not know the remembered user or key: ask whether he is there."""
        exchange.conclude(nothing_stored=True)
        self._places.forget(credentials)
        self._identify(credentials, exchange)
        return NotStored(replace(failure, problem=Problem.OUT_OF_ORDER), may_retry=True)

    def _moved(
        self, credentials: Credentials, directory: int, failure: Failure, exchange: Exchange
    ) -> NotStored:
        """Odoo took the values for wrong: is the directory still there?"""
        exchange.conclude(nothing_stored=True)
        place = self._place(credentials, exchange)
        found = self._directories.find(credentials, place.uid, exchange)
        self._places.put(credentials, replace(place, directory=found, seen=self._clock()))
        if found != directory:
            return NotStored(replace(failure, problem=Problem.OUT_OF_ORDER), may_retry=True)
        return NotStored(replace(failure, problem=Problem.REFUSED))

    def _look_at_expiry(self, credentials: Credentials, place: Place, exchange: Exchange) -> None:
        """Once a day and user: does his key expire soon?"""
        now = self._clock()
        asked = self._expiry_asked.get(credentials.user)
        if asked is not None and now - asked < _ASK_EXPIRY_AFTER:
            return
        if len(self._expiry_asked) >= _MOST_ASKED:
            self._expiry_asked.clear()
        self._expiry_asked[credentials.user] = now
        said = self._server.call(credentials, place.uid, question(), exchange)
        today = datetime.now(UTC)
        expiry = next_expiry(credentials.user, said.value, today)
        if isinstance(said.value, list):
            self._tell(credentials.user, expiry if expiry and expiry.soon(today) else None)

    def _may_not_store(self) -> Failure:
        detail = (
            f"{self._server.where()}: right key, but the user may not create files (DMS);"
            " he needs the group DMS / Manager on OpenSPP 17, DMS / Officer on OpenSPP 2"
        )
        return Failure(Problem.MAY_NOT_STORE, detail=detail)

    def _given_up(self) -> Failure:
        words = f"{self._server.where()}: given up before the request was wholly sent"
        return Failure(Problem.TOO_SLOW, detail=words)


def _impossible_user() -> Failure:
    words = "the user name or password is one that no OpenSPP user can have"
    return Failure(Problem.WRONG_PASSWORD, detail=words)


def _rows(said: Said) -> list[dict[str, Any]]:
    """The records that were found. Raises Refused."""
    rows = said.result()
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        said.unlike("list of records").result()
    return list(rows)


def _confirmed(value: object, content: Content) -> int | None:
    """The id of the document that Odoo says it made of these very bytes."""
    match value:
        case [{"id": int(document), "checksum": str(checksum), "size": int() | float() as size}]:
            same = checksum == content.sha512 and size == content.size
            return document if same and document is not False else None  # which is an int as well
    return None


def _is_recent_of(row: dict[str, Any], uid: int) -> bool:
    """Whether this user made the document lately."""
    created, creator = moment(row.get("create_date")), row.get("create_uid")
    if created is None or not isinstance(creator, list) or creator[:1] != [uid]:
        return False
    return abs(datetime.now(UTC) - created) <= RECENTLY
