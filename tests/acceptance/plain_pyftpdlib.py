"""pyftpdlib as it comes: its own FTP server stores what alice sends into a folder.

Arguments: port and folder, then options. Nothing of ours is in it but a word to the log when one of
the library's callbacks is called.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
from pyftpdlib.servers import FTPServer


def serve(options: argparse.Namespace) -> None:
    """Serve until a signal ends it."""

    def received(session: Any, file: str) -> None:
        time.sleep(options.callback_seconds)
        print("on_file_received", file)

    def incomplete(session: Any, file: str) -> None:
        print("on_incomplete_file_received", file)

    def logged_in(session: Any, user: str) -> None:
        kept = session.password == "scan-alice"
        print("on_login", user, "whose password is kept" if kept else "")

    handler = TLS_FTPHandler if options.certificate else FTPHandler
    if options.certificate:
        handler.certfile, handler.keyfile = options.certificate, options.key
    handler.passive_ports = range(options.passive_ports[0], options.passive_ports[1] + 1)
    handler.on_file_received = received
    handler.on_incomplete_file_received = incomplete
    handler.on_login = logged_in
    handler.authorizer = DummyAuthorizer()
    handler.authorizer.add_user("alice", "scan-alice", options.folder, perm="elradfmwMT")
    server = FTPServer(("127.0.0.1", options.port), handler)
    server.max_cons = options.connections
    server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("folder")
    parser.add_argument("--passive-ports", type=int, nargs=2)
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--callback-seconds", type=float, default=0.0)
    parser.add_argument("--connections", type=int, default=512)
    serve(parser.parse_args())
