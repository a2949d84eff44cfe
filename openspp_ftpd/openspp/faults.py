"""What kept OpenSPP's answer away, in words for the journal: exceptions of requests -> failures.

An exception's own text is never used: http.client's quote what the server sent, and that can echo
the password.
"""

from __future__ import annotations

import errno
import http.client
import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import urllib3.exceptions

from openspp_ftpd.errors import Failure, Problem

_CAUSES: Final = 12
"""How far an exception's causes are followed; requests' chains are about five long."""

_Error = TypeVar("_Error", bound=BaseException)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why there is no answer. It holds where the request's body was not wholly sent."""

    failure: Failure
    may_retry: bool


class NoAnswer(Exception):
    """No complete answer came."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.failure.detail)
        self.fault = fault


def explain(error: BaseException, where: str, host: str) -> Fault:
    """The fault behind an exception of requests or urllib3. where: the URL that was asked."""
    causes = list(_causes(error))
    if certificate := _first(causes, ssl.SSLCertVerificationError):
        detail = (
            f"{where}: its certificate is not accepted ({certificate.verify_message}); name the "
            "authority that issued it in ca_file of [openspp], and in url a host name it is for"
        )
        return Fault(Failure(Problem.CERTIFICATE, detail=detail), may_retry=False)
    if _first(causes, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return _unreachable(f"{where}: the connection was closed within TLS")
    if tls := _first(causes, ssl.SSLError):
        reason = tls.reason or "no reason given"
        words = f"{where}: TLS failed ({reason}); is url in [openspp] right about https?"
        return _unreachable(words, may_retry=False)
    if name := _first(causes, socket.gaierror):
        words = f"the name {host} cannot be resolved ({name.strerror}); see url in [openspp]"
        return _unreachable(f"{where}: {words}")
    silent = _first(causes, (urllib3.exceptions.ReadTimeoutError, TimeoutError))
    connecting = _first(
        causes, (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    )
    if silent and not connecting:
        detail = f"{where}: connected, but it took and gave nothing for too long"
        return Fault(Failure(Problem.TOO_SLOW, detail=detail), may_retry=True)
    return _unreachable(f"{where}: {_what_happened(causes)}")


def unexpected(error: BaseException, where: str) -> Fault:
    """The fault for an exception that nobody foresaw: an error in this program."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    line = f"{Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}" if place else "?"
    detail = f"{where}: {type(error).__name__} at {line}; please report this"
    return Fault(Failure(Problem.INTERNAL, detail=detail), may_retry=False)


def _unreachable(words: str, *, may_retry: bool = True) -> Fault:
    return Fault(Failure(Problem.UNREACHABLE, detail=words), may_retry)


def _what_happened(causes: list[BaseException]) -> str:
    if _first(causes, urllib3.exceptions.NewConnectionError):
        refused = _first(causes, ConnectionRefusedError)
        return f"{_system_words(causes)}{'; is OpenSPP running?' if refused else ''}"
    if _first(causes, urllib3.exceptions.ConnectTimeoutError):
        return "no connection in time; is a firewall between?"
    if _first(causes, http.client.RemoteDisconnected):
        return "it closed the connection without an answer"
    if _first(causes, (http.client.IncompleteRead, urllib3.exceptions.IncompleteRead)):
        return "its answer ended early"
    if _first(causes, http.client.HTTPException):
        return "it answered something that is not HTTP; is url in [openspp] right about https?"
    return _system_words(causes)


def _system_words(causes: list[BaseException]) -> str:
    """The operating system's words, or else the exception's class."""
    for cause in reversed(causes):
        number = cause.errno if isinstance(cause, OSError) else None
        if number is not None and number in errno.errorcode:
            return os.strerror(number)
    return type(causes[-1]).__name__


def _first(
    causes: list[BaseException], kind: type[_Error] | tuple[type[_Error], ...]
) -> _Error | None:
    for cause in causes:
        if isinstance(cause, kind):
            return cause
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and what it came from, outermost first."""
    cause: BaseException | None = error
    for _ in range(_CAUSES):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or cause.__context__
