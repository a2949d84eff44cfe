"""The privileged step: copies for the daemon, and nothing that the daemon's user put in its way."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

import pytest

from openspp_ftpd import config, credentials

from . import certificates


def daemon() -> pwd.struct_passwd:
    """The daemon's user, who is in the group of this process."""
    return pwd.struct_passwd(("openspp-ftpd", "x", 65533, os.getegid(), "", "/", "/bin/false"))


@pytest.fixture
def ground(tmp_path: Path) -> Path:
    """A folder that only the owner of this process may write."""
    ground = tmp_path / "etc"
    ground.mkdir(mode=0o755)
    return ground


def configure(ground: Path, pair: certificates.Pair, more: str = "") -> Path:
    """A configuration that names the pair."""
    path = ground / "openspp-ftpd.conf"
    path.write_text(
        "[openspp]\nurl = https://openspp.gov.iq\n"
        f"[tls]\ncertificate = {pair.certificate}\nkey = {pair.key}\n{more}"
    )
    path.chmod(0o640)
    return path


def copies(ground: Path) -> dict[str, bytes]:
    """What lies in the daemon's folder."""
    folder = ground / "run"
    return {each.name: each.read_bytes() for each in folder.iterdir()} if folder.exists() else {}


def contents(pair: certificates.Pair) -> dict[str, bytes]:
    """What should lie there."""
    return {
        "certificate.pem": Path(pair.certificate).read_bytes(),
        "key.pem": Path(pair.key).read_bytes(),
    }


def run(ground: Path, path: Path) -> None:
    """The step."""
    credentials.hand_over(path, ground / "run", daemon())


class TestCopies:
    def test_certificate_and_key_are_there_for_the_group_alone(self, ground: Path) -> None:
        pair = certificates.make(ground)
        Path(pair.key).chmod(0o600)
        run(ground, configure(ground, pair))
        assert copies(ground) == contents(pair)
        assert stat.S_IMODE((ground / "run").stat().st_mode) == 0o750
        for copy in (ground / "run").iterdir():
            assert stat.S_IMODE(copy.stat().st_mode) == 0o640
            assert copy.stat().st_gid == daemon().pw_gid
        assert stat.S_IMODE(Path(pair.key).stat().st_mode) == 0o600

    def test_a_renewed_pair_behind_let_s_encrypt_s_links_takes_the_place(
        self, ground: Path
    ) -> None:
        live, archive = ground / "live", ground / "archive"
        live.mkdir(mode=0o700)
        archive.mkdir(mode=0o700)
        linked = certificates.Pair(str(live / "fullchain.pem"), str(live / "privkey.pem"))
        path = configure(ground, linked)
        for name in ("first", "second"):
            pair = certificates.make(archive, name)
            for link, target in ((linked.certificate, f"{name}.pem"), (linked.key, f"{name}.key")):
                Path(link).unlink(missing_ok=True)
                Path(link).symlink_to(f"../archive/{target}")
            run(ground, path)
            assert copies(ground) == contents(pair)

    def test_the_daemon_serves_the_copies(self, ground: Path) -> None:
        pair = certificates.make(ground)
        path = configure(ground, pair, "[uploads]\ndirectory = /dev/shm\n")
        run(ground, path)
        Path(pair.key).unlink()
        served = config.load(str(path), str(ground / "run")).settings.tls
        assert served.key == f"{ground}/run/key.pem"
        assert served.certificate == f"{ground}/run/certificate.pem"

    def test_what_the_daemon_says_names_the_configured_files(self, ground: Path) -> None:
        pair = certificates.make(ground)
        path = configure(ground, pair, "[uploads]\ndirectory = /dev/shm\n")
        run(ground, path)
        (ground / "run" / "key.pem").write_text("damaged")
        with pytest.raises(config.ConfigurationError) as caught:
            config.load(str(path), str(ground / "run"))
        assert str(caught.value).startswith(f"{path}:5: [tls] key: {pair.key} holds no private key")

    def test_without_copies_the_daemon_says_where_to_look(self, ground: Path) -> None:
        path = configure(ground, certificates.make(ground), "[uploads]\ndirectory = /dev/shm\n")
        with pytest.raises(config.ConfigurationError) as caught:
            config.load(str(path), str(ground / "run"))
        assert [mistake.text for mistake in caught.value.mistakes] == [
            "[tls] key: certificate and key were not handed to the daemon; the message above says"
            " why"
        ]

    def test_with_tls_off_nothing_is_copied(self, ground: Path) -> None:
        run(ground, configure(ground, certificates.make(ground), "mode = off\n"))
        assert copies(ground) == {}

    @pytest.mark.parametrize("more", ["nosuch = 1\n", "[nosuch]\n"])
    def test_mistakes_are_left_to_the_daemon_to_tell(self, ground: Path, more: str) -> None:
        run(ground, configure(ground, certificates.make(ground), more))
        assert copies(ground) == {}


class TestWrongPairs:
    def complaint(self, ground: Path, path: Path) -> str:
        """What the step says."""
        with pytest.raises((credentials.Refused, config.ConfigurationError)) as caught:
            run(ground, path)
        return str(caught.value)

    def test_a_missing_key_is_named_with_its_line(self, ground: Path) -> None:
        pair = certificates.make(ground)
        Path(pair.key).unlink()
        path = configure(ground, pair)
        said = self.complaint(ground, path)
        assert said.startswith(f"{path}:5: [tls] key: {pair.key} does not exist; ")

    def test_both_are_named_if_both_are_missing(self, ground: Path) -> None:
        path = configure(ground, certificates.Pair("/nosuch/a.pem", "/nosuch/a.key"))
        assert len(self.complaint(ground, path).splitlines()) == 2

    def test_a_folder_is_no_key(self, ground: Path) -> None:
        pair = certificates.make(ground)
        path = configure(ground, certificates.Pair(pair.certificate, str(ground)))
        assert "is no file" in self.complaint(ground, path)

    def test_a_pair_that_does_not_fit_leaves_the_earlier_copies(self, ground: Path) -> None:
        good = certificates.make(ground, "good")
        run(ground, configure(ground, good))
        other = certificates.make(ground, "other", key=certificates.private_key("rsa"))
        path = configure(ground, certificates.Pair(good.certificate, other.key))
        said = self.complaint(ground, path)
        assert (
            f"[tls] key: {other.key} does not belong to the certificate {good.certificate}" in said
        )
        assert copies(ground) == contents(good)

    def test_what_is_no_key_is_not_handed_over(self, ground: Path) -> None:
        pair = certificates.make(ground)
        Path(pair.key).write_text("root:$y$j9T$secret:19000::::::\n")
        assert "holds no private key" in self.complaint(ground, configure(ground, pair))
        assert copies(ground) == {}


class TestPlantedFiles:
    def refusal(self, ground: Path, path: Path) -> str:
        """What the step says, and that it copied nothing."""
        with pytest.raises((credentials.Refused, config.ConfigurationError)) as caught:
            run(ground, path)
        assert copies(ground) == {}
        return str(caught.value)

    def test_a_configuration_that_others_may_write_is_refused(self, ground: Path) -> None:
        path = configure(ground, certificates.make(ground))
        for mode in (0o660, 0o646):
            path.chmod(mode)
            assert "somebody else than root may write it" in self.refusal(ground, path)

    def test_a_configuration_that_is_not_root_s_is_refused(
        self, ground: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = configure(ground, certificates.make(ground))
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        assert "somebody else than root may write it" in self.refusal(ground, path)

    def test_a_configuration_in_a_folder_of_others_is_refused(self, ground: Path) -> None:
        path = configure(ground, certificates.make(ground))
        ground.chmod(0o777)
        assert f"may exchange {path}" in self.refusal(ground, path)
        ground.chmod(0o755)

    @pytest.mark.parametrize("mode", [0o777, 0o775])
    def test_a_link_in_a_folder_that_the_daemon_may_write_is_not_followed(
        self, ground: Path, mode: int
    ) -> None:
        pair = certificates.make(ground)
        open_to_all = ground / "open"
        open_to_all.mkdir()
        (open_to_all / "key.pem").symlink_to(pair.key)
        open_to_all.chmod(mode)
        planted = certificates.Pair(pair.certificate, str(open_to_all / "key.pem"))
        said = self.refusal(ground, configure(ground, planted))
        assert f"openspp-ftpd may exchange {open_to_all}/key.pem" in said

    def test_a_link_on_the_way_is_found_too(self, ground: Path) -> None:
        pair = certificates.make(ground)
        open_to_all = ground / "open"
        open_to_all.mkdir()
        (open_to_all / "here").symlink_to(ground)
        open_to_all.chmod(0o777)
        (ground / "keys").symlink_to("open/here")
        planted = certificates.Pair(pair.certificate, f"{ground}/keys/scan.test.key")
        said = self.refusal(ground, configure(ground, planted))
        assert f"may exchange {open_to_all}/here" in said

    def test_links_in_a_ring_end(self, ground: Path) -> None:
        (ground / "a").symlink_to("b")
        (ground / "b").symlink_to("a")
        pair = certificates.make(ground)
        ring = certificates.Pair(pair.certificate, str(ground / "a"))
        assert "[tls] key: " in self.refusal(ground, configure(ground, ring))

    def test_a_link_in_place_of_the_daemon_s_folder_is_not_followed(self, ground: Path) -> None:
        elsewhere = ground / "elsewhere"
        elsewhere.mkdir()
        (ground / "run").symlink_to(elsewhere)
        with pytest.raises(credentials.Refused, match="is no directory"):
            run(ground, configure(ground, certificates.make(ground)))
        assert list(elsewhere.iterdir()) == []

    def test_a_link_in_place_of_a_copy_is_replaced_and_not_followed(self, ground: Path) -> None:
        victim = ground / "victim"
        victim.write_text("untouched")
        (ground / "run").mkdir(mode=0o750)
        for name in ("key.pem", "new.key.pem"):
            (ground / "run" / name).symlink_to(victim)
        pair = certificates.make(ground)
        run(ground, configure(ground, pair))
        assert copies(ground) == contents(pair)
        assert not (ground / "run" / "key.pem").is_symlink()
        assert victim.read_text() == "untouched"


def test_the_command_line_ends_with_78_and_says_why(
    ground: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pwd, "getpwnam", lambda name: daemon())
    pair = certificates.make(ground)
    path = configure(ground, pair)
    arguments = [str(path), str(ground / "run"), "openspp-ftpd"]
    assert credentials.main(arguments) == 0
    Path(pair.key).unlink()
    assert credentials.main(arguments) == os.EX_CONFIG
    assert "does not exist" in capsys.readouterr().err
