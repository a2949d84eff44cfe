"""The demonstration finds out about ports and addresses, and says what is wrong with one."""

import os
import socket
from collections.abc import Iterator

import pytest

from openspp_ftpd.demo import ground
from openspp_ftpd.demo.processes import DemoError
from openspp_ftpd.settings import Address


@pytest.fixture
def taken() -> Iterator[Address]:
    """An address that this process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield Address("127.0.0.1", listening.getsockname()[1])


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:2121", Address("127.0.0.1", 2121)),
        ("localhost:2121", Address("127.0.0.1", 2121)),
        ("[::1]:2121", Address("::1", 2121)),
        ("0.0.0.0:65535", Address("0.0.0.0", 65535)),
    ],
)
def test_an_address_is_understood(text: str, address: Address) -> None:
    assert ground.address_of(text) == address


@pytest.mark.parametrize(
    "text", ["", "127.0.0.1", ":2121", "2121", "127.0.0.1:0", "127.0.0.1:65536", "printer:21"]
)
def test_what_is_no_address_is_told_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.1"):
        ground.address_of(text)


def test_a_taken_port_is_named_with_who_has_it_and_what_to_do(taken: Address) -> None:
    with pytest.raises(DemoError) as told:
        ground.demand_free(taken, "Take another.")
    first, advice = str(told.value).splitlines()
    assert first.startswith(f"Port {taken.port} is taken: ")
    assert advice == "Take another."


def test_who_has_a_port_is_named_as_far_as_it_can_be_known(taken: Address) -> None:
    with pytest.raises(DemoError, match=f"process {os.getpid()}"):
        ground.demand_free(taken, "")


def test_where_it_is_hidden_a_guess_is_made(
    taken: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ground, "holders", lambda port: [])
    with pytest.raises(DemoError, match="another demo"):
        ground.demand_free(taken, "")


def test_an_address_that_the_machine_does_not_have_is_named() -> None:
    with pytest.raises(DemoError, match=r"no address 192\.0\.2\.77; 0\.0\.0\.0 means all"):
        ground.demand_free(Address("192.0.2.77", 2121), "")


def test_a_range_with_a_taken_port_is_passed_over(taken: Address) -> None:
    wanted = range(taken.port - 1, taken.port + 1)
    found = ground.free_range("127.0.0.1", wanted, avoided=0)
    assert len(found) == len(wanted)
    assert taken.port not in found


def test_a_range_with_the_control_port_is_passed_over() -> None:
    found = ground.free_range("127.0.0.1", range(61000, 61006), avoided=61003)
    assert 61003 not in found


@pytest.mark.parametrize(
    ("host", "reached"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("127.0.0.1", "127.0.0.1"), ("10.1.2.3", "10.1.2.3")],
)
def test_the_machine_reaches_itself(host: str, reached: str) -> None:
    assert ground.reached_by(host) == reached


def test_a_scanner_is_told_the_address_that_is_listened_on() -> None:
    assert ground.seen_from_outside("10.1.2.3") == "10.1.2.3"
    assert ground.seen_from_outside("0.0.0.0") != "0.0.0.0"


def test_loopback_is_told_from_the_network() -> None:
    assert [ground.is_loopback(host) for host in ("127.0.0.1", "::1", "0.0.0.0", "10.1.2.3")] == [
        True,
        True,
        False,
        False,
    ]
