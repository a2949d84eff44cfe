"""A peer: pyftpdlib as it comes, storing into a folder. Arguments: port, folder, certificate with
key or "", password, users.
"""

from __future__ import annotations

import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
from pyftpdlib.servers import FTPServer


def main(port: str, folder: str, certificate: str, password: str, *users: str) -> None:
    """Serve until a signal ends it."""
    handler = TLS_FTPHandler if certificate else FTPHandler
    if certificate:
        handler.certfile = certificate
    handler.authorizer = DummyAuthorizer()
    for user in users:
        handler.authorizer.add_user(user, password, folder, perm="elradfmwMT")
    server = FTPServer(("127.0.0.1", int(port)), handler, backlog=512)
    server.max_cons = 10000
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
