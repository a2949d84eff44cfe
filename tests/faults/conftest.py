"""What the tests of faults under load share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.running import make_certificate


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """Options, fixtures and table are also those of tests/container."""
    pluginmanager.import_plugin("tests.faults.report")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))
