"""The tree keeps its shape: what lies at the top, who imports whom, where the version is."""

import ast
import fnmatch
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import openspp_ftpd

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "openspp_ftpd"
LONGEST_MODULE = 400  # lines; a module that passes this wants to become two

TOP_LEVEL = {
    "openspp_ftpd",
    "debian",
    "systemd",
    "etc",
    "tests",
    "setup.py",
    "Makefile",
    "README.md",
    "LICENSE",
}

# Modules without input, output or a clock of their own: they compute, and are told the time.
PURE = {
    "openspp_ftpd",
    "openspp_ftpd.errors",
    "openspp_ftpd.settings",
    "openspp_ftpd.names",
    "openspp_ftpd.content",
    "openspp_ftpd.limits",
    "openspp_ftpd.ledger",
    "openspp_ftpd.delivery.logins",
    "openspp_ftpd.delivery.slots",
    "openspp_ftpd.delivery.turns",
    "openspp_ftpd.whole",
    "openspp_ftpd.pdf",
    "openspp_ftpd.doctor.findings",
    "openspp_ftpd.openspp.answers",
    "openspp_ftpd.openspp.odoo_answers",
    "openspp_ftpd.openspp.odoo_calls",
    "openspp_ftpd.openspp.odoo_keys",
    "openspp_ftpd.status.gathering",
    "openspp_ftpd.status.snapshot",
    "openspp_ftpd.status.text",
    "openspp_ftpd.supervisor.lending",
    "openspp_ftpd.supervisor.messages",
    "openspp_ftpd.supervisor.shares",
}
# What they may take from the standard library; nothing else of anybody's.
PURE_LIBRARY = {
    "__future__",
    "abc",
    "base64",
    "binascii",
    "bisect",
    "codecs",
    "collections",
    "contextlib",
    "copy",
    "dataclasses",
    "datetime",
    "difflib",
    "enum",
    "fnmatch",
    "functools",
    "hashlib",
    "hmac",
    "html",
    "ipaddress",
    "itertools",
    "json",
    "math",
    "operator",
    "posixpath",
    "re",
    "string",
    "struct",
    "textwrap",
    "types",
    "typing",
    "unicodedata",
    "zlib",
}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "__import__"}
CLOCKS = {"now", "utcnow", "today"}

# The layers above the pure modules, lowest first; a module that is not named is of the lowest.
# A module imports from its own layer and from those below.
LAYERS = (
    ("openspp_ftpd.ftp",),
    ("openspp_ftpd.serving", "openspp_ftpd.monitor"),
    ("openspp_ftpd.supervisor",),
    ("openspp_ftpd.server",),
    ("openspp_ftpd.doctor", "openspp_ftpd.demo", "openspp_ftpd.sandbox"),
    ("openspp_ftpd.cli",),
    ("openspp_ftpd.__main__",),
)

# Library -> the part of the tree that alone may import it.
OWNERS = {
    "pyftpdlib": "openspp_ftpd.ftp",
    "asyncore": "openspp_ftpd.ftp",
    "asynchat": "openspp_ftpd.ftp",
    "requests": "openspp_ftpd.openspp",
    "urllib3": "openspp_ftpd.openspp",
    "OpenSSL": "openspp_ftpd.tls",
    "prometheus_client": "openspp_ftpd.metrics",
}

# Character classes, so that this file does not match itself.
MACHINE_BOUND = re.compile(
    r"py[p]i\.org|py[t]honhosted|reg[i]stry\.npmjs|cra[t]es\.io|docke[r]\.io|gh[c]r\.io"
    r"|\.\./s[h]ared|/w[o]rk/(?:main|shared)|/tm[p]/(?:spec|lint|t)/|/ro[o]t/|/Use[r]s/|\.py[e]nv"
)


def is_part(module: str, part: str) -> bool:
    """Whether the module is the named one or lies inside it."""
    return module == part or module.startswith(part + ".")


def layer(module: str) -> int:
    """The height of a module: 0 is pure, 1 the lowest layer above that."""
    if module in PURE:
        return 0
    for height, parts in enumerate(LAYERS, start=2):
        if any(is_part(module, part) for part in parts):
            return height
    return 1


def imports(module: str, source: str, modules: set[str], is_package: bool) -> set[str]:
    """Every module that the source imports, anywhere in it, by its full name."""
    package = module if is_package else module.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                above = ".".join(parts[: len(parts) - node.level + 1])
                base = f"{above}.{base}" if base else above
            members = {f"{base}.{name.name}" for name in node.names}
            found.update(members & modules)
            if members - modules:
                found.add(base)
    return found


def import_offences(module: str, imported: str) -> Iterator[str]:
    """What is wrong with one import, if anything."""
    library = imported.split(".")[0]
    owner = OWNERS.get(library)
    if owner and not is_part(module, owner):
        yield f"{module} imports {imported}: only {owner} may"
    if library == "openspp_ftpd":
        if layer(imported) > layer(module):
            yield f"{module} imports {imported}, which lies above it"
        sandbox = "openspp_ftpd.sandbox"
        if is_part(module, sandbox) and layer(imported) and not is_part(imported, sandbox):
            yield f"{module} imports {imported}: the two halves could agree on a mistake"
    elif module in PURE and library not in PURE_LIBRARY:
        yield f"{module} is pure and imports {imported}"


def purity_offences(module: str, source: str) -> Iterator[str]:
    """Input, output and clocks in a pure module."""
    if module not in PURE:
        return
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name) and called.id in IMPURE_CALLS:
            yield f"{module} is pure and calls {called.id}()"
        if isinstance(called, ast.Attribute) and called.attr in CLOCKS:
            yield f"{module} is pure and asks the clock: {called.attr}()"


def offences(files: dict[str, str]) -> list[str]:
    """Every breach of the layers. files: path below the root -> source."""

    def name_of(path: str) -> str:
        return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    modules = {name_of(path) for path in files}
    found: list[str] = []
    for path, source in files.items():
        module = name_of(path)
        for imported in sorted(imports(module, source, modules, path.endswith("/__init__.py"))):
            found.extend(import_offences(module, imported))
        found.extend(purity_offences(module, source))
    return found


def our_modules() -> dict[str, str]:
    """Every module of the package with its source."""
    return {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def is_ignored(name: str) -> bool:
    """Whether .gitignore names this file or folder."""
    patterns = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    return any(fnmatch.fnmatch(name, pattern.strip("/")) for pattern in patterns)


def our_files() -> Iterator[Path]:
    """Every file of the tree that is not made by a tool."""
    for top in ROOT.iterdir():
        if top.name == ".git" or is_ignored(top.name):
            continue
        for path in [top] if top.is_file() else top.rglob("*"):
            inside = path.relative_to(ROOT).parts
            if path.is_file() and not any(is_ignored(part) for part in inside):
                yield path


def test_the_top_level_holds_only_what_belongs_there() -> None:
    names = {path.name for path in ROOT.iterdir() if not is_ignored(path.name)}
    assert {name for name in names if not name.startswith(".")} - TOP_LEVEL == set()


@pytest.mark.parametrize("name", ["README.md", "LICENSE", "Makefile", "setup.py", ".ci/run"])
def test_the_top_level_holds_what_a_newcomer_looks_for(name: str) -> None:
    assert (ROOT / name).stat().st_size > 0


def test_every_module_imports_only_what_its_layer_may() -> None:
    modules = our_modules()
    assert "openspp_ftpd/errors.py" in modules
    assert offences(modules) == []


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("openspp_ftpd/names.py", "import os", "is pure and imports os"),
        ("openspp_ftpd/names.py", "from os import path", "is pure and imports os"),
        ("openspp_ftpd/limits.py", "import time", "is pure and imports time"),
        ("openspp_ftpd/ledger.py", "import threading", "is pure and imports threading"),
        ("openspp_ftpd/tls.py", "import requests", "only openspp_ftpd.openspp may"),
        ("openspp_ftpd/content.py", "open('x')", "is pure and calls open()"),
        ("openspp_ftpd/ledger.py", "x = datetime.now()", "is pure and asks the clock"),
        ("openspp_ftpd/names.py", "from .spool import Spool", "lies above it"),
        ("openspp_ftpd/names.py", "from . import spool", "lies above it"),
        ("openspp_ftpd/names.py", "import openspp_ftpd.spool", "lies above it"),
        ("openspp_ftpd/openspp/answers.py", "from ..spool import Spool", "lies above it"),
        ("openspp_ftpd/openspp/answers.py", "import requests", "is pure and imports requests"),
        ("openspp_ftpd/spool.py", "import pyftpdlib.ioloop", "only openspp_ftpd.ftp may"),
        ("openspp_ftpd/server.py", "from pyftpdlib import ioloop", "only openspp_ftpd.ftp may"),
        ("openspp_ftpd/spool.py", "def f():\n    import urllib3", "only openspp_ftpd.openspp may"),
        ("openspp_ftpd/ftp/data.py", "from OpenSSL import SSL", "only openspp_ftpd.tls may"),
        ("openspp_ftpd/ftp/data.py", "from ..server import Server", "lies above it"),
        ("openspp_ftpd/spool.py", "from .ftp.data import Data", "lies above it"),
        ("openspp_ftpd/ftp/__init__.py", "from .. import cli", "lies above it"),
        ("openspp_ftpd/sandbox/users.py", "from ..openspp import client", "agree on a mistake"),
        ("openspp_ftpd/doctor.py", "from openspp_ftpd import cli", "lies above it"),
    ],
)
def test_a_forbidden_import_is_found(path: str, source: str, complaint: str) -> None:
    others = dict.fromkeys(
        ["openspp_ftpd/spool.py", "openspp_ftpd/cli.py", "openspp_ftpd/openspp/client.py"], ""
    )
    found = offences({**others, path: source})
    assert len(found) == 1
    assert complaint in found[0]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("openspp_ftpd/names.py", "import re\nfrom .errors import Failure"),
        ("openspp_ftpd/openspp/answers.py", "from ..errors import Failure"),
        ("openspp_ftpd/openspp/client.py", "import requests\nfrom .answers import Stored"),
        ("openspp_ftpd/tls.py", "from OpenSSL import SSL"),
        ("openspp_ftpd/ftp/data.py", "import pyftpdlib\nfrom ..spool import Spool"),
        ("openspp_ftpd/server.py", "from .ftp.data import Data"),
        ("openspp_ftpd/sandbox/users.py", "import os\nfrom . import documents"),
        ("openspp_ftpd/cli.py", "from . import server, sandbox, doctor"),
        ("openspp_ftpd/spool.py", "from . import __version__"),
    ],
)
def test_an_allowed_import_is_let_pass(path: str, source: str) -> None:
    others = dict.fromkeys(
        ["openspp_ftpd/server.py", "openspp_ftpd/sandbox/documents.py", "openspp_ftpd/doctor.py"],
        "",
    )
    assert offences({**others, path: source}) == []


def test_the_version_is_written_in_one_place() -> None:
    version = re.compile(rf"(?<![\d.]){re.escape(openspp_ftpd.__version__)}(?![\d.])")
    places = [ROOT / "setup.py", ROOT / "Makefile", *PACKAGE.rglob("*.py")]
    holders = [path for path in places if version.search(path.read_text(encoding="utf-8"))]
    assert holders == [PACKAGE / "__init__.py"]


def test_the_package_is_built_with_that_version() -> None:
    built = subprocess.run(
        [sys.executable, "setup.py", "--quiet", "--version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert built.stdout.split()[-1] == openspp_ftpd.__version__


def test_no_timer_is_put_off() -> None:
    """pyftpdlib's `reset` leaves its heap in disorder: it hides timers that are due before."""
    found = [
        f"{path}:{node.lineno}"
        for path, source in our_modules().items()
        if not path.startswith("openspp_ftpd/sandbox/")  # its connections are reset, not timers
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and node.attr == "reset"
    ]
    assert found == []


def test_no_module_is_too_long_to_read() -> None:
    lengths = {path: len(source.splitlines()) for path, source in our_modules().items()}
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_MODULE} == {}


def test_no_file_is_bound_to_one_machine_or_registry() -> None:
    found: list[str] = []
    for path in our_files():
        # Data in another code page is data; the places looked for are ASCII.
        text = path.read_text(encoding="ascii", errors="replace")
        found.extend(f"{path.relative_to(ROOT)}: {hit}" for hit in MACHINE_BOUND.findall(text))
    assert found == []
