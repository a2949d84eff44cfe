"""What the tests of devices' quirks do again and again."""

from __future__ import annotations

import socket

from tests.acceptance.documents import pdf
from tests.acceptance.grounds import Ground, expected
from tests.acceptance.scanner import Answer, Scanner, end_properly

SCAN = pdf(20_000, 4711)


def stored(ground: Ground, name: str, content: bytes = SCAN) -> None:
    """This and nothing else is in the user's folder."""
    assert ground.recorded() == expected({name: content})


def stored_by(scanner: Scanner, name: str | bytes, content: bytes = SCAN) -> Answer:
    """A whole upload under a name in any code."""
    data = scanner.passive()
    line = b"STOR " + (name.encode() if isinstance(name, str) else name)
    assert scanner.command(line).code == 150
    data = scanner.secured(data)
    data.sendall(content)
    end_properly(data)
    return scanner.answer()


def active_store(scanner: Scanner, command: str, content: bytes = SCAN) -> Answer:
    """Listen, send `command` with the port in it, STOR, and take the daemon's connection."""
    with socket.create_server((scanner.source, 0)) as listening:
        listening.settimeout(10)
        port = listening.getsockname()[1]
        command = command.replace("PORT2", f"{port >> 8},{port & 255}").replace("PORT1", str(port))
        assert scanner.command(command).code == 200
        assert scanner.command("STOR scan.pdf").code == 150
        with listening.accept()[0] as data:
            data.sendall(content)
        return scanner.answer()


def listed(scanner: Scanner, command: str) -> tuple[list[int], str]:
    """The codes of a listing, and what it shows."""
    data = scanner.passive()
    codes = [scanner.command(command).code]
    with data:
        shown = b"".join(iter(lambda: data.recv(4096), b"")).decode()
    codes.append(scanner.answer().code)
    return codes, shown
