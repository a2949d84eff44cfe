"""What the slow tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.openspp_doubles import OpenSPPDouble
from tests.acceptance.promises import OPTIONS, Gateway, gateway_of
from tests.acceptance.running import Daemon, EmbeddedOpenSPP, make_certificate


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def running_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """What `gateway` is, without its check."""
    with gateway_of(tmp_path_factory.mktemp("gateway"), OPTIONS) as gateway:
        yield gateway


@pytest.fixture
def gateway(running_gateway: Gateway) -> Iterator[Gateway]:
    """A daemon before the embedded OpenSPP, whose faults stand in the names of the files."""
    yield running_gateway
    running_gateway.check()


@pytest.fixture(scope="module")
def running_double(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Gateway, OpenSPPDouble]]:
    """What `doubled` is, without its check."""
    directory = tmp_path_factory.mktemp("doubled")
    with (
        EmbeddedOpenSPP(directory) as openspp,
        OpenSPPDouble(openspp.port) as double,
        Daemon(directory, double.url, OPTIONS) as daemon,
    ):
        yield Gateway(daemon, openspp), double


@pytest.fixture
def doubled(
    running_double: tuple[Gateway, OpenSPPDouble],
) -> Iterator[tuple[Gateway, OpenSPPDouble]]:
    """The same with a double in between, which plays what a test wrote."""
    yield running_double
    gateway, double = running_double
    double.scripts.clear()
    gateway.check()
