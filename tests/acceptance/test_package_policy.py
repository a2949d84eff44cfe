"""The Debian package is what Debian's own tools want: lintian, systemd-analyze, stdeb, apt.

It is built once for all tests, without its own tests, which `make test` runs anyway.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import re
import shutil
import socketserver
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from pathlib import Path

import pytest

import openspp_ftpd

ROOT = Path(__file__).resolve().parents[2]
UNITS = ("openspp-ftpd.service", "openspp-ftpd.socket", "openspp-ftpd-ftps.socket")
HIGHEST_EXPOSURE = 11  # tenths, as systemd-analyze security has it


def run(
    *command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None, ok: bool = True
) -> str:
    """What a command says on both channels; with `ok` it must end with 0."""
    ran = subprocess.run(
        command,
        cwd=cwd,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert not ok or ran.returncode == 0, f"{command} ended with {ran.returncode}:\n{ran.stdout}"
    return ran.stdout


def build(target: Path, tree: Path, umask: str = "022", **env: str) -> Path:
    """Build the package into `target`. Returns that."""
    command = f"umask {umask} && exec {tree}/debian/build {target}"
    run("sh", "-c", command, env={"DEB_BUILD_OPTIONS": "nocheck", "HOME": "/nonexistent", **env})
    return target


def made_by_tools(folder: str, names: list[str]) -> set[str]:
    """What a copy of the tree does not need."""
    unwanted = {"__pycache__"}
    if Path(folder) == ROOT:
        unwanted |= {".git", "build", "dist"} | {name for name in names if name.endswith("cache")}
    return unwanted.intersection(names)


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree, the same for all tests whatever is edited meanwhile."""
    copy = tmp_path_factory.mktemp("tree") / "openspp-ftpd"
    shutil.copytree(ROOT, copy, symlinks=True, ignore=made_by_tools)
    return copy


@pytest.fixture(scope="session")
def built(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package and its source package."""
    return build(tmp_path_factory.mktemp("built"), tree)


def package(folder: Path) -> Path:
    """The package in a folder."""
    (found,) = folder.glob("openspp-ftpd_*_all.deb")
    return found


def field(deb: Path, name: str) -> str:
    """A field of a package's control file."""
    return run("dpkg-deb", "--field", deb, name).strip()


def names(depends: str) -> set[str]:
    """The first name of each dependency, without versions."""
    return {re.split(r"[ |(]", each.strip())[0] for each in depends.split(",")}


@pytest.fixture(scope="session")
def unpacked(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package's files."""
    folder = tmp_path_factory.mktemp("unpacked")
    run("dpkg-deb", "--extract", package(built), folder)
    return folder


class TestPackage:
    def test_its_name_and_version_are_the_program_s(self, built: Path) -> None:
        assert package(built).name == f"openspp-ftpd_{openspp_ftpd.__version__}_all.deb"

    def test_it_needs_what_setup_py_asks_and_the_default_certificate(self, built: Path) -> None:
        depends = field(package(built), "Depends")
        assert "python3-pyftpdlib (>= 2.2.0)" in depends
        assert {"python3-requests", "python3-openssl", "python3-systemd", "ssl-cert"} < names(
            depends
        )

    def test_the_configuration_is_kept_in_upgrades(self, built: Path, tmp_path: Path) -> None:
        run("dpkg-deb", "--control", package(built), tmp_path / "control")
        conffiles = (tmp_path / "control" / "conffiles").read_text(encoding="utf-8").split()
        assert "/etc/openspp-ftpd.conf" in conffiles

    def test_what_it_installs_is_root_s_and_nobody_else_may_write_it(self, built: Path) -> None:
        content = subprocess.run(
            ["dpkg-deb", "--fsys-tarfile", package(built)],
            stdout=subprocess.PIPE,
            check=True,
            timeout=60,
        ).stdout
        with tarfile.open(fileobj=BytesIO(content)) as archive:
            members = archive.getmembers()
        assert len(members) > 80
        for member in members:
            assert (member.uid, member.gid) == (0, 0)
            assert member.issym() or not member.mode & 0o022, member.name

    @pytest.mark.parametrize(
        "path",
        [
            "usr/bin/openspp-ftpd",
            "usr/lib/python3/dist-packages/openspp_ftpd/py.typed",
            "usr/lib/systemd/catalog/openspp-ftpd.catalog",
            "usr/lib/sysusers.d/openspp-ftpd.conf",
            "usr/share/bash-completion/completions/openspp-ftpd",
            "usr/share/doc/openspp-ftpd/examples/noswap.conf",
            "usr/share/man/man5/openspp-ftpd.conf.5.gz",
            "usr/share/man/man8/openspp-ftpd.8.gz",
            "etc/logcheck/ignore.d.server/openspp-ftpd",
            "var/spool/openspp-ftpd",
            *(f"usr/lib/systemd/system/{name}" for name in UNITS),
        ],
    )
    def test_it_holds_what_an_administrator_looks_for(self, unpacked: Path, path: str) -> None:
        assert (unpacked / path).exists()

    def test_it_holds_no_tests_and_nothing_compiled(self, unpacked: Path) -> None:
        modules = unpacked / "usr/lib/python3/dist-packages"
        assert {each.name.partition("-")[0] for each in modules.iterdir()} == {"openspp_ftpd"}
        assert not list(unpacked.rglob("__pycache__"))


class TestLintian:
    def test_it_is_silent_at_its_most_pedantic(self, built: Path) -> None:
        (changes,) = built.glob("*.changes")
        command = ["lintian", "--allow-root", "-EvIL", "+pedantic"]
        if not Path("/etc/debian_version").read_text(encoding="utf-8").startswith("12"):
            # Standards-Version can be the newest for one release only.
            command += ["--suppress-tags", "out-of-date-standards-version"]
        assert run(*command, str(changes)) == ""


class TestReproducible:
    def test_another_place_time_user_mask_and_language_make_the_same(
        self, tree: Path, built: Path, tmp_path: Path
    ) -> None:
        copy = tmp_path / "a copy elsewhere"  # with blanks, which scripts may trip over
        shutil.copytree(tree, copy, symlinks=True)
        for path in copy.rglob("*"):
            os.utime(path, (1_900_000_000, 1_900_000_000), follow_symlinks=False)
        link = tmp_path / "link"
        link.symlink_to(copy)
        again = build(tmp_path / "again", link, "077", TZ="Asia/Baghdad", LANG="C")
        for suffix in ("_all.deb", ".tar.xz"):
            (first,) = built.glob(f"*{suffix}")
            (second,) = again.glob(f"*{suffix}")
            assert (
                hashlib.sha256(first.read_bytes()).hexdigest()
                == hashlib.sha256(second.read_bytes()).hexdigest()
            ), suffix


@pytest.fixture(scope="session")
def units(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units, with the program where it is unpacked."""
    folder = tmp_path_factory.mktemp("units")
    for name in UNITS:
        text = (unpacked / "usr/lib/systemd/system" / name).read_text(encoding="utf-8")
        program = f"{unpacked}/usr/bin/openspp-ftpd"
        (folder / name).write_text(text.replace("/usr/bin/openspp-ftpd", program), "utf-8")
    return folder


class TestUnits:
    def test_systemd_has_nothing_to_say(self, units: Path) -> None:
        files = [str(units / name) for name in UNITS]
        assert run("systemd-analyze", "verify", "--man=no", *files) == ""

    def test_a_mistake_in_a_unit_would_be_found(self, units: Path, tmp_path: Path) -> None:
        for name in UNITS:
            shutil.copy(units / name, tmp_path)
        service = tmp_path / UNITS[0]
        service.write_text(service.read_text("utf-8").replace("PrivateIPC=", "PrivateIpc="))
        files = [str(tmp_path / name) for name in UNITS]
        assert "PrivateIpc" in run("systemd-analyze", "verify", "--man=no", *files, ok=False)

    def test_the_daemon_is_exposed_as_little_as_can_be(self, units: Path) -> None:
        run(
            *("systemd-analyze", "security", "--offline=true"),
            *(f"--threshold={HIGHEST_EXPOSURE}", str(units / UNITS[0])),
        )

    def test_without_its_sandbox_it_would_be_found_wanting(
        self, units: Path, tmp_path: Path
    ) -> None:
        service = tmp_path / UNITS[0]
        text = (units / UNITS[0]).read_text("utf-8")
        service.write_text(text.replace("SystemCallFilter=", "X-SystemCallFilter="), "utf-8")
        said = run(
            *("systemd-analyze", "security", "--offline=true"),
            *(f"--threshold={HIGHEST_EXPOSURE}", str(service)),
            ok=False,
        )
        exposure = re.search(r"exposure level for \S+ ([\d.]+)", said)
        assert exposure
        assert float(exposure[1]) * 10 > HIGHEST_EXPOSURE


class TestStdeb:
    def test_it_derives_the_same_name_version_and_needs_from_setup_py(
        self, tree: Path, built: Path, tmp_path: Path
    ) -> None:
        scratch = tmp_path / "scratch"
        ours_alone = shutil.ignore_patterns("debian", "tests", "systemd", "etc", ".*")
        shutil.copytree(tree, scratch, ignore=ours_alone)
        run(
            *("/usr/bin/python3", "setup.py", "--quiet", "--command-packages=stdeb.command"),
            *("sdist_dsc", "bdist_deb"),
            cwd=scratch,
            env={"DEB_BUILD_OPTIONS": "nocheck", "HOME": str(tmp_path)},
        )
        (derived,) = scratch.glob("deb_dist/*.deb")
        ours = package(built)
        assert field(derived, "Source") in ("", "openspp-ftpd")
        assert field(derived, "Package") == f"python3-{field(ours, 'Package')}"
        assert field(derived, "Version").rpartition("-")[0] == field(ours, "Version")
        assert field(derived, "Architecture") == field(ours, "Architecture")
        # What is ours beside it: the unit's user, and the default certificate.
        more = {"ssl-cert", "systemd"}
        assert names(field(derived, "Depends")) == names(field(ours, "Depends")) - more


Apt = Callable[..., str]


@pytest.fixture(scope="session")
def repository(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of the package, signed with a key of a key ring."""
    folder = tmp_path_factory.mktemp("repository")
    home = folder / "home"
    home.mkdir(mode=0o700)
    env = {"GNUPGHOME": str(home)}
    new = ("gpg", "--batch", "--passphrase", "", "--quick-gen-key", "a test", "ed25519", "sign")
    try:
        run(*new, "never", env=env)
        command = (ROOT / "debian/repository/build", built, folder / "repo", "a test")
        run(*command, env=env)
    finally:
        run("gpgconf", "--kill", "all", env=env)
    return folder / "repo"


@pytest.fixture
def apt(repository: Path, tmp_path: Path) -> Iterator[Callable[[str, str], Apt]]:
    """apt-get with folders of its own and one source, made from an address and a signer's key."""

    def make(address: str, key: str) -> Apt:
        state = tmp_path / "apt"
        for folder in ("lists/partial", "cache/archives/partial", "etc"):
            (state / folder).mkdir(parents=True, exist_ok=True)
        (state / "sources.list").write_text(f"deb [signed-by={key}] {address} ./\n", "utf-8")
        options = {
            "Dir::Etc::SourceList": state / "sources.list",
            "Dir::Etc::SourceParts": state / "etc",
            "Dir::State::Lists": state / "lists",
            "Dir::Cache": state / "cache",
            "APT::Sandbox::User": os.environ.get("USER", "root"),
            "APT::Update::Error-Mode": "any",
            "Debug::NoLocking": "true",
        }
        given = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]

        def call(command: str, *arguments: str, ok: bool = True) -> str:
            return run("apt-get", *given, command, *arguments, ok=ok)

        return call

    yield make


@pytest.fixture
def web(repository: Path) -> Iterator[str]:
    """The address of a web server that serves the repository."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(repository))
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class TestRepository:
    def test_apt_finds_the_package_by_name_in_a_folder(
        self, repository: Path, apt: Callable[[str, str], Apt]
    ) -> None:
        get = apt(f"file:{repository}", f"{repository}/openspp-ftpd.asc")
        get("update")
        assert f"Inst openspp-ftpd ({openspp_ftpd.__version__} " in get(
            "install", "--simulate", "--reinstall", "openspp-ftpd"
        )

    def test_and_on_a_web_server(
        self, repository: Path, web: str, apt: Callable[[str, str], Apt], tmp_path: Path
    ) -> None:
        get = apt(web, f"{repository}/openspp-ftpd.asc")
        get("update")
        assert f"{web}/./openspp-ftpd_" in get(
            "install", "--print-uris", "--yes", "--reinstall", "openspp-ftpd"
        )

    def test_without_its_key_it_is_refused(
        self, repository: Path, apt: Callable[[str, str], Apt], tmp_path: Path
    ) -> None:
        other = tmp_path / "other.asc"
        home = tmp_path / "home"
        home.mkdir(mode=0o700)
        env = {"GNUPGHOME": str(home)}
        new = ("gpg", "--batch", "--passphrase", "", "--quick-gen-key", "no", "ed25519", "sign")
        try:
            run(*new, "never", env=env)
            other.write_text(run("gpg", "--armor", "--export", "no", env=env), "utf-8")
        finally:
            run("gpgconf", "--kill", "all", env=env)
        get = apt(f"file:{repository}", str(other))
        assert "not signed" in get("update", ok=False)

    def test_one_that_was_tampered_with_is_refused(
        self, repository: Path, apt: Callable[[str, str], Apt], tmp_path: Path
    ) -> None:
        copy = tmp_path / "copy"
        shutil.copytree(repository, copy)
        for name in ("Packages", "Packages.gz"):
            (copy / name).unlink()
        text = (repository / "Packages").read_text("utf-8")
        (copy / "Packages").write_text(text.replace("Depends: ", "Depends: nosuch, "), "utf-8")
        get = apt(f"file:{copy}", f"{repository}/openspp-ftpd.asc")
        assert re.search("[Hh]ash [Ss]um mismatch|unexpected size", get("update", ok=False))


@pytest.mark.parametrize(
    "script",
    [
        "debian/build",
        "debian/repository/build",
        "debian/pyftpdlib/build",
        "debian/openspp-ftpd.postinst",
        "debian/openspp-ftpd.prerm",
        "debian/openspp-ftpd.postrm",
        "debian/tests/upload",
    ],
)
def test_a_script_is_one_that_dash_can_read(script: str) -> None:
    assert run("dash", "-n", ROOT / script) == ""
