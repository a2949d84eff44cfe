"""Does the machine fit: certificate, authorities, upload directory; and all of `load` together."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from openspp_ftpd.config import ConfigurationError, load, shipped
from openspp_ftpd.config.world import Finding, check_world, file_system
from openspp_ftpd.settings import OpenSPPSettings, Settings, TlsSettings, UploadSettings
from tests.unit import certificates

NOW = datetime.now(UTC)
NOBODY = 65534
A_TMPFS = (
    "under systemd the unit has one at /var/spool/openspp-ftpd, elsewhere make a directory below"
    " /dev/shm or /run"
)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every user can reach."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def scans() -> Iterator[Path]:
    """A directory for everybody on the tmpfs that every Linux has."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        Path(directory).chmod(0o777)
        yield Path(directory)


@pytest.fixture
def settings(place: Path, scans: Path) -> Settings:
    """Settings that the machine fits."""
    pair = certificates.make(place)
    return Settings(
        OpenSPPSettings("https://dms.gov.iq"),
        tls=TlsSettings(certificate=pair.certificate, key=pair.key),
        uploads=UploadSettings(directory=str(scans)),
    )


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without the rights of root, which may read and write everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


class TestWhatFits:
    def test_nothing_is_said(self, settings: Settings) -> None:
        assert check_world(settings, NOW) == []

    def test_without_tls_no_certificate_is_needed(self, settings: Settings) -> None:
        nowhere = TlsSettings(mode="off", certificate="/nowhere", key="/nowhere")
        assert check_world(replace(settings, tls=nowhere), NOW) == []

    def test_nothing_is_left_behind(self, settings: Settings, scans: Path) -> None:
        check_world(settings, NOW)
        assert list(scans.iterdir()) == []


class TestTheCertificate:
    def test_both_files_are_looked_at(self, settings: Settings) -> None:
        nowhere = TlsSettings(certificate="/nowhere.pem", key="/nowhere.key")
        mend = "name your own, or install the package ssl-cert, which makes a self-signed one"
        assert check_world(replace(settings, tls=nowhere), NOW) == [
            Finding("tls", "certificate", f"/nowhere.pem does not exist; {mend}"),
            Finding("tls", "key", f"/nowhere.key does not exist; {mend}"),
        ]

    def test_one_that_only_root_can_read(self, settings: Settings) -> None:
        path = settings.tls.key
        Path(path).chmod(0)
        with as_nobody():
            assert check_world(settings, NOW) == [
                Finding(
                    "tls",
                    "key",
                    f"{path} cannot be read by the user of this process; let its group read it",
                )
            ]

    def test_one_that_does_not_fit_the_key(self, settings: Settings, place: Path) -> None:
        other = certificates.make(place, "other.test", key=certificates.private_key("ec", number=1))
        mixed = replace(settings.tls, key=other.key)
        assert check_world(replace(settings, tls=mixed), NOW) == [
            Finding(
                "tls",
                "key",
                f"{other.key} does not belong to the certificate {settings.tls.certificate}; name"
                " the key that the certificate was made with",
            )
        ]

    def test_an_expired_one_is_a_warning(self, settings: Settings) -> None:
        path = settings.tls.certificate
        end = NOW - timedelta(hours=1) + timedelta(days=30)
        (finding,) = check_world(settings, NOW + timedelta(days=31))
        assert finding == Finding(
            "tls",
            "certificate",
            f"{path} expired on {end:%Y-%m-%d}; it is still served, but a scanner that looks"
            " refuses it: renew it and reload, or set this machine's clock right",
            is_warning=True,
        )

    def test_a_clock_at_1970_is_a_warning(self, settings: Settings) -> None:
        path = settings.tls.certificate
        start = NOW - timedelta(hours=1)
        assert check_world(settings, datetime(1970, 1, 1, tzinfo=UTC)) == [
            Finding(
                "tls",
                "certificate",
                f"{path} is valid only from {start:%Y-%m-%d} on; it is served, but a scanner that"
                " looks refuses it: set this machine's clock right",
                is_warning=True,
            )
        ]


class TestAuthorities:
    def test_a_good_file(self, settings: Settings) -> None:
        trusting = replace(settings.openspp, ca_file=settings.tls.certificate)
        assert check_world(replace(settings, openspp=trusting), NOW) == []

    @pytest.mark.parametrize(
        ("content", "mode", "expected"),
        [
            (
                None,
                0,
                "does not exist; name the file of your authority, or nothing for the system's own",
            ),
            ("", 0o644, "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"),
            ("nothing", 0o644, "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"),
            (
                "nothing",
                0,
                "cannot be read by the user of this process; let everybody read it",
            ),
        ],
    )
    def test_a_bad_one(
        self, settings: Settings, place: Path, content: str | None, mode: int, expected: str
    ) -> None:
        path = place / "ca.pem"
        if content is not None:
            path.write_text(content)
            path.chmod(mode)
        Path(settings.tls.key).chmod(0o644)
        trusting = replace(settings.openspp, ca_file=str(path))
        with as_nobody():
            found = check_world(replace(settings, openspp=trusting), NOW)
        assert found == [Finding("openspp", "ca_file", f"{path} {expected}")]


class TestTheUploadDirectory:
    def found(self, settings: Settings, directory: Path, mounts: str = "") -> str:
        uploads = replace(settings.uploads, directory=str(directory))
        changed = replace(settings, uploads=uploads)
        (finding,) = check_world(changed, NOW, mounts) if mounts else check_world(changed, NOW)
        assert (finding.section, finding.option) == ("uploads", "directory")
        assert not finding.is_warning
        return finding.text.removeprefix(f"{directory} ")

    def mounts(self, place: Path, directory: Path, kind: str) -> str:
        """A file like /proc/self/mountinfo, where `directory` is on a file system of `kind`."""
        device = directory.stat().st_dev
        number = f"{os.major(device)}:{os.minor(device)}"
        file = place / "mountinfo"
        file.write_text(
            "24 1 0:999 / /a\\040b rw shared:1 master:2 - ext4 /dev/sda1 rw\n"
            f"25 24 {number} / /x rw,relatime shared:1 - {kind} none rw,size=1024k\n"
        )
        return str(file)

    def test_a_missing_one(self, settings: Settings, scans: Path) -> None:
        assert self.found(settings, scans / "none") == f"does not exist; {A_TMPFS}"

    def test_a_file(self, settings: Settings, scans: Path) -> None:
        (scans / "file").touch()
        assert self.found(settings, scans / "file") == f"is no directory; {A_TMPFS}"

    def test_one_below_a_file(self, settings: Settings, scans: Path) -> None:
        (scans / "file").touch()
        assert self.found(settings, scans / "file" / "x") == (
            f"cannot be used (Not a directory); {A_TMPFS}"
        )

    def test_one_on_a_disk(self, settings: Settings, place: Path) -> None:
        mounts = self.mounts(place, place, "ext4")
        assert self.found(settings, place, mounts) == (
            f"is on ext4, not on a tmpfs: scans would reach a disk; {A_TMPFS}"
        )

    def test_a_link_to_a_disk(self, settings: Settings, place: Path, scans: Path) -> None:
        (scans / "link").symlink_to("/proc")
        assert self.found(settings, scans / "link") == (
            f"is on proc, not on a tmpfs: scans would reach a disk; {A_TMPFS}"
        )

    def test_one_that_no_mount_tells_of(self, settings: Settings, place: Path) -> None:
        empty = place / "mountinfo"
        empty.touch()
        assert self.found(settings, place, str(empty)) == (
            f"is on an unknown file system, not on a tmpfs: scans would reach a disk; {A_TMPFS}"
        )

    def test_one_that_may_not_be_written(self, settings: Settings, scans: Path) -> None:
        scans.chmod(0o555)
        Path(settings.tls.key).chmod(0o644)
        with as_nobody():
            assert self.found(settings, scans) == (
                "cannot be written by the user of this process; make it its owner"
            )

    def test_one_without_room_for_a_scan_is_a_warning(
        self, settings: Settings, scans: Path
    ) -> None:
        room = os.statvfs(scans).f_blocks * os.statvfs(scans).f_frsize
        large = replace(settings, uploads=replace(settings.uploads, max_size=room + 1))
        assert check_world(large, NOW) == [
            Finding(
                "uploads",
                "directory",
                f"{scans} holds {room // 1024**2} MiB in all, less than one scan of max_size; make"
                " the tmpfs larger or max_size smaller",
                is_warning=True,
            )
        ]

    def test_the_kind_of_a_real_file_system(self, scans: Path) -> None:
        assert file_system("/proc") == "proc"
        assert file_system(str(scans)) == "tmpfs"


def write(directory: Path, text: str | bytes) -> str:
    path = directory / "openspp-ftpd.conf"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def good_text(settings: Settings) -> str:
    return (
        "[openspp]\nurl = https://dms.gov.iq\n"
        f"[tls]\ncertificate = {settings.tls.certificate}\nkey = {settings.tls.key}\n"
        f"[uploads]\ndirectory = {settings.uploads.directory}\n"
    )


def complaint(path: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    return str(caught.value).replace(path, "FILE").split("\n")


class TestLoad:
    def test_a_good_file(self, settings: Settings, tmp_path: Path) -> None:
        loaded = load(write(tmp_path, good_text(settings)))
        assert loaded.settings == settings
        assert loaded.warnings == ()

    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_as_editors_of_other_systems_save_it(
        self, settings: Settings, tmp_path: Path, mark: bytes, end: str
    ) -> None:
        text = good_text(settings).replace("\n", end)
        assert load(write(tmp_path, mark + text.encode())).settings == settings

    def test_the_shipped_file_with_a_url_complains_of_this_machine_alone(
        self, tmp_path: Path
    ) -> None:
        text = shipped().replace("https://openspp.example.org", "https://dms.gov.iq")
        path = write(tmp_path, text + "[log]\n")
        assert len(complaint(path)) >= 1
        mends = ("[tls] certificate: /etc/", "[tls] key: /etc/", "[uploads] directory: /var/")
        own = f"section [log] began in line {1 + text.split('[log]')[0].count(chr(10))} already"
        for line in complaint(path):
            assert line.split(": ", 1)[1].startswith((*mends, own))

    def test_a_warning_has_its_line_too(self, settings: Settings, tmp_path: Path) -> None:
        directory = Path(settings.tls.certificate).parent
        past = NOW - timedelta(days=60)
        certificates.make(directory, valid_from=past)
        path = write(tmp_path, good_text(settings))
        (warning,) = load(path).warnings
        assert str(warning).startswith(
            f"{path}:4: [tls] certificate: {settings.tls.certificate} expired on "
        )

    def test_mistakes_of_file_and_machine_are_told_together_in_the_files_order(
        self, settings: Settings, tmp_path: Path
    ) -> None:
        text = good_text(settings).replace(settings.tls.key, "/nowhere.key")
        text = text.replace(settings.uploads.directory, "/nowhere") + "[log]\nlevel = loud\n"
        assert complaint(write(tmp_path, text.replace("https://dms.gov.iq", "dms.gov.iq"))) == [
            "FILE:2: [openspp] url: has no scheme; write https://dms.gov.iq (or http://)",
            "FILE:5: [tls] key: /nowhere.key does not exist; name your own, or install the package"
            " ssl-cert, which makes a self-signed one",
            f"FILE:7: [uploads] directory: /nowhere does not exist; {A_TMPFS}",
            "FILE:9: [log] level: 'loud' is unknown; possible: debug, info, warning",
        ]

    @pytest.mark.parametrize("line", ["certificate = x.pem", "certifcate = /x.pem", "mode = maybe"])
    def test_a_wrong_option_gives_no_complaints_of_its_default(
        self, settings: Settings, tmp_path: Path, line: str
    ) -> None:
        text = good_text(settings).split("[tls]")[0] + f"[tls]\n{line}\nkey = /nowhere.key\n"
        text += f"[uploads]\ndirectory = {settings.uploads.directory}\n"
        (found,) = complaint(write(tmp_path, text))
        assert found.startswith("FILE:4: ")

    def test_it_changes_nothing_and_can_be_repeated(
        self, settings: Settings, tmp_path: Path
    ) -> None:
        path = write(tmp_path, good_text(settings))
        before = sorted(map(str, tmp_path.iterdir())), dict(os.environ), Path.cwd()
        assert load(path) == load(path)
        assert (sorted(map(str, tmp_path.iterdir())), dict(os.environ), Path.cwd()) == before


class TestTheFileItself:
    def test_a_missing_one(self, tmp_path: Path) -> None:
        assert complaint(str(tmp_path / "none.conf")) == [
            "FILE: does not exist; name the configuration with -c FILE"
        ]

    def test_one_that_may_not_be_read(self, place: Path) -> None:
        path = write(place, "[openspp]\n")
        Path(path).chmod(0)
        with as_nobody():
            assert complaint(path) == [
                "FILE: cannot be read (Permission denied); let the user of this process read it"
            ]

    def test_a_directory(self, tmp_path: Path) -> None:
        assert complaint(str(tmp_path)) == [
            "FILE: cannot be read (Is a directory); let the user of this process read it"
        ]

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            (
                "[openspp]\nurl = https://dokumente-für.iq\n".encode("latin-1"),
                "FILE:2: is not UTF-8; save the file with that encoding",
            ),
            (
                "[openspp]\n".encode("utf-16"),
                "FILE:1: is not UTF-8; save the file with that encoding",
            ),
            (b"[openspp]\nurl = a\0b\n", "FILE:2: holds a NUL character; is this a text file?"),
            (b"#" * (1024 * 1024 + 1), "FILE: is larger than 1 MiB; is this the right file?"),
        ],
    )
    def test_one_that_is_no_text(self, tmp_path: Path, content: bytes, expected: str) -> None:
        assert complaint(write(tmp_path, content)) == [expected]
