"""Machines with the package, for each release. Whether there can be any is decided here alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.interfaces import SCANNER
from tests.acceptance.openspp_doubles import DoubledGateway, OpenSPPDouble
from tests.acceptance.promises import ANSWER_WITHIN, Gateway
from tests.acceptance.tables import InTurn
from tests.container.gateways import gateway_on
from tests.container.installed import CONFIGURATION, Installed, install, installed_on, set_up
from tests.container.packages import Repositories, repositories_in
from tests.container.ready import NotHere, fresh_root
from tests.container.roots import RELEASES
from tests.faults.playing import ALL_CASES, IN_TURNS

_MACHINE = pytest.StashKey[Installed]()
_SINCE = pytest.StashKey[str]()

Booted = AbstractContextManager[Installed]
Booting = Callable[[Path | None], Booted]


@dataclass(frozen=True, slots=True)
class Installation:
    """What apt said at the installation, and two layers to boot machines from (Machine.halt)."""

    said: str
    installed: Path
    configured: Path


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Options of these tests, and those of faults under load."""
    pluginmanager.import_plugin("tests.faults.report")
    parser.addoption(
        "--repositories", metavar="FOLDER", help="share the packages with another run at this time"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the tables that run with every interface of OpenSPP only the scanner's rows run here."""
    chosen: list[pytest.Item] = []
    other: list[pytest.Item] = []
    for item in items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        (chosen if parameters.get("api", SCANNER) == SCANNER else other).append(item)
    config.hook.pytest_deselected(items=other)
    items[:] = chosen


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The cases of test_faults.py; from here, for so a test's name begins with the release."""
    if "scenario" in metafunc.fixturenames:
        cases = ALL_CASES if metafunc.config.getoption("--strikes") > 1 else IN_TURNS
        metafunc.parametrize(("scenario", "workers"), cases)


@pytest.fixture(scope="session", params=RELEASES)
def root(request: pytest.FixtureRequest) -> Path:
    """A fresh Debian that has booted here once, without anything of ours on it."""
    try:
        return fresh_root(request.param)
    except NotHere as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def repositories(
    root: Path, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Repositories:
    """The package in this and in a next version, each in a signed repository."""
    shared = pytestconfig.getoption("--repositories")
    return repositories_in(Path(shared) if shared else tmp_path_factory.mktemp("repositories"))


@pytest.fixture(scope="session")
def booting(root: Path, repositories: Repositories) -> Booting:
    """Boot a machine with the repositories at hand, from what another one wrote or a fresh one."""
    return partial(installed_on, root, repositories)


@pytest.fixture(scope="session")
def installation(
    root: Path, repositories: Repositories, tmp_path_factory: pytest.TempPathFactory
) -> Installation:
    """What a machine has on its disk after `apt install openspp-ftpd`, and what apt said.

    And what it has when url was set too, and an embedded OpenSPP runs on it.
    """
    folder = tmp_path_factory.mktemp("installation")
    installed, configured = folder / "installed.tar", folder / "configured.tar"
    said = install(root, repositories, installed)
    set_up(root, repositories, installed, configured)
    return Installation(said, installed, configured)


@pytest.fixture
def bare(booting: Booting, request: pytest.FixtureRequest) -> Iterator[Installed]:
    """A machine before the installation; only the repository is known to it."""
    with booting(None) as machine:
        request.node.stash[_MACHINE] = machine
        machine.add_repository()
        yield machine


@pytest.fixture
def fresh(
    booting: Booting, installation: Installation, request: pytest.FixtureRequest
) -> Iterator[Installed]:
    """A machine after the installation and a boot; nothing is configured yet."""
    with booting(installation.installed) as machine:
        request.node.stash[_MACHINE] = machine
        yield machine


@pytest.fixture(scope="session")
def pristine(booting: Booting, installation: Installation) -> Iterator[Installed]:
    """What `untouched` is."""
    with booting(installation.installed) as machine:
        yield machine


@pytest.fixture
def untouched(pristine: Installed, request: pytest.FixtureRequest) -> Installed:
    """The same for all tests that look and change nothing."""
    request.node.stash[_MACHINE] = pristine
    return pristine


@pytest.fixture
def machine(
    booting: Booting, installation: Installation, request: pytest.FixtureRequest
) -> Iterator[Installed]:
    """A machine with the daemon running and an embedded OpenSPP behind it."""
    with booting(installation.configured) as machine:
        request.node.stash[_MACHINE] = machine
        machine.wait_for_openspp()
        yield machine


@pytest.fixture(scope="session")
def lasting(booting: Booting, installation: Installation) -> Iterator[Installed]:
    """What `running` is."""
    with booting(installation.configured) as machine:
        machine.wait_for_openspp()
        yield machine


@pytest.fixture
def running(lasting: Installed, request: pytest.FixtureRequest) -> Installed:
    """The same for all tests that look and send scans, and change nothing else."""
    request.node.stash[_MACHINE] = lasting
    return lasting


@pytest.fixture(scope="session")
def spare(booting: Booting, installation: Installation) -> Iterator[Installed]:
    """What `broken` is; in the end, with a good configuration, it serves again."""
    with booting(installation.configured) as machine:
        machine.wait_for_openspp()
        yield machine
        machine.systemctl("restart")
        machine.serves()


@pytest.fixture
def broken(spare: Installed, request: pytest.FixtureRequest) -> Iterator[Installed]:
    """A running daemon for all tests that spoil the configuration, which is mended afterwards."""
    request.node.stash[_MACHINE] = spare
    good = spare.read(CONFIGURATION)
    yield spare
    spare.write(CONFIGURATION, good)
    spare.sh(f"chown root:openspp-ftpd {CONFIGURATION}; chmod 640 {CONFIGURATION}")


@pytest.fixture
def api(request: pytest.FixtureRequest) -> str:
    """The interface of the embedded OpenSPP: rows with another are not chosen here."""
    return str(getattr(request, "param", SCANNER))


@pytest.fixture(scope="module")
def table_machine(booting: Booting, installation: Installation) -> Iterator[Installed]:
    """A machine for the table of uploads that fail."""
    with booting(installation.configured) as machine:
        machine.wait_for_openspp()
        yield machine


@pytest.fixture(scope="module")
def running_gateway(table_machine: Installed, tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    """What `gateway` is."""
    return gateway_on(table_machine, table_machine.url, tmp_path_factory.mktemp("gateway"))


@pytest.fixture
def gateway(
    running_gateway: Gateway, table_machine: Installed, request: pytest.FixtureRequest
) -> Iterator[Gateway]:
    """The installed daemon before the embedded OpenSPP, whose faults stand in names of files.

    The class of a test may have an `answer_within` of its own.
    """
    request.node.stash[_MACHINE] = table_machine
    within = getattr(request.cls, "answer_within", ANSWER_WITHIN)
    _set_up(table_machine, answer_within=f"{within:g}s")
    with table_machine.network():
        yield running_gateway
        running_gateway.check()


@pytest.fixture
def played(gateway: Gateway, request: pytest.FixtureRequest) -> InTurn:
    """The row of a test, before the installed daemon."""
    return InTurn(request.cls.play, gateway)


def _set_up(machine: Installed, **options: str) -> None:
    """Set options, and restart the daemon where that changes any."""
    before = machine.read(CONFIGURATION)
    machine.configure(**options)
    if machine.read(CONFIGURATION) != before:
        machine.systemctl("restart")


@pytest.fixture
def tls_gateway(
    api: str, running_gateway: Gateway, table_machine: Installed, request: pytest.FixtureRequest
) -> Iterator[Gateway]:
    """The same with little patience, and with the option that a row names."""
    request.node.stash[_MACHINE] = table_machine
    options = {"close_notify": "log", "check_content": "doubtful", "data_idle": "3s"}
    if option := getattr(request, "param", ""):
        _, name, options[name] = option.split()
    _set_up(table_machine, **options)
    with table_machine.network():
        yield running_gateway
        running_gateway.check()


@pytest.fixture(scope="module")
def running_double(
    booting: Booting,
    installation: Installation,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[DoubledGateway, Installed]]:
    """What `doubled` is."""
    with contextlib.ExitStack() as stack:
        machine = stack.enter_context(booting(installation.configured))
        machine.wait_for_openspp()
        with machine.network():
            double = stack.enter_context(OpenSPPDouble(8069))
        made = gateway_on(machine, double.url, tmp_path_factory.mktemp("doubled"))
        yield DoubledGateway(made.daemon, made.openspp, made.api, double), machine


@pytest.fixture
def doubled(
    api: str,
    running_double: tuple[DoubledGateway, Installed],
    request: pytest.FixtureRequest,
) -> Iterator[tuple[Gateway, OpenSPPDouble]]:
    """The same with a double in between, which plays what a test wrote."""
    gateway, machine = running_double
    request.node.stash[_MACHINE] = machine
    with machine.network():
        yield gateway, gateway.double
        gateway.check()


@pytest.fixture
def played_by_doubles(
    doubled: tuple[Gateway, OpenSPPDouble], request: pytest.FixtureRequest
) -> InTurn:
    """The row of a test, played by the double."""
    return InTurn(request.cls.play, doubled[0])


@pytest.fixture(scope="module")
def struck_machine(booting: Booting, installation: Installation) -> Iterator[Installed]:
    """A machine for all faults under load."""
    with booting(installation.configured) as machine:
        yield machine


@pytest.fixture
def struck(struck_machine: Installed, request: pytest.FixtureRequest) -> Installed:
    """The same machine for each of them, which sets it up anew."""
    request.node.stash[_MACHINE] = struck_machine
    request.node.stash[_SINCE] = f"--after-cursor={struck_machine.journal_s_end()}"
    return struck_machine


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """A test that failed shows the journal of its machine."""
    if call.excinfo is not None and _MACHINE in item.stash:
        since = item.stash.get(_SINCE, "--boot")
        journal = item.stash[_MACHINE].journal(since, "--unit=openspp-*", "--unit=embedded")
        item.add_report_section(call.when, "journal", journal)
