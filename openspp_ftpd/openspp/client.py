"""HTTP to one OpenSPP: a request goes out on a connection of its own, an answer comes back.

Nothing is taken from the environment: no proxy, no .netrc, no redirect, no other certificates. The
bare adapter of requests is used, since its Session does all of that, and reads the whole body of a
redirect on the way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import requests
import urllib3.exceptions

from openspp_ftpd import __version__
from openspp_ftpd.openspp.answers import Answer
from openspp_ftpd.openspp.body import UploadBody
from openspp_ftpd.openspp.exchange import Exchange
from openspp_ftpd.openspp.faults import Fault, NoAnswer, explain, unexpected
from openspp_ftpd.openspp.session import Session
from openspp_ftpd.openspp.transport import OneConnection, tls_context

CONNECT_WITHIN: Final = 10.0
"""Seconds for connecting to one address of OpenSPP's host, and for the TLS handshake."""

ANSWER_LIMIT: Final = 64 * 1024
"""Bytes of an answer that are read. OpenSPP's longest, an error with its traceback, has 5 kB."""

_HOST: Final = re.compile(r"[A-Za-z0-9.:_-]{1,253}")


class Client:
    """One OpenSPP. Safe in every thread; the cookies are shared by all."""

    def __init__(self, url: str, ca_file: str = "") -> None:
        """url: scheme://host[:port]. ca_file: see `tls_context`, which may raise OSError."""
        self._url = url
        self._context = tls_context(ca_file) if url.startswith("https:") else None
        self._session = Session()

    def where(self, path: str) -> str:
        """The URL of a path, without its query."""
        return self._url + path.partition("?")[0]

    def forget_cookies(self) -> None:
        """The next request starts a new session."""
        self._session.forget()

    def has_session(self) -> bool:
        """Whether OpenSPP gave a session."""
        return self._session.begun()

    def get(self, path: str, exchange: Exchange, patience: float) -> Answer:
        """GET. See `post`."""
        return self._ask("GET", path, None, exchange, patience)

    def post(
        self,
        path: str,
        body: bytes | UploadBody,
        exchange: Exchange,
        patience: float,
        headers: Mapping[str, str] | None = None,
        most: int = ANSWER_LIMIT,
    ) -> Answer:
        """POST of JSON.

        patience: seconds after which a silent OpenSPP is given up. It bounds each wait for a byte,
        not the whole, which the event loop does through `exchange`. headers: further ones. most:
        bytes of the answer that are read. Raises NoAnswer, Abandoned, ContentChanged.
        """
        return self._ask("POST", path, body, exchange, patience, headers, most)

    def unexpected(self, path: str, error: BaseException) -> Fault:
        """The fault for an exception that is an error of this program."""
        return unexpected(error, self.where(path))

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | UploadBody | None,
        exchange: Exchange,
        patience: float,
        headers: Mapping[str, str] | None = None,
        most: int = ANSWER_LIMIT,
    ) -> Answer:
        exchange.check()
        connection = OneConnection(self._url, self._context, exchange, patience)
        try:
            request = self._prepare(method, path, body, headers or {})
            with connection.send(
                request, stream=True, timeout=(CONNECT_WITHIN, patience)
            ) as response:
                # Not decoded: nothing compressed was asked for, and a little can unfold to a lot.
                received = response.raw.read(most + 1, decode_content=False)
                self._session.keep(response)
                return self._answer(path, response, received, most)
        except (OSError, urllib3.exceptions.HTTPError) as error:  # requests' are OSErrors
            host = urlsplit(self._url).hostname or ""
            raise NoAnswer(explain(error, self.where(path), host)) from error
        finally:
            exchange.disconnected()
            connection.close()

    def _prepare(
        self, method: str, path: str, body: bytes | UploadBody | None, more: Mapping[str, str]
    ) -> requests.PreparedRequest:
        headers = {
            **more,
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Connection": "close",
            "User-Agent": f"openspp-ftpd/{__version__}",
        }
        if body is not None:
            headers["Content-Type"] = "application/json"
        # By its parts: the whole would parse the URL anew and copy all cookies for each request.
        request = requests.PreparedRequest()
        request.prepare_method(method)
        request.url = self._url + path
        request.prepare_headers(headers)
        self._session.name_itself(request)
        content: Any = body  # requests takes whatever has a length and gives bytes
        request.body = content
        request.prepare_content_length(content)
        request.prepare_hooks({})
        return request

    def _answer(self, path: str, response: requests.Response, received: bytes, most: int) -> Answer:
        origin, target_path = "", ""
        if 300 <= response.status_code < 400:
            asked = self._url + path
            origin, target_path = _redirect(asked, response.headers.get("Location", ""))
        return Answer(
            where=self.where(path),
            status=response.status_code,
            content_type=response.headers.get("Content-Type", ""),
            body=received,
            whole=len(received) <= most,
            redirects_to=origin if origin != self._url else "",
            redirect_path=target_path,
            date=response.headers.get("Date", ""),
        )


def _redirect(asked: str, location: str) -> tuple[str, str]:
    """Scheme, host and port of a redirect's target, and its path; "" where it has none."""
    try:
        target = urlsplit(urljoin(asked, location))
        host, port = target.hostname or "", target.port
    except ValueError:
        return "", ""
    if target.scheme not in ("http", "https") or not _HOST.fullmatch(host):
        return "", ""
    host = f"[{host}]" if ":" in host else host
    return f"{target.scheme}://{host}" + (f":{port}" if port else ""), target.path
