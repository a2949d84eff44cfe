"""227 tells each network its address, and a name server never stops the loop."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from openspp_ftpd.ftp.public_address import PublicAddresses
from openspp_ftpd.settings import PublicAddress

LOCAL = "192.0.2.1"


def test_without_configuration_the_address_that_the_scanner_connected_to_is_told() -> None:
    assert PublicAddresses([]).told_to("10.1.2.3", LOCAL) == LOCAL


def test_the_first_entry_whose_network_holds_the_client_counts() -> None:
    addresses = PublicAddresses(
        [
            PublicAddress("10.0.0.5", ipaddress.ip_network("10.0.0.0/8")),
            PublicAddress("203.0.113.7"),
        ]
    )
    assert addresses.told_to("10.1.2.3", LOCAL) == "10.0.0.5"
    assert addresses.told_to("198.51.100.9", LOCAL) == "203.0.113.7"
    assert addresses.told_to("fe80::1%eth0", LOCAL) == "203.0.113.7"


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A name server that answers only once the event is set."""
    answer = threading.Event()

    def getaddrinfo(host: str, *rest: object) -> list[tuple[object, ...]]:
        answer.wait(10)
        if host == "unknown.example.org":
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("203.0.113.9", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield answer
    answer.set()


def test_a_name_is_looked_up_off_the_loop(lookups: threading.Event) -> None:
    began = time.monotonic()
    addresses = PublicAddresses([PublicAddress("scans.example.org")])
    assert addresses.told_to("10.1.2.3", LOCAL) == LOCAL
    assert time.monotonic() - began < 5
    lookups.set()
    until(lambda: addresses.told_to("10.1.2.3", LOCAL) == "203.0.113.9")
    addresses.close()


def test_a_name_that_is_not_known_is_named_and_the_local_address_told(
    lookups: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    lookups.set()
    addresses = PublicAddresses([PublicAddress("unknown.example.org")])
    until(lambda: "unknown.example.org cannot be resolved" in caplog.text)
    assert addresses.told_to("10.1.2.3", LOCAL) == LOCAL
    addresses.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
