"""What the slow tests share."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.acceptance.grounds import Ground, one_daemon
from tests.acceptance.openspp_doubles import OpenSPPDouble
from tests.acceptance.own_api import APIS, odoo_gateway_of
from tests.acceptance.promises import OPTIONS, Gateway, gateway_of
from tests.acceptance.running import Daemon, EmbeddedOpenSPP, free_ports, make_certificate


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


@pytest.fixture(scope="module", params=APIS)
def running_odoo_gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Gateway]]:
    """What `odoo_gateway` is, without its check."""
    api = str(request.param)
    with odoo_gateway_of(tmp_path_factory.mktemp(api), api) as gateway:
        yield api, gateway


@pytest.fixture
def odoo_gateway(running_odoo_gateway: tuple[str, Gateway]) -> Iterator[tuple[str, Gateway]]:
    """A daemon with `api = odoo` before the embedded OpenSPP 17, then OpenSPP 2; and which."""
    yield running_odoo_gateway
    running_odoo_gateway[1].check()


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


@pytest.fixture(scope="module")
def start_tls_gateway(
    tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]
) -> Iterator[Callable[[str], Gateway]]:
    """Start a daemon with an option of its own ("tls close_notify require"), each once."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def start(option: str) -> Gateway:
            impatient = {"data_idle": "3s", "handshake_within": "2s"}
            options = {**OPTIONS, "limits": {**OPTIONS["limits"], **impatient}}
            if option:
                section, name, value = option.split()
                options[section] = {**options.get(section, {}), name: value}
            directory = tmp_path_factory.mktemp("gateway")
            return stack.enter_context(gateway_of(directory, options, certificate=certificate))

        yield start


@pytest.fixture
def tls_gateway(
    start_tls_gateway: Callable[[str], Gateway], request: pytest.FixtureRequest
) -> Iterator[Gateway]:
    """A daemon with TLS and little patience, and with the option that a row names."""
    gateway = start_tls_gateway(getattr(request, "param", ""))
    yield gateway
    gateway.check()


SWITCHED = {
    "openspp": {"answer_within": "2s"},
    "ftp": {"public_address": "127.0.0.9/32=127.0.0.2"},
    "uploads": {"empty_files": "ignore"},
    "limits": {"sessions_per_address": "4", "command_idle": "1.5s", "data_idle": "3s"},
    "scanners": {
        "code_page": "cp932",
        "side_files": "*.xst, *.dat, *.lck, job?.xml",
        "epsv_eprt": "off",
        "feat": "short",
    },
}
"""A daemon that was set up for old devices, its limits as short as a test can wait."""


@pytest.fixture(scope="session")
def installed_grounds(
    tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]
) -> Iterator[Iterator[Ground]]:
    """A daemon as it is installed."""
    with one_daemon(tmp_path_factory.mktemp("installed"), certificate) as made:
        yield made


@pytest.fixture
def ground(installed_grounds: Iterator[Ground]) -> Ground:
    """A daemon as it is installed, and a user of his own."""
    return next(installed_grounds)


@pytest.fixture(scope="session")
def switched_grounds(
    tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]
) -> Iterator[Iterator[Ground]]:
    """A daemon that was set up for old devices."""
    with one_daemon(tmp_path_factory.mktemp("switched"), certificate, SWITCHED) as made:
        yield made


@pytest.fixture
def switched(switched_grounds: Iterator[Ground]) -> Ground:
    """A daemon that was set up for old devices, and a user of his own."""
    return next(switched_grounds)


@pytest.fixture(scope="session")
def without_tls_grounds(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Iterator[Ground]]:
    """A daemon without TLS and EPSV, on two addresses more, before devices that write GBK."""
    second, third = free_ports(2)
    hosts = f"[::1]:{second}, 127.0.0.2:{third}, 127.0.0.1"
    options = {"scanners": {"code_page": "gbk", "epsv_eprt": "off"}}
    folder = tmp_path_factory.mktemp("without-tls")
    with one_daemon(folder, None, options, hosts) as made:
        ports = {"::1": second, "127.0.0.2": third}
        yield (replace(ground, other_ports=ports) for ground in made)


@pytest.fixture
def without_tls(without_tls_grounds: Iterator[Ground]) -> Ground:
    """A daemon without TLS and EPSV, and a user of his own."""
    return next(without_tls_grounds)
