"""A port is free, the daemon's own, or somebody else's, and that one is named."""

import os
import socket
from collections.abc import Iterator

import pytest

from openspp_ftpd.doctor import ports
from openspp_ftpd.doctor.findings import Finding, Level
from openspp_ftpd.doctor.service import Unit
from openspp_ftpd.settings import Address, FtpSettings, PublicAddress

NOT_RUNNING = Unit({})
HOST = "127.0.0.1"


def running(pid: int, **more: str) -> Unit:
    """A unit whose daemon is this process."""
    return Unit({"LoadState": "loaded", "ActiveState": "active", "MainPID": str(pid), **more})


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that this process listens on."""
    with socket.create_server((HOST, 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def free() -> int:
    """A port that nobody listens on."""
    with socket.create_server((HOST, 0)) as listening:
        return int(listening.getsockname()[1])


def settings(port: int, *passive: int) -> FtpSettings:
    """Listening on `port` of this machine alone."""
    return FtpSettings(listen=(Address(HOST, port),), passive_ports=passive)


def check(settings: FtpSettings, unit: Unit) -> list[Finding]:
    """What is found: the listener's, then the passive ports'."""
    return list(ports.check_ports(settings, unit))


def test_a_free_port_is_fine(free: int) -> None:
    listener, passive = check(settings(free, free), NOT_RUNNING)
    assert listener == Finding(f"port {free}", "free")
    assert passive.level is Level.FINE


def test_one_of_another_program_is_named_with_it(free: int, taken: int) -> None:
    for unit in (NOT_RUNNING, running(os.getppid())):
        _, passive = check(settings(free, free, taken), unit)
        assert passive.level is Level.FAILED
        assert f"{HOST}:{taken} is held by " in passive.text
        assert f"process {os.getpid()}" in passive.text


def test_one_of_the_running_daemon_is_fine(taken: int) -> None:
    listener, passive = check(settings(taken, taken), running(os.getpid()))
    assert {listener.level, passive.level} == {Level.FINE}
    assert listener.text == "the running daemon listens"


def test_one_that_systemd_holds_for_it_is_fine(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "holders", lambda port: ["systemd (process 1)"])
    unit = running(os.getpid(), TriggeredBy="openspp-ftpd.socket")
    assert check(settings(taken, taken), unit)[0].level is Level.FINE
    assert check(settings(taken, taken), running(os.getpid()))[0].level is Level.FAILED


def test_a_free_one_of_a_running_daemon_was_not_the_one_it_started_with(free: int) -> None:
    listener, _ = check(settings(free, free), running(os.getpid()))
    assert listener.level is Level.WARNING
    assert "restart" in listener.mend


def test_an_address_that_this_machine_lacks() -> None:
    strange = FtpSettings(listen=(Address("192.0.2.7", 8002),), passive_ports=(3000,))
    listener, _ = check(strange, NOT_RUNNING)
    assert listener.level is Level.FAILED
    assert "192.0.2.7" in listener.text


class TestPublicAddress:
    def check(self, host: str) -> Finding:
        (found,) = ports.check_public_address(FtpSettings(public_address=(PublicAddress(host),)))
        return found

    def test_one_of_this_machine(self) -> None:
        assert "of this machine" in self.check("localhost").text

    def test_one_of_a_router(self) -> None:
        found = self.check("192.0.2.1")
        assert found.level is Level.FINE
        assert "router" in found.text

    def test_one_that_cannot_be_resolved(self) -> None:
        found = self.check("scans.invalid")
        assert found.level is Level.FAILED
        assert "scans.invalid" in found.text
