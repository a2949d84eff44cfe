"""[metrics] listen: off by default, loopback recommended, and its library is Debian's."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime

import pytest

from openspp_ftpd.config.loading import understand
from openspp_ftpd.config.world import Finding, check_world
from openspp_ftpd.settings import (
    Address,
    MetricsSettings,
    OpenSPPSettings,
    Settings,
    TlsSettings,
    UploadSettings,
)

URL = "[openspp]\nurl = https://dms.gov.iq\n"


def findings(*listen: str) -> list[Finding]:
    """What is found of metrics on these hosts."""
    settings = Settings(
        OpenSPPSettings("https://dms.gov.iq"),
        tls=TlsSettings("off"),
        uploads=UploadSettings("/dev/shm"),
        metrics=MetricsSettings(tuple(Address(host, 9464) for host in listen)),
    )
    found = check_world(settings, datetime.now(UTC))
    return [finding for finding in found if finding.section == "metrics"]


def test_they_are_off_by_default() -> None:
    assert understand(URL).settings.metrics.listen == ()


def test_several_addresses_may_be_given() -> None:
    understood = understand(f"{URL}[metrics]\nlisten = 127.0.0.1:9464, [::1]:9464\n")
    assert understood.mistakes == ()
    listen = understood.settings.metrics.listen
    assert listen == (Address("127.0.0.1", 9464), Address("::1", 9464))


@pytest.mark.parametrize("port", [8002, 3000, 3005])
def test_a_port_for_scanners_is_a_mistake(port: int) -> None:
    understood = understand(f"{URL}[metrics]\nlisten = 127.0.0.1:{port}\n")
    said = f"[metrics] listen: port {port} is one for scanners; write another, 9464 for example"
    assert understood.mistakes == ((4, said),)


def test_loopback_is_fine() -> None:
    assert findings("127.0.0.1", "::1", "127.8.8.8") == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_elsewhere_is_warned_of(host: str) -> None:
    (found,) = findings("127.0.0.1", host)
    assert found.is_warning
    assert str(Address(host, 9464)) in found.text
    assert "firewall" in found.text


def test_without_the_library_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (found,) = findings("127.0.0.1")
    assert not found.is_warning
    assert "apt install python3-prometheus-client" in found.text
    assert findings() == []  # where there are no metrics, nothing is missed
