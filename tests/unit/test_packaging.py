"""What the package says fits the program: dependencies, version, journal catalog, manual pages."""

from __future__ import annotations

import configparser
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import openspp_ftpd
from openspp_ftpd import cli
from openspp_ftpd.config.schema import OPTIONS
from openspp_ftpd.config.shipped_file import PLACEHOLDER
from openspp_ftpd.errors import Failure, Problem, Reply
from openspp_ftpd.events import Event, Journal, Who
from openspp_ftpd.settings import FtpSettings, LogSettings, OpenSPPSettings

ROOT = Path(__file__).resolve().parents[2]
DEBIAN = ROOT / "debian"
SYSTEMD = ROOT / "systemd"
WHO = Who("a1b2c3d4", "192.0.2.7", "clerk with a blank")


def unit(name: str) -> list[tuple[str, str]]:
    """The settings of a unit file, in order."""
    lines = (SYSTEMD / name).read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if not line.startswith(("#", "[")))
    return [(name, value) for name, equals, value in pairs if equals]


def seconds(text: str) -> float:
    """A duration of systemd's with the unit s."""
    found = re.fullmatch(r"(\d+)s", text)
    assert found, text
    return float(found[1])


class TestVersion:
    def test_the_changelog_s_is_the_program_s(self) -> None:
        first = (DEBIAN / "changelog").read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith(f"openspp-ftpd ({openspp_ftpd.__version__}) ")


class TestConfiguration:
    def test_the_postinst_knows_the_placeholder_of_the_shipped_file(self) -> None:
        script = (DEBIAN / "openspp-ftpd.postinst").read_text(encoding="utf-8")
        pattern = re.search(r"grep -qs '(\^url.*\$)'", script)
        assert pattern
        shipped = (ROOT / "etc" / "openspp-ftpd.conf").read_text(encoding="utf-8")
        assert re.findall(pattern[1], shipped, re.MULTILINE) == [f"url = {PLACEHOLDER}"]


class TestUnit:
    def test_a_stop_has_time_for_the_scans_under_way(self) -> None:
        settings = dict(unit("openspp-ftpd.service"))
        needed = FtpSettings().drain_within + OpenSPPSettings("").answer_within
        assert seconds(settings["TimeoutStopSec"]) >= needed + 15

    def test_a_mistake_in_the_configuration_is_not_tried_again(self) -> None:
        settings = dict(unit("openspp-ftpd.service"))
        assert settings["RestartPreventExitStatus"] == str(os.EX_CONFIG)
        assert settings["Restart"] == "on-failure"
        # systemd would not look at the status of what runs before the daemon.
        starts = [value for name, value in unit("openspp-ftpd.service") if name == "ExecStartPre"]
        assert [start[:2] for start in starts] == ["-+"]

    def test_a_reload_checks_before_the_daemon_hears_of_it(self) -> None:
        steps = [value for name, value in unit("openspp-ftpd.service") if name == "ExecReload"]
        assert ["credentials" in steps[0], " check " in steps[1], "-HUP" in steps[2]] == [True] * 3
        assert not any(step.startswith("-") for step in steps)

    def test_start_and_reload_hand_over_the_same_copies(self) -> None:
        settings = unit("openspp-ftpd.service")
        privileged = [
            value.lstrip("-+") for _, value in settings if "openspp_ftpd.credentials" in value
        ]
        assert len(privileged) == 2
        assert len(set(privileged)) == 1
        # Isolated, so that nothing but root's own modules is imported.
        config, directory, user = privileged[0].split()[-3:]
        assert privileged[0].startswith("/usr/bin/python3 -I -m openspp_ftpd.credentials ")
        assert config == cli.CONFIGURATION
        assert f"/usr/bin/openspp-ftpd serve --credentials {directory}" in dict(settings).values()
        assert dict(settings)["User"] == user

    def test_the_private_tmpfs_is_where_the_configuration_looks(self) -> None:
        mount = dict(unit("openspp-ftpd.service"))["TemporaryFileSystem"]
        places = [option for option in OPTIONS if option.section == "uploads"]
        default = next(option.default for option in places if option.name == "directory")
        assert mount.startswith(f"{default}:size=50%,mode=1777,noexec,nosuid,nodev")
        assert (DEBIAN / "openspp-ftpd.dirs").read_text(encoding="utf-8") == f"{default[1:]}\n"

    @pytest.mark.parametrize("example", ["noswap.conf", "larger-spool.conf"])
    def test_an_example_keeps_the_rest_of_the_tmpfs_s_options(self, example: str) -> None:
        shipped = dict(unit("openspp-ftpd.service"))["TemporaryFileSystem"]
        (_, emptied), (_, changed) = unit(f"examples/{example}")
        assert emptied == ""
        rest = set(shipped.split(",")) - {shipped.split(",")[0]}
        assert rest <= set(changed.split(","))
        assert changed.split(":")[0] == shipped.split(":")[0]

    def test_the_socket_listens_where_the_daemon_would(self) -> None:
        default = next(option.default for option in OPTIONS if option.name == "listen")
        sockets = [value for name, value in unit("openspp-ftpd.socket") if name == "ListenStream"]
        assert ", ".join(sockets) == default

    @pytest.mark.parametrize(
        "name", ["openspp-ftpd.service", "openspp-ftpd.socket", "openspp-ftpd-ftps.socket"]
    )
    def test_the_package_installs_it(self, name: str) -> None:
        installed = {
            os.path.normpath(DEBIAN / link.readlink())
            for link in DEBIAN.iterdir()
            if link.is_symlink()
        }
        assert str(SYSTEMD / name) in installed


class TestCatalog:
    def entries(self) -> dict[str, str]:
        """The catalog's texts by MESSAGE_ID."""
        text = (SYSTEMD / "openspp-ftpd.catalog").read_text(encoding="utf-8")
        parts = re.split(r"^-- ([0-9a-f]{32})\n", text, flags=re.MULTILINE)
        assert len(parts[1::2]) == len(set(parts[1::2]))
        return dict(zip(parts[1::2], parts[2::2], strict=True))

    def test_it_explains_every_event_and_no_other(self) -> None:
        assert set(self.entries()) == {event.message_id for event in Event}

    @pytest.mark.parametrize("event", Event, ids=lambda event: event.name)
    def test_an_entry_has_its_header_and_says_what_to_do(self, event: Event) -> None:
        header, _, body = self.entries()[event.message_id].partition("\n\n")
        names = [line.partition(": ")[0] for line in header.splitlines()]
        assert names == ["Subject", "Defined-By", "Documentation"]
        assert len(body.split()) > 8

    def test_it_repeats_only_fields_that_the_event_has(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        write_every_event(logging.getLogger("openspp_ftpd.test"))
        seen = {record.journal_fields["MESSAGE_ID"]: record for record in caplog.records}  # type: ignore[attr-defined]
        for message_id, text in self.entries().items():
            fields = seen[message_id].journal_fields  # type: ignore[attr-defined]
            # systemd takes no digit in a field's name for part of it.
            assert set(re.findall(r"@([^@\s]+)@", text)) <= {n for n in fields if n.isalpha()}


def write_every_event(logger: logging.Logger) -> None:
    """One entry of each kind."""
    logger.setLevel(logging.DEBUG)
    journal = Journal(LogSettings(), logger)
    failure = Failure(Problem.REFUSED, said="Forbidden extension.")
    journal.started(
        "Listening on 0.0.0.0:8002, [::]:8002; TLS optional; passive ports 3000-3005; "
        "scans go to https://openspp.gov.iq."
    )
    journal.reloaded("Configuration reloaded; it holds for new sessions.")
    journal.reload_refused("/etc/openspp-ftpd.conf:3: [openspp] url: is not set")
    journal.stopping(2)
    journal.stopped()
    journal.worker_ended("Worker 1 (process 7)", "was killed by signal 9 (Killed)", 2, 0.0)
    journal.warning("The certificate expired.")
    journal.session_refused("192.0.2.7", Reply(421, "Too many connections."))
    journal.logged_in(WHO, 0.2, encrypted=True)
    journal.logged_in(WHO, 0.2, encrypted=False)
    journal.login_failed(WHO, Failure(Problem.WRONG_PASSWORD), Reply(530, "Wrong."))
    journal.stored(WHO, "a b.pdf", "a b.pdf", 5, "ff" * 32, 0.25, Reply(226, "Done."))
    journal.stored(WHO, "a.pdf", "a-2.pdf", 5, "ff" * 32, 0.25, Reply(226, "Done."), again=True)
    journal.not_stored(WHO, "a.exe", 5, failure, Reply(553, "Forbidden extension."), 1.0)
    journal.not_stored(WHO, "a.pdf", 5, Failure(Problem.CUT), None, 1.0)
    journal.not_kept(WHO, "a.xml", "it is a side file", Reply(250, "Not kept."))
    journal.second_copy_possible(WHO, "a.pdf", "a-2.pdf")
    journal.bare_tls_end(WHO, "a.pdf")
    journal.tls_not_resumed(WHO)
    journal.foreign_protocol(WHO, "HTTP.")
    journal.balancer_refused("10.0.0.1", "no header came in time")
    journal.protocol(WHO, "<- NOOP")


class TestLogcheck:
    def unmatched(self, lines: list[str]) -> list[str]:
        """The lines that logcheck would report."""
        ran = subprocess.run(
            ["grep", "-E", "-v", "-f", str(DEBIAN / "openspp-ftpd.logcheck.ignore.server")],
            input="\n".join(lines),
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert ran.stderr == ""
        return ran.stdout.splitlines()

    @pytest.mark.parametrize(
        "time", ["Nov 22 12:00:00", "2026-11-22T12:00:00.123456+00:00"], ids=["old", "new"]
    )
    def test_what_needs_nobody_is_quiet_and_the_rest_is_reported(
        self, time: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        write_every_event(logging.getLogger("openspp_ftpd.test"))
        quiet: list[str] = []
        loud: list[str] = []
        for record in caplog.records:
            line = f"{time} scans openspp-ftpd[4711]: {record.getMessage()}"
            (quiet if record.levelno == logging.INFO else loud).append(line)
        assert self.unmatched(quiet) == []
        assert self.unmatched(loud) == loud

    def test_a_user_s_or_file_s_name_hides_no_failure(self) -> None:
        head = "Nov 22 12:00:00 scans openspp-ftpd[4711]: "
        lines = [
            f"{head}x at 192.0.2.7 logged in with TLS. at 192.0.2.7 could not log in: Wrong."
            " Reply: 530 Wrong.",
            f"{head}x at 192.0.2.7: a (1 bytes) is in OpenSPP, after 1 s. (5 bytes) was not stored:"
            " Cut. Reply: 426 Cut.",
        ]
        assert self.unmatched(lines) == lines


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The manual pages by name."""
    folder = tmp_path_factory.mktemp("man")
    subprocess.run(
        [sys.executable, str(DEBIAN / "man_pages.py"), str(folder)],
        check=True,
        timeout=60,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1000000000"},
    )
    yield {page.name: page.read_text(encoding="utf-8") for page in folder.iterdir()}


class TestManualPages:
    def test_there_is_one_for_the_program_and_one_for_the_configuration(
        self, pages: dict[str, str]
    ) -> None:
        assert set(pages) == {"openspp-ftpd.8", "openspp-ftpd.conf.5"}

    def test_the_program_s_has_every_command(self, pages: dict[str, str]) -> None:
        commands = re.findall(r'\.SS "openspp\\-ftpd (\S+)"', pages["openspp-ftpd.8"])
        assert commands == list(cli.COMMANDS)

    def test_the_configuration_s_has_every_option_with_its_default(
        self, pages: dict[str, str]
    ) -> None:
        page = pages["openspp-ftpd.conf.5"].replace("\\-", "-").replace("\\(aq", "'")
        for option in OPTIONS:
            section = page.partition(f'\n.SH "[{option.section}]"\n')[2].partition("\n.SH")[0]
            paragraph = section.partition(f"\n.TP\n.B {option.name}\n")[2].partition("\n.TP")[0]
            assert option.meaning in paragraph
            assert f"Value: {option.form}. Default: {option.default}" in paragraph

    def test_they_are_the_same_on_another_day(self, pages: dict[str, str]) -> None:
        assert all('"2001-09-09"' in page for page in pages.values())

    def test_no_line_is_taken_for_a_request(self, pages: dict[str, str]) -> None:
        used = {".TH", ".SH", ".SS", ".TP", ".B", ".I", ".PP", ".br", ".nf", ".fi", ".nh", ".ad"}
        for page in pages.values():
            starts = {line.split()[0] for line in page.splitlines() if line.startswith((".", "'"))}
            assert starts <= used


class TestCompletion:
    def complete(self, *words: str) -> list[str]:
        """What bash offers for the last of the words."""
        script = (
            f'openspp-ftpd() {{ {sys.executable} -m openspp_ftpd "$@"; }}\n'
            f"source {DEBIAN / 'completion' / 'openspp-ftpd'}\n"
            f'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _openspp_ftpd "$1" "${{@: -1}}"\n'
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
        command = ["bash", "-eu", "-c", script, "bash", "openspp-ftpd", *words]
        asked = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
        )
        return asked.stdout.split()

    def test_every_command_is_offered(self) -> None:
        assert set(self.complete("")) == set(cli.COMMANDS)

    def test_a_command_that_is_begun_is_ended(self) -> None:
        assert self.complete("sand") == ["sandbox"]

    def test_the_options_are_the_command_s(self) -> None:
        assert set(self.complete("check", "--c")) == {"--config", "--credentials"}

    def test_where_a_file_may_stand_the_shell_completes_it(self) -> None:
        assert self.complete("check", "-c", "/et") == []


class TestControl:
    def paragraph(self) -> str:
        return (DEBIAN / "control").read_text(encoding="utf-8")

    def test_pyftpdlib_is_as_new_as_setup_py_asks(self) -> None:
        setup = (ROOT / "setup.py").read_text(encoding="utf-8")
        needed = re.search(r"pyftpdlib>=([\d.]+)", setup)
        assert needed
        assert f"python3-pyftpdlib (>= {needed[1]})" in self.paragraph()
        built = (DEBIAN / "pyftpdlib" / "requirements.txt").read_text(encoding="utf-8")
        assert f"pyftpdlib=={needed[1]} " in built

    def test_the_default_certificate_s_package_is_needed(self) -> None:
        default = next(option.default for option in OPTIONS if option.name == "certificate")
        assert "ssl-cert" in default
        assert "\n ssl-cert,\n" in self.paragraph()


def test_the_examples_are_drop_ins_that_systemd_can_read() -> None:
    for path in sorted((SYSTEMD / "examples").iterdir()):
        parser = configparser.RawConfigParser(strict=False)
        parser.read_string(path.read_text(encoding="utf-8"))
        assert parser.sections() in (["Service"], ["Socket"]), path.name
