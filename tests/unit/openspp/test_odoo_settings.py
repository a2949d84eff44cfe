"""`[openspp] api = odoo` and what goes with it, as it is configured."""

from __future__ import annotations

import pytest

from openspp_ftpd.config.loading import understand
from openspp_ftpd.openspp import api_for
from openspp_ftpd.openspp.odoo import OdooApi
from openspp_ftpd.openspp.scanner import ScannerApi
from openspp_ftpd.settings import OpenSPPSettings

URL = "[openspp]\nurl = http://127.0.0.1:8069\n"


def mistakes(text: str) -> list[tuple[int, str]]:
    return list(understand(URL + text).mistakes)


def settings(text: str) -> OpenSPPSettings:
    assert mistakes(text) == []
    return understand(URL + text).settings.openspp


def test_the_scanner_interface_is_what_nothing_says() -> None:
    assert settings("").api == "scanner"
    assert isinstance(api_for(settings("")), ScannerApi)


def test_odoo_with_all_it_needs() -> None:
    found = settings("api = odoo\ndatabase = spp17\ndirectory = Scans/ {user}\n")
    assert (found.api, found.database) == ("odoo", "spp17")
    assert (found.directory, found.make_directories) == ("Scans / {user}", "no")
    assert isinstance(api_for(found), OdooApi)


@pytest.mark.parametrize(
    ("text", "line", "option"),
    [
        ("api = odoo\ndirectory = 2\n", 1, "database"),
        ("api = odoo\ndatabase = spp17\n", 1, "directory"),
        ("api = odoo\ndatabase = spp17\ndirectory =\n", 5, "directory"),
    ],
)
def test_what_is_missing_is_named_with_what_to_write(text: str, line: int, option: str) -> None:
    ((found, said),) = mistakes(text)
    assert said.startswith(f"[openspp] {option}: is needed with api = odoo; write ")
    assert found == line


@pytest.mark.parametrize("value", ["2", "Scans", "Scans / {user}", "A/B/{user}/C", "/Scans/{user}"])
def test_a_directory(value: str) -> None:
    assert settings(f"api = odoo\ndatabase = a\ndirectory = {value}\n").directory


@pytest.mark.parametrize("value", ["0", "Scans // x", "Scans / {login}", "{user", "/", "x" * 501])
def test_no_directory(value: str) -> None:
    (mistake,) = mistakes(f"api = odoo\ndatabase = a\ndirectory = {value}\n")[:1]
    assert "[openspp] directory" in mistake[1]


def test_other_words() -> None:
    assert len(mistakes("api = odo\n")) == 1
    assert len(mistakes("make_directories = maybe\n")) == 1
