"""The session that all requests to one OpenSPP share, by its cookies.

Without it OpenSPP makes a file for each request (WIRE.md section 0). Cookies are read where an
answer brings others than the one before, and written out once for each path: both cost as much as
the rest of a request.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from requests import PreparedRequest, Response
from requests.cookies import RequestsCookieJar, extract_cookies_to_jar

_extract: Final[Callable[[RequestsCookieJar, PreparedRequest, Any], None]] = extract_cookies_to_jar


class Session:
    """Safe in every thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cookies = RequestsCookieJar()
        self._received: list[str] = []
        self._written: dict[str, str] = {}  # by URL

    def forget(self) -> None:
        """The next request starts a new session."""
        with self._lock:
            self._cookies.clear()
            self._received = []
            self._written.clear()

    def begun(self) -> bool:
        """Whether OpenSPP gave a session."""
        with self._lock:
            return any(cookie.name == "session_id" for cookie in self._cookies)

    def name_itself(self, request: PreparedRequest) -> None:
        """Set the request's cookies, where there are any."""
        url = request.url or ""
        with self._lock:
            written = self._written.get(url)
            if written is None:
                request.prepare_cookies(self._cookies)
                self._written[url] = request.headers.get("Cookie", "")
            elif written:
                request.headers["Cookie"] = written

    def keep(self, response: Response) -> None:
        """Keep the answer's cookies.

        Not an error's: with several databases they belong to a session without one.
        """
        if response.status_code >= 400:
            return
        received = response.raw.headers.getlist("Set-Cookie")
        with self._lock:
            if received and received != self._received:
                self._received = received
                _extract(self._cookies, response.request, response.raw)
                self._written.clear()
