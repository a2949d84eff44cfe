"""What the slow tests share."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.acceptance.grounds import Ground, one_daemon
from tests.acceptance.interfaces import ODOO, SCANNER, answering, configured
from tests.acceptance.openspp_doubles import DoubledGateway, OpenSPPDouble
from tests.acceptance.promises import ANSWER_WITHIN, OPTIONS, Gateway, gateway_of
from tests.acceptance.running import Daemon, EmbeddedOpenSPP, free_ports, make_certificate
from tests.acceptance.tables import Ahead


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def api(request: pytest.FixtureRequest) -> str:
    """OpenSPP's interface, for the fixtures here: the scanner's, but in tests for `every_api`."""
    return str(getattr(request, "param", SCANNER))


@pytest.fixture(scope="module")
def running_gateway(api: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """What `gateway` is, without its check."""
    with gateway_of(tmp_path_factory.mktemp("gateway"), OPTIONS, api=api) as gateway:
        yield gateway


@pytest.fixture
def gateway(running_gateway: Gateway) -> Iterator[Gateway]:
    """A daemon before the embedded OpenSPP, whose faults stand in the names of the files."""
    yield running_gateway
    running_gateway.check()


@pytest.fixture(scope="module", params=ODOO)
def running_odoo_gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Gateway]]:
    """What `odoo_gateway` is, without its check."""
    api = str(request.param)
    with gateway_of(tmp_path_factory.mktemp(api), OPTIONS, api=api) as gateway:
        yield api, gateway


@pytest.fixture
def odoo_gateway(running_odoo_gateway: tuple[str, Gateway]) -> Iterator[tuple[str, Gateway]]:
    """A daemon with `api = odoo` before the embedded OpenSPP 17, then OpenSPP 2; and which."""
    yield running_odoo_gateway
    running_odoo_gateway[1].check()


@pytest.fixture(scope="module")
def doubled_for(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], DoubledGateway]]:
    """Start what `doubled` is with an interface, each once."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def start(api: str) -> DoubledGateway:
            folder = tmp_path_factory.mktemp("doubled")
            openspp = stack.enter_context(EmbeddedOpenSPP(folder, *answering(api, folder)))
            double = stack.enter_context(OpenSPPDouble(openspp.port))
            daemon = stack.enter_context(Daemon(folder, double.url, configured(api, OPTIONS)))
            return DoubledGateway(daemon, openspp, api, double)

        yield start


@pytest.fixture
def doubled(
    api: str, doubled_for: Callable[[str], DoubledGateway]
) -> Iterator[tuple[Gateway, OpenSPPDouble]]:
    """A daemon, an embedded OpenSPP, and a double in between, which plays what a test wrote."""
    gateway = doubled_for(api)
    yield gateway, gateway.double
    gateway.check()


@pytest.fixture(scope="class")
def played_by_doubles(
    request: pytest.FixtureRequest, doubled_for: Callable[[str], DoubledGateway]
) -> Iterator[Ahead[DoubledGateway]]:
    """The rows of a class of tests, played by doubles before daemons with every interface."""
    ahead = Ahead(request, doubled_for)
    yield ahead
    ahead.close()


@pytest.fixture(scope="module")
def gateway_for(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str, float], Gateway]]:
    """Start what `gateway` is with an interface and an answer_within, each once."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def start(api: str, answer_within: float) -> Gateway:
            within = {"answer_within": f"{answer_within:g}s"}
            options = {**OPTIONS, "openspp": {**OPTIONS["openspp"], **within}}
            folder = tmp_path_factory.mktemp("gateway")
            return stack.enter_context(gateway_of(folder, options, api=api))

        yield start


@pytest.fixture(scope="class")
def played(
    request: pytest.FixtureRequest, gateway_for: Callable[[str, float], Gateway]
) -> Iterator[Ahead[Gateway]]:
    """The rows of a class of tests, played before an OpenSPP of every interface.

    The class may have an `answer_within` of its own.
    """
    within = getattr(request.cls, "answer_within", ANSWER_WITHIN)
    ahead = Ahead(request, lambda api: gateway_for(api, within))
    yield ahead
    ahead.close()


@pytest.fixture(scope="module")
def start_tls_gateway(
    tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]
) -> Iterator[Callable[[str, str], Gateway]]:
    """Start a daemon with an option of its own ("tls close_notify require") and an interface, each
    once."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def start(option: str, api: str) -> Gateway:
            impatient = {"data_idle": "3s"}
            options = {**OPTIONS, "limits": {**OPTIONS["limits"], **impatient}}
            if option:
                section, name, value = option.split()
                options[section] = {**options.get(section, {}), name: value}
            directory = tmp_path_factory.mktemp("gateway")
            gateway = gateway_of(directory, options, api=api, certificate=certificate)
            return stack.enter_context(gateway)

        yield start


@pytest.fixture
def tls_gateway(
    api: str, start_tls_gateway: Callable[[str, str], Gateway], request: pytest.FixtureRequest
) -> Iterator[Gateway]:
    """A daemon with TLS and little patience, and with the option that a row names."""
    gateway = start_tls_gateway(getattr(request, "param", ""), api)
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
