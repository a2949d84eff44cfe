"""Every command, configuration and sample output in the README is one that works.

Each line is known here, by its program, with what shows that it works; an unknown one fails.
"""

from __future__ import annotations

import configparser
import contextlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from openspp_ftpd import cli
from openspp_ftpd.config import loading
from openspp_ftpd.config.schema import SECTIONS, option
from openspp_ftpd.doctor.firewall import nft_opens
from tests.acceptance.grounds import running
from tests.acceptance.running import TREE, free_ports

README: Final = (TREE / "README.md").read_text(encoding="utf-8")
PORTS: Final = frozenset([8002, *range(3000, 3006)])
"""What a firewall has to let through."""

_CONTAINER_TESTS: Final = "\n".join(
    path.read_text(encoding="utf-8") for path in sorted((TREE / "tests/container").glob("*.py"))
)
_ADMINISTRATOR: Final = f"{os.environ['PATH']}:/usr/sbin:/sbin"

_DEBIAN_RULES: Final = """\
table inet filter {
    chain input { type filter hook input priority filter; policy drop; }
    chain forward { type filter hook forward priority filter; }
    chain output { type filter hook output priority filter; }
}
"""
"""/etc/nftables.conf of Debian, with a policy that turns away."""


def blocks() -> list[str]:
    """The indented blocks, without their indent."""
    found = re.findall(r"(?<=\n\n)((?:    .*\n|\n(?=    ))+)", README)
    return ["".join(line[4:] or "\n" for line in each.splitlines(keepends=True)) for each in found]


def kind_of(block: str) -> str:
    """What a block is: by how it begins."""
    first = block.strip().split()[0]
    if first in CHECKS:
        return "commands"
    if block.startswith("["):
        return "configuration"
    if first in ("✓", "✗", "1", "Listening"):
        return "output"
    return "picture" if first == "scanner" else "unknown"


def commands() -> list[str]:
    """Every command, one a line, those within the text too."""
    found: list[str] = []
    for block in blocks():
        if kind_of(block) == "commands":
            for line in block.replace("\\\n", " ").splitlines():
                found += line.split(" && ")
    text = re.sub(r"^    .*\n", "", README, flags=re.MULTILINE)
    found += [code for code in re.findall(r"`([^`\n]+)`", text) if code.split()[0] in CHECKS]
    return list(dict.fromkeys(re.sub(r"\s+# .*", "", command).strip() for command in found))


def said_by(*command: str | Path, cwd: Path = TREE) -> str:
    """What a program prints; it must succeed."""
    ran = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, "PATH": _ADMINISTRATOR},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


def understood(arguments: Sequence[str]) -> None:
    """Our command line understands it."""
    if arguments:
        cli._parser(arguments).parse_args(arguments)


# -- what shows that a line works, by its program


def of_openspp_ftpd(words: list[str]) -> None:
    understood(words[1:])


def of_python(words: list[str]) -> None:
    if words[1:3] == ["-m", "openspp_ftpd"]:
        understood(words[3:])
    else:
        # What they do takes minutes; that they start and know their options is seen here.
        assert words[1:] in (["-m", "tests.bench", "--help"], ["-m", "tests.fuzz.guards"])
        said_by(sys.executable, *words[1:3], "--help")


def of_make(words: list[str]) -> None:
    makefile = (TREE / "Makefile").read_text(encoding="utf-8")
    for word in words[1:]:
        variable, is_set, _ = word.partition("=")
        known = rf"\$\({variable}\)" if is_set else rf"^{word}:"
        assert re.search(known, makefile, re.MULTILINE), word
    said_by("make", "--dry-run", *words[1:])


def of_systemctl(words: list[str]) -> None:
    _, verb, *rest = words
    assert f'"{verb}"' in _CONTAINER_TESTS, f"no container test does systemctl {verb}"
    for unit in (word for word in rest if not word.startswith("-")):
        name = unit if "." in unit else f"{unit}.service"
        assert unit == "fail2ban" or (TREE / "systemd" / name).exists(), unit


def of_journalctl(words: list[str]) -> None:
    said_by(*words, "--no-pager", "--lines=0")


def of_apt(words: list[str]) -> None:
    _, verb, *packages = words
    assert re.search(rf'"(?:dist-)?{verb}"', _CONTAINER_TESTS)
    assert set(packages) <= {"openspp-ftpd", "certbot"}


def of_curl(words: list[str]) -> None:
    if words[1] == "-o":
        assert words[2] == "/etc/apt/keyrings/openspp-ftpd.asc"
        assert words[3].endswith("/openspp-ftpd.asc")
    else:  # they are asked for in `test_the_pages_are_served`
        assert words[1].startswith("http://127.0.0.1:9464/")


def of_cp(words: list[str]) -> None:
    _, source, target = words
    if source.startswith("/usr/share/doc/openspp-ftpd/examples/"):
        assert (TREE / "systemd" / "examples" / Path(source).name).exists()
        assert f"mkdir -p {target.rstrip('/')}" in README
    else:
        assert (source, target) == (
            "/media/usb/openspp-ftpd/openspp-ftpd.asc",
            "/etc/apt/keyrings/",
        )


def of_echo(words: list[str]) -> None:
    """test_package_policy.py has apt take such a line from a web server and from a folder."""
    _, line, redirection, file = words
    key = re.escape("[signed-by=/etc/apt/keyrings/openspp-ftpd.asc]")
    assert re.fullmatch(rf"deb {key} (?:https|file):/\S+ \./", line)
    assert (redirection, file) == (">", "/etc/apt/sources.list.d/openspp-ftpd.list")


def of_git(words: list[str]) -> None:
    assert words == ["git", "clone", "URL-OF-THIS-REPOSITORY", "openspp-ftpd"]


def of_cd(words: list[str]) -> None:
    assert words == ["cd", "openspp-ftpd"]


def of_mkdir(words: list[str]) -> None:
    *command, folder = words
    assert command in (["mkdir", "-m", "700"], ["mkdir", "-p"])
    assert folder.startswith(("/dev/shm/", "/etc/systemd/system/openspp-ftpd.socket.d"))


def of_nano(words: list[str]) -> None:
    assert words == ["nano", cli.CONFIGURATION]


def of_man(words: list[str]) -> None:
    assert f'"man", "--pager=cat", "5", "{words[1]}"' in _CONTAINER_TESTS


def of_pytest(words: list[str]) -> None:
    assert words == ["pytest"]


def of_nft(words: list[str]) -> None:
    """In a network of its own, with Debian's rules."""
    script = f"nft -f - <<'END'\n{_DEBIAN_RULES}END\n{shlex.join(words)}\nnft --json list ruleset"
    as_root = () if os.geteuid() == 0 else ("--map-root-user",)
    rules = said_by("unshare", "--net", *as_root, "sh", "-euc", script)
    assert nft_opens(json.loads(rules)["nftables"]) == PORTS


def of_ufw(words: list[str]) -> None:
    assert words[:2] == ["ufw", "allow"]
    assert re.fullmatch(r"(\d+)(?::\d+)?/tcp", words[2])


def of_certbot(words: list[str]) -> None:
    """tests/container/test_reload.py renews certificates as certbot does."""
    assert words[1:4] == ["certonly", "--standalone", "-d"]
    domain, hook, does = words[4:]
    assert hook == "--deploy-hook"
    of_systemctl(shlex.split(does))
    for file in ("fullchain", "privkey"):
        assert f"= /etc/letsencrypt/live/{domain}/{file}.pem\n" in README


def of_make_ssl_cert(words: list[str]) -> None:
    program = shutil.which(words[0], path=_ADMINISTRATOR)
    assert program
    assert words[1] in Path(program).read_text("utf-8")


CHECKS: Final[dict[str, Callable[[list[str]], None]]] = {
    "apt": of_apt,
    "cd": of_cd,
    "certbot": of_certbot,
    "cp": of_cp,
    "curl": of_curl,
    "echo": of_echo,
    "git": of_git,
    "journalctl": of_journalctl,
    "make": of_make,
    "make-ssl-cert": of_make_ssl_cert,
    "man": of_man,
    "mkdir": of_mkdir,
    "nano": of_nano,
    "nft": of_nft,
    "openspp-ftpd": of_openspp_ftpd,
    "pytest": of_pytest,
    "python3": of_python,
    "systemctl": of_systemctl,
    "ufw": of_ufw,
}


@pytest.mark.parametrize("command", commands())
def test_a_command_works(command: str) -> None:
    words = shlex.split(command)
    CHECKS[words[0]](words)


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.strip()[:30])
def test_a_block_is_of_a_kind_that_is_looked_at(block: str) -> None:
    kind = kind_of(block)
    assert kind != "unknown"
    if kind == "commands":
        assert all(line.split()[0] in CHECKS for line in block.replace("\\\n", " ").splitlines())
        assert not re.search(
            r"systemctl (?!daemon-reload)[\w-]+\s*$", block, re.MULTILINE
        ), "no unit"
        said_by("dash", "-nc", block)


def test_no_block_is_overlooked() -> None:
    indented = [line for line in README.splitlines() if line.startswith("    ")]
    assert len(indented) == sum(
        bool(line.strip()) for block in blocks() for line in block.splitlines()
    )


def test_ufw_opens_every_port() -> None:
    opened: set[int] = set()
    for command in commands():
        if command.startswith("ufw"):
            first, _, last = command.split()[2].removesuffix("/tcp").partition(":")
            opened.update(range(int(first), int(last or first) + 1))
    assert opened == PORTS


def test_options_of_commands_exist() -> None:
    helped = ""
    for command in cli.COMMANDS:
        with contextlib.redirect_stdout(io.StringIO()) as told, pytest.raises(SystemExit):
            cli._parser([command, "--help"]).parse_args([command, "--help"])
        helped += told.getvalue()
    named = re.findall(r"`(--[\w-]+)(?: [^`]+)?`", README)
    assert len(named) > 5
    assert [name for name in named if name not in helped] == []


@pytest.mark.parametrize(
    "block", [each for each in blocks() if kind_of(each) == "configuration"], ids=lambda b: b[:30]
)
def test_a_configuration_has_no_mistakes(block: str, tmp_path: Path) -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(block)
    if parser.sections() == ["openspp-ftpd"]:  # Fail2Ban's
        jail = (TREE / "etc/fail2ban/jail.d/openspp-ftpd.conf").read_text("utf-8")
        example = re.sub(r"^#\s*", "", jail, flags=re.MULTILINE)
        assert block.strip() in example
        return
    assert set(parser.sections()) <= set(SECTIONS)
    file = tmp_path / "openspp-ftpd.conf"
    needed = "" if "openspp" in parser else "[openspp]\nurl = https://openspp.ministry.test\n"
    file.write_text(f"{block}\n{needed}")
    assert not loading.understand(loading.read(str(file))).mistakes


def test_lines_of_a_configuration_in_the_text_are_right(tmp_path: Path) -> None:
    named = re.findall(r"`\[(\w+)\] (\w+) = ([^`]+)`", README)
    assert len(named) > 5
    for section, name, value in named:
        described = option(section, name)
        assert described is not None
        described.parse(value)


# -- sample outputs


def alike(line: str) -> str:
    """A line without what differs from run to run: numbers, units, addresses, names, columns."""
    line = re.sub(r"https?://[^\s/;:]+(?::\d+)?", "URL", line)
    line = re.sub(r"(?<![\w.])/[\w./-]+", "PATH", line)
    line = re.sub(r"[\w-]+\.pdf", "FILE", line)
    line = re.sub(r"\d+(?:[.:-]\d+)*", "0", line)
    line = re.sub(r"\b[kMG]B\b", "B", line)
    return " ".join(line.split())


@pytest.fixture(scope="module")
def printed(
    tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]
) -> Iterator[set[str]]:
    """What check, try and status print, `alike`: all well, no directory, and OpenSPP stopped."""
    folder = tmp_path_factory.mktemp("samples")
    status = folder / "status"
    said: list[str] = []

    def ours(*arguments: str) -> None:
        ran = subprocess.run(
            [sys.executable, "-m", "openspp_ftpd", *arguments],
            cwd=TREE,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ran.stderr == ""
        said.append(ran.stdout)

    with running(folder, certificate, listen_host="127.0.0.1", status_socket=status) as ground:
        configuration = str(ground.daemon.configuration)
        for user in ("alice", "bob"):
            secret = folder / user
            secret.write_text(f"scan-{user}\n")
            chosen = ("--config", configuration, "--user", user, "--password-file", str(secret))
            ours("try", *chosen)
        ours("status", "--socket", str(status))
        ground.openspp.kill()
        ground.daemon.kill()
        ours("check", "--all", "--config", configuration)
    yield {alike(line) for text in said for line in text.splitlines()}


@pytest.mark.parametrize(
    "line",
    [
        line
        for each in blocks()
        if kind_of(each) == "output"
        for line in each.splitlines()
        if line.strip()
    ],
)
def test_a_sample_is_what_is_printed(line: str, printed: set[str]) -> None:
    implicit = alike("127.0.0.1:8002, 127.0.0.1:990 (implicit TLS); TLS optional")
    shown = {each.replace(implicit, "0; TLS optional") for each in printed}
    assert alike(line) in shown


def test_the_pages_are_served(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with running(tmp_path, options={"metrics": {"listen": f"127.0.0.1:{port}"}}):
        for command in commands():
            if command.startswith("curl http://127.0.0.1:9464/"):
                here = shlex.split(command.replace("9464", str(port)))
                assert said_by(*here, "--fail", "--retry-connrefused", "--retry", "20")
