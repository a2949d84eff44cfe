"""Logins on their way to OpenSPP: requests beside the uploads', each with its deadline.

Here belongs what the loop decides about a login; `attempts` is what its worker thread does. Devices
log in for every page and often several at once, so identical logins share one request, and a recent
success is answered from memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

from openspp_ftpd.delivery.attempts import Progress, authenticate
from openspp_ftpd.delivery.logins import RememberedLogins
from openspp_ftpd.delivery.mailbox import Mailbox, Timer, Timers
from openspp_ftpd.delivery.slots import Slots
from openspp_ftpd.delivery.turns import Turns
from openspp_ftpd.delivery.workers import Workers
from openspp_ftpd.errors import Failure, Problem
from openspp_ftpd.openspp import Api, Credentials, Exchange
from openspp_ftpd.settings import OpenSPPSettings

FEWEST_SLOTS: Final = 4
"""Logins at once, at least: a login is short, and a scanner's user stands before it and waits."""

THREADS_PER_SLOT: Final = 4
"""Bounds the threads that outlive their login, hanging where nothing can be shut (DNS)."""

Then = Callable[[Failure | None], None]


class Login:
    """One session's login. To others it is a Pending."""

    def __init__(self, then: Then, abandon: Callable[[Login], bool]) -> None:
        self.then = then
        self.begun = time.monotonic()
        self.request: Request | None = None
        self.deadline: Timer | None = None
        self._abandon = abandon

    def abandon(self) -> bool:
        """See delivery.Pending. Always True: a login stores nothing."""
        return self._abandon(self)


class Request:
    """One question to OpenSPP, for all who log in with the same user and password at the time."""

    def __init__(self, credentials: Credentials, seal: bytes) -> None:
        self.credentials = credentials
        self.seal = seal
        self.logins: list[Login] = []
        self.exchange = Exchange()
        self.progress = Progress()
        self.begun = time.monotonic()


class LoginRequests:
    """All logins of one of `processes`. Every method belongs to the loop's thread.

    Logins are short: each process has its part of the requests for good.
    """

    def __init__(
        self,
        api: Api,
        settings: OpenSPPSettings,
        timers: Timers,
        mailbox: Mailbox,
        remembered: RememberedLogins,
        workers: Workers,
        processes: int,
    ) -> None:
        self._api = api
        self._settings = settings
        self._timers = timers
        self._mailbox = mailbox
        self._remembered = remembered
        self._workers = workers
        self._slots = max(FEWEST_SLOTS, settings.parallel_requests // processes)
        self._turns: Turns[Request] = Turns(Slots(self._slots))
        self._requests: dict[bytes, Request] = {}  # by seal
        self._untold: set[Login] = set()
        self._threads = 0
        self._closed = False

    def begin(self, credentials: Credentials, then: Then) -> Login:
        """Check `credentials`; `then` is called later, on the loop: with None if all is well."""
        login = Login(then, self.abandon)
        self._untold.add(login)
        if self._closed:
            stopping = Failure(Problem.STOPPING)
            self._timers.call_later(0, partial(self._tell, login, stopping))
            return login
        user, password = credentials.user, credentials.password
        if self._remembered.known(user, password, time.monotonic()):
            self._decide(login, None)
            return login
        seal = self._remembered.seal(user, password)
        request = self._requests.get(seal)
        if request is None:
            request = self._requests[seal] = Request(credentials, seal)
            self._turns.wait(request, user, seal.hex())
        request.logins.append(login)
        login.request = request
        login.deadline = self._timers.call_later(
            self._settings.login_within, partial(self._out_of_time, login)
        )
        self._advance()
        return login

    def abandon(self, login: Login) -> bool:
        """See Login.abandon."""
        self._untold.discard(login)
        self._leave(login)
        return True

    def close(self) -> None:
        """Give up every request, and decide what the sessions still have to be told."""
        self._closed = True
        for request in list(self._requests.values()):
            self._end(request, Failure(Problem.STOPPING))

    def _advance(self) -> None:
        while not self._closed and self._threads < THREADS_PER_SLOT * self._slots:
            request = self._turns.next()
            if request is None:
                return
            self._threads += 1
            self._workers.run(partial(self._work, request), partial(self._over, request))

    def _work(self, request: Request) -> None:
        """In the worker thread."""
        heed = self._remembered.heed
        user = request.credentials.user
        failure = authenticate(
            self._api,
            request.credentials,
            request.exchange,
            request.progress,
            hear=lambda failure: self._mailbox.post(partial(heed, user, failure)),
        )
        self._over(request, failure)

    def _over(self, request: Request, failure: Failure | None) -> None:
        self._mailbox.post(partial(self._finished, request, failure))

    def _finished(self, request: Request, failure: Failure | None) -> None:
        """The thread of `request` has ended."""
        self._threads -= 1
        if self._requests.get(request.seal) is request:
            credentials = request.credentials
            now = time.monotonic()
            if failure is None:
                self._remembered.remember(credentials.user, credentials.password, now)
            else:
                self._remembered.heed(credentials.user, failure)
                failure = request.progress.account(failure, now - request.begun)
            self._end(request, failure)
        self._advance()

    def _out_of_time(self, login: Login) -> None:
        """The session has waited for `login_within`."""
        login.deadline = None
        request = login.request
        assert request is not None, "the deadline ends with the request"
        within = f"{self._settings.login_within:g} s"
        if request.progress.attempts:
            slow = Failure(Problem.TOO_SLOW, detail=f"OpenSPP gave no verdict within {within}")
            failure = request.progress.account(
                request.progress.failure or slow, time.monotonic() - login.begun
            )
            self._remembered.heed(request.credentials.user, failure)
        else:
            detail = f"no turn within {within}: OpenSPP is busy with other logins"
            failure = Failure(Problem.TOO_SLOW, detail=detail)
        self._leave(login)
        self._decide(login, failure)

    def _leave(self, login: Login) -> None:
        """`login` waits no more; a request for which nobody waits is given up."""
        request = login.request
        if request is None:
            return
        request.logins.remove(login)
        self._part(login)
        if not request.logins:
            self._end(request, None)
            self._advance()

    def _end(self, request: Request, failure: Failure | None) -> None:
        """The request is over, answered or given up; its slot is free."""
        request.exchange.hang_up()
        self._turns.end(request)
        del self._requests[request.seal]
        logins, request.logins = request.logins, []
        for login in logins:
            self._part(login)
            self._decide(login, failure)

    def _part(self, login: Login) -> None:
        login.request = None
        if login.deadline is not None:
            login.deadline.cancel()
            login.deadline = None

    def _decide(self, login: Login, failure: Failure | None) -> None:
        self._mailbox.post(partial(self._tell, login, failure))

    def _tell(self, login: Login, failure: Failure | None) -> None:
        if login in self._untold:
            self._untold.remove(login)
            login.then(failure)
