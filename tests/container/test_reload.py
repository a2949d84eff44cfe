"""`systemctl reload` takes a renewed certificate, refuses what is broken, and cuts nobody."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.promises import STORED, pdf
from tests.acceptance.running import make_certificate
from tests.acceptance.scanner import end_properly
from tests.container.installed import CONFIGURATION, Installed, until

LIVE = "/etc/letsencrypt/live/scan"
ARCHIVE = "/etc/letsencrypt/archive/scan"
SERVICE_USER = ("setpriv", "--reuid=openspp-ftpd", "--regid=openspp-ftpd", "--clear-groups")


def renew(machine: Installed, folder: Path, number: int) -> bytes:
    """What certbot does, with its modes; the new certificate in DER."""
    made = folder / str(number)
    made.mkdir()
    certificate, key = make_certificate(made, f"scans{number}.example.org")
    machine.sh(
        f"mkdir -p {LIVE} {ARCHIVE}; chmod 700 /etc/letsencrypt/live /etc/letsencrypt/archive"
    )
    for name, path in (("fullchain", certificate), ("privkey", key)):
        machine.write(f"{ARCHIVE}/{name}{number}.pem", path.read_text())
        machine.run("ln", "-sf", f"../../archive/scan/{name}{number}.pem", f"{LIVE}/{name}.pem")
    machine.sh(f"chmod 600 {ARCHIVE}/privkey{number}.pem")
    return ssl.PEM_cert_to_DER_cert(certificate.read_text())


def use_letsencrypt(machine: Installed) -> None:
    """Name certbot's files."""
    machine.configure(certificate=f"{LIVE}/fullchain.pem", key=f"{LIVE}/privkey.pem")


def modes(machine: Installed, *paths: str) -> str:
    """Owner, group and mode of each."""
    return machine.run("stat", "--dereference", "--format=%n %U:%G %a", *paths)


class TestCertificate:
    def test_debian_s_own_key_works_untouched(self, running: Installed) -> None:
        key = "/etc/ssl/private/ssl-cert-snakeoil.key"
        snakeoil = running.read("/etc/ssl/certs/ssl-cert-snakeoil.pem")
        assert running.certificate() == ssl.PEM_cert_to_DER_cert(snakeoil)
        assert modes(running, key).strip() == f"{key} root:ssl-cert 640"
        assert "ssl-cert" not in running.run("id", "openspp-ftpd")

    def test_a_key_of_root_alone_works_and_a_reload_takes_the_renewed_one(
        self, machine: Installed, tmp_path: Path
    ) -> None:
        first = renew(machine, tmp_path, 1)
        use_letsencrypt(machine)
        paths = (LIVE, "/etc/letsencrypt/live", f"{LIVE}/privkey.pem", "/etc/letsencrypt/archive")
        before, pid = modes(machine, *paths), machine.pid
        machine.systemctl("reload")
        assert until(lambda: machine.certificate() == first)
        second = renew(machine, tmp_path, 2)
        machine.systemctl("reload")
        assert until(lambda: machine.certificate() == second)
        assert machine.pid == pid
        assert modes(machine, *paths) == before
        machine.serves()
        machine.systemctl("restart")
        assert machine.certificate() == second

    def test_the_copies_are_root_s_and_gone_with_the_daemon(self, machine: Installed) -> None:
        said = machine.sh("cd /run/openspp-ftpd-tls; stat --format='%n %U:%G %a' . *")
        assert said.splitlines() == [
            ". root:openspp-ftpd 750",
            "certificate.pem root:openspp-ftpd 640",
            "key.pem root:openspp-ftpd 640",
        ]
        machine.systemctl("stop")
        assert machine.attempt("test", "-e", "/run/openspp-ftpd-tls").status == 1


def mistyped(machine: Installed) -> str:
    machine.configure(answer_within="soon")
    return f"{machine.line_of('answer_within')}: [openspp] answer_within"


def unknown(machine: Installed) -> str:
    machine.sh(f"sed -i 's|^.log.$|[log]\\nnosuch = 1|' {CONFIGURATION}")
    return f"{machine.line_of('nosuch')}: 'nosuch' is no option of [log]"


def another_s_key(machine: Installed) -> str:
    machine.sh(f"cat /etc/ssl/private/ssl-cert-snakeoil.key > {ARCHIVE}/privkey1.pem")
    return f"{machine.line_of('key')}: [tls] key: {LIVE}/privkey.pem does not belong to the cert"


def half_a_key(machine: Installed) -> str:
    machine.run("truncate", "--size=500", f"{ARCHIVE}/privkey1.pem")
    return f"{machine.line_of('key')}: [tls] key: {LIVE}/privkey.pem"


def no_certificate(machine: Installed) -> str:
    machine.run("rm", f"{ARCHIVE}/fullchain1.pem")
    return (
        f"{machine.line_of('certificate')}: [tls] certificate: {LIVE}/fullchain.pem does not exist"
    )


@pytest.fixture(scope="module")
def certified(
    spare: Installed, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Installed, bytes]]:
    """A running daemon with a certificate of certbot's, and that in DER."""
    good = spare.read(CONFIGURATION)
    shown = renew(spare, tmp_path_factory.mktemp("certbot"), 1)
    use_letsencrypt(spare)
    spare.systemctl("restart")
    yield spare, shown
    spare.write(CONFIGURATION, good)


class TestBrokenFile:
    @pytest.mark.parametrize("make", [mistyped, unknown, another_s_key, half_a_key, no_certificate])
    def test_it_is_refused_and_the_old_settings_stay(
        self,
        certified: tuple[Installed, bytes],
        broken: Installed,
        make: Callable[[Installed], str],
    ) -> None:
        machine, shown = certified
        pid = machine.pid
        machine.run("cp", "--archive", ARCHIVE, "/var/archive")
        wanted = make(broken)
        assert wanted in machine.refuses("reload")
        assert machine.pid == pid
        assert machine.show("ActiveState") == "active"
        assert machine.certificate() == shown
        machine.serves()
        machine.sh(f"rm -r {ARCHIVE}; mv /var/archive {ARCHIVE}")

    def test_mended_it_is_taken(
        self, certified: tuple[Installed, bytes], broken: Installed, tmp_path: Path
    ) -> None:
        machine, _ = certified
        mistyped(broken)
        machine.refuses("reload")
        machine.configure(answer_within="45s")
        renewed = renew(machine, tmp_path, 2)
        machine.systemctl("reload")
        assert until(lambda: machine.certificate() == renewed)


class TestSessionUnderWay:
    def test_it_goes_on_with_what_it_began_with(self, machine: Installed, tmp_path: Path) -> None:
        content = pdf(300_000)
        renewed = renew(machine, tmp_path, 1)
        use_letsencrypt(machine)
        with machine.scanner("explicit") as scanner:
            data = scanner.begin("across-a-reload.pdf")
            data.sendall(content[:150_000])
            machine.systemctl("reload")
            data.sendall(content[150_000:])
            end_properly(data)
            answer = scanner.answer()
        assert f"{answer.code} {answer.text}" == STORED
        assert machine.stored(content) == ["across-a-reload.pdf"]
        assert until(lambda: machine.certificate() == renewed)


class TestPlantedLinks:
    """Root reads and writes for the daemon; its user must gain nothing by that."""

    def test_the_service_user_cannot_write_where_the_copies_are(self, machine: Installed) -> None:
        for command in (
            "ln -s /etc/shadow /run/openspp-ftpd-tls/new.key.pem",
            "mv /run/openspp-ftpd-tls/key.pem /run/openspp-ftpd-tls/other",
            "echo x > /run/openspp-ftpd-tls/key.pem",
            "rm -rf /run/openspp-ftpd-tls",
            "mv /run/openspp-ftpd-tls /run/openspp-ftpd/",
        ):
            assert machine.attempt(*SERVICE_USER, "sh", "-c", command).status != 0
        machine.systemctl("reload")
        machine.serves()

    def test_a_link_that_the_user_may_plant_is_not_followed(
        self, machine: Installed, tmp_path: Path
    ) -> None:
        renew(machine, tmp_path, 1)
        planted = "/run/openspp-ftpd/key.pem"
        machine.run(*SERVICE_USER, "ln", "-s", f"{LIVE}/privkey.pem", planted)
        before = machine.read("/run/openspp-ftpd-tls/key.pem")
        machine.configure(certificate=f"{LIVE}/fullchain.pem", key=planted)
        status = machine.refuses("reload")
        assert f"[tls] key: {planted} is refused, for openspp-ftpd may exchange" in status
        assert machine.read("/run/openspp-ftpd-tls/key.pem") == before
        machine.refuses("restart")
        assert machine.attempt("test", "-e", "/run/openspp-ftpd-tls/key.pem").status == 1
