"""An embedded OpenSPP within the test process, and a client that sees the bytes of its answers."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openspp_ftpd.sandbox import body
from openspp_ftpd.sandbox.assembly import Design, site_of
from openspp_ftpd.sandbox.databases import Databases, Setup
from openspp_ftpd.sandbox.documents import Documents
from openspp_ftpd.sandbox.faults import Faults
from openspp_ftpd.sandbox.own_api import MOST_19
from openspp_ftpd.sandbox.scanner_interface import Rules
from openspp_ftpd.sandbox.server import SandboxServer
from openspp_ftpd.sandbox.users import User

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
OK = "<Response 7 bytes [200 OK]>"
SECONDS = 20.0  # no test waits longer for an answer


@dataclass(frozen=True)
class Answer:
    """An answer as it was on the wire: its head without the last empty line, and its body."""

    head: str
    body: bytes

    @property
    def status(self) -> int:
        return int(self.head.split(" ")[1])

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def result(self) -> str:
        return str(self.json["result"])

    @property
    def error(self) -> tuple[str, str]:
        data = self.json["error"]["data"]
        return data["name"], data["message"]

    def header(self, name: str) -> str:
        for line in self.head.split("\r\n")[1:]:
            given, _, value = line.partition(": ")
            if given.lower() == name.lower():
                return value
        return ""


@dataclass(frozen=True)
class OpenSPP:
    """A running embedded OpenSPP."""

    server: SandboxServer
    documents: Documents
    databases: Databases | None = None

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)

    def exchange(self, request: bytes) -> bytes:
        """Send bytes and return all that comes until the server closes."""
        with self.connect() as connection:
            connection.sendall(request)
            return read_to_end(connection)

    def ask(self, method: str, target: str, data: bytes | None = None, **headers: str) -> Answer:
        """Send a request; a header's name is written with _ for -."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if data is not None:
            lines.append(f"Content-Length: {len(data)}")
        return split(self.exchange("\r\n".join([*lines, "", ""]).encode() + (data or b"")))

    def post(self, target: str, value: object, **headers: str) -> Answer:
        """Send a JSON value."""
        headers.setdefault("Content_Type", "application/json")
        return self.ask("POST", target, json.dumps(value).encode(), **headers)

    def login(self, user: str, password: str) -> Answer:
        return self.post("/dms/auth", {"params": {"username": user, "password": password}})

    def upload(
        self,
        filename: object,
        content: bytes = PDF,
        user: str = "alice",
        context: object = None,
        **headers: str,
    ) -> Answer:
        """Upload a document of a recorded user, whose password is scan-NAME."""
        params = {
            "username": user,
            "password": f"scan-{user}",
            "filename": filename,
            "file": base64.b64encode(content).decode(),
        }
        if context is not None:
            params["context"] = context
        return self.post("/dms/upload", {"id": 1, "params": params}, **headers)

    def stored(self) -> list[tuple[str, str]]:
        """Return (user, filename) of every stored document."""
        return [(document.user, document.filename) for document in self.documents.all()]


def read_to_end(connection: socket.socket) -> bytes:
    received = bytearray()
    while piece := connection.recv(65536):
        received += piece
    return bytes(received)


def split(received: bytes) -> Answer:
    head, separator, rest = received.partition(b"\r\n\r\n")
    assert separator, f"no answer but {received!r}"
    return Answer(head.decode("latin-1"), rest)


@contextlib.contextmanager
def openspp(
    *,
    users: tuple[User, ...] = (),
    recorded: bool = True,
    rules: Rules | None = None,
    folder: Path | None = None,
    record: Path | None = None,
    interface: str = "scanner",
    databases: tuple[str, ...] = (),
    setup: Setup | None = None,
    key: str = "",
    small: int = body.SMALL,
    most: int = MOST_19,
    faults: Faults | None = None,
    keep_alive: float = 0.0,
    socket_timeout: float = 0.0,
) -> Iterator[OpenSPP]:
    """Run an embedded OpenSPP."""
    documents = Documents(folder, record)
    design = Design(
        interface,
        users,
        recorded,
        rules or Rules(),
        setup or Setup(databases),
        key,
        small,
        most,
    )
    site = site_of(design, documents, faults or Faults(0, 0, None), kept=folder is not None)
    server = SandboxServer(
        ("127.0.0.1", 0),
        socket.AF_INET,
        site,
        keep_alive=keep_alive,
        socket_timeout=socket_timeout,
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield OpenSPP(server, documents, site.databases)
    finally:
        server.shutdown()
        server.stop()
        thread.join()
        documents.close()
