"""`check` and `try` with `api = odoo`: which OpenSPP answers, which api fits, what to change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.acceptance.grounds import Ground, running
from tests.acceptance.interfaces import EVERY, ODOO, SCANNER, answering, configured
from tests.acceptance.promises import row
from tests.acceptance.running import Daemon, EmbeddedOpenSPP
from tests.acceptance.test_check_and_try import SECRET, command

WRONG_KEY: Final = "530 Wrong OpenSPP user or scanner password."
MAY_NOT: Final = "530 This user may not store documents in OpenSPP."
NO_DIRECTORY: Final = "550 OpenSPP has no directory for this user."
PATIENT: Final = {"limits": {"failed_logins": "1000"}}


def about_openspp(daemon: Daemon) -> dict[str, Any]:
    """What `check --json` found about OpenSPP."""
    done = command("check", "--json", "--config", str(daemon.configuration))
    assert done.stderr == ""
    findings = json.loads(done.stdout)["findings"]
    (found,) = (finding for finding in findings if finding["about"] == "OpenSPP")
    return dict(found)


class TestCheck:
    """`server` is the OpenSPP that answers, `api` the one that is configured for."""

    @pytest.mark.parametrize(
        ("server", "api", "says", "mend"),
        [
            (SCANNER, SCANNER, "takes scans", ""),
            ("odoo17", "odoo17", "Odoo 17.0, takes scans", ""),
            ("odoo19", "odoo19", "Odoo 19.0, takes scans", ""),
            (
                SCANNER,
                "odoo17",
                "the scanner interface of OpenSPP 15",
                "write api = scanner in [openspp]",
            ),
            (
                "odoo17",
                SCANNER,
                "is Odoo 17.0, whose OpenSPP has no scanner interface",
                "write api = odoo in [openspp]",
            ),
            (
                "odoo19",
                SCANNER,
                "is Odoo 19.0, whose OpenSPP has no scanner interface",
                "write api = odoo in [openspp]",
            ),
        ],
    )
    def test_the_line_to_change_is_named(
        self, server: str, api: str, says: str, mend: str, tmp_path: Path
    ) -> None:
        with (
            EmbeddedOpenSPP(tmp_path, *answering(server, tmp_path)) as openspp,
            Daemon(tmp_path, openspp.url, configured(api)) as daemon,
        ):
            found = about_openspp(daemon)
            assert says in found["text"]
            assert found["mend"] == mend
            assert found["level"] == ("failed" if mend else "ok")
            assert openspp.record() == []

    @pytest.mark.parametrize("api", ODOO)
    def test_a_database_that_is_not_there_is_found(self, api: str, tmp_path: Path) -> None:
        with running(tmp_path, options={"openspp": {"database": "nosuchdb"}}, api=api) as ground:
            found = about_openspp(ground.daemon)
        assert found["level"] == "failed"
        assert "in [openspp]" in found["mend"]
        assert "database" in found["mend"]

    @pytest.mark.parametrize("api", EVERY)
    def test_openspp_away(self, api: str, tmp_path: Path) -> None:
        with running(tmp_path, api=api) as ground:
            ground.openspp.kill()
            found = about_openspp(ground.daemon)
        assert found["level"] == "failed"
        assert "is OpenSPP running?" in found["mend"]


@pytest.fixture(scope="module", params=ODOO)
def ground(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ground]:
    """With an OpenSPP 17, then an OpenSPP 2."""
    api = str(request.param)
    with running(tmp_path_factory.mktemp(api), options=PATIENT, api=api) as made:
        yield made


class TestTry:
    def trial(self, ground: Ground, user: str, key: str, folder: Path) -> tuple[int, str]:
        """The exit status of `try` with the daemon's configuration, and what it says."""
        file = folder / "key"
        file.write_text(f"{key}\n")
        chosen = ("--config", str(ground.daemon.configuration))
        done = command("try", "--user", user, "--password-file", str(file), *chosen)
        assert done.stderr == ""
        assert key not in done.stdout
        return done.returncode, " ".join(done.stdout.split())

    @pytest.mark.parametrize("api", ODOO)
    def test_a_page_goes_in_by_every_way(
        self, api: str, tmp_path: Path, certificate: tuple[Path, Path]
    ) -> None:
        with running(tmp_path, certificate, api=api) as ground:
            status, said = self.trial(ground, "alice", SECRET, tmp_path)
            assert status == 0
            names = [name for name, _ in ground.recorded()]
            assert len(names) == 3
            for name in names:
                assert f"OpenSPP has it: {name}" in said
            assert said.count("226 Transfer complete. OpenSPP has it.") == 3
            assert ("The API key is valid until" in said) == (api == "odoo19")

    @pytest.mark.parametrize(
        ("user", "key", "reply", "advice"),
        [
            row("a wrong key", "alice", "0123456789abcdef" * 2, WRONG_KEY, "it is an API key"),
            row("another user's key", "frank", "scan-dave", WRONG_KEY, "it is an API key"),
            row("no right to store", "carol", "scan-carol", MAY_NOT, "group DMS / Manager"),
            row("no directory", "dave", "scan-dave", NO_DIRECTORY, "make_directories = yes"),
        ],
    )
    def test_what_openspp_refuses_is_explained(
        self, user: str, key: str, reply: str, advice: str, ground: Ground, tmp_path: Path
    ) -> None:
        status, said = self.trial(ground, user, key, tmp_path)
        assert status == 1
        assert reply in said
        assert advice in said
        assert ground.openspp.record() == []

    @pytest.mark.parametrize("api", ODOO)
    @pytest.mark.parametrize(
        ("options", "reply", "advice"),
        [
            row(
                "no such directory",
                {"directory": "Elsewhere / {user}"},
                NO_DIRECTORY,
                "make_directories = yes",
            ),
            row(
                "no such database",
                {"database": "nosuchdb"},
                "421 OpenSPP is out of order",
                "openspp-ftpd check says more",
            ),
        ],
    )
    def test_what_is_configured_wrong_is_explained(
        self, options: dict[str, str], reply: str, advice: str, api: str, tmp_path: Path
    ) -> None:
        with running(tmp_path, options={"openspp": options}, api=api) as ground:
            status, said = self.trial(ground, "alice", SECRET, tmp_path)
            assert status == 1
            assert reply in said
            assert advice in said
            assert ground.openspp.record() == []
