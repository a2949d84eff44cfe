"""OpenSPP decides who may log in; here is what a session does with its answer.

A failed login is answered late (the user is slowed, never locked out), and who tries one password
after another is asked about late as well, for he need not stay for the answer. Only OpenSPP's plain
401 counts as a failure: an OpenSPP that is away must not get an office banned.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from openspp_ftpd.errors import Failure, Problem, Reply
from openspp_ftpd.events import Who
from openspp_ftpd.ftp.services import Services
from openspp_ftpd.openspp import Credentials


class Session(Protocol):
    """What a login needs of its session."""

    services: Services
    remote_ip: str

    @property
    def closed(self) -> bool: ...

    @property
    def encrypted(self) -> bool: ...

    @property
    def who(self) -> Who: ...

    def call_while_open(self, seconds: float, target: Any) -> None: ...


def log_in(session: Session, credentials: Credentials, then: Callable[[Reply], None]) -> None:
    """Ask OpenSPP; `then` gets the reply to PASS: 230, 530, or 421 when OpenSPP cannot tell."""
    services, who = session.services, session.who
    user, began = credentials.user, time.monotonic()

    def ask() -> None:
        if not session.closed:
            services.delivery.login(credentials, answered)

    def answered(failure: Failure | None) -> None:
        now = time.monotonic()
        if failure is None:
            services.limits.login_succeeded(session.remote_ip, user, now)
            services.journal.logged_in(who, now - began, session.encrypted)
            then(Reply(230, "Logged in. Scans go to OpenSPP."))
            return
        reply = failure.login_reply()
        delay = 0.0
        if failure.problem is Problem.WRONG_PASSWORD:
            # Python keys it with a secret of the process, so that it tells nothing of the password.
            guess = hash((user, credentials.password))
            delay = services.limits.login_failed(session.remote_ip, user, now, guess)
        services.journal.login_failed(who, failure, reply)  # it is counted already
        if delay:
            session.call_while_open(delay, lambda: then(reply))
        else:
            then(reply)

    wait = services.limits.login_wait(session.remote_ip, user, began)
    if wait:
        session.call_while_open(wait, ask)
    else:
        ask()
