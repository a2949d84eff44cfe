"""The privileged step before a start and a reload: copies of certificate and key for the daemon.

The unit runs it as root (ExecStartPre=+, ExecReload=+), for a key may be readable by root alone.
Where certificate and key are is read from the configuration and nowhere else. The copies go into a
directory of root's that the daemon's group may read; each is a new file that is then renamed, so
that the daemon never sees half of one. Nothing is copied that the daemon's user could have put in
the way of root.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pwd
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from openspp_ftpd.config import loading
from openspp_ftpd.config.world import check_certificate

_LARGEST_FILE: Final = 1024 * 1024
_MOST_LINKS: Final = 40  # as many as the kernel follows (path_resolution(7))
_NAMES: Final = ("certificate.pem", "key.pem")


class Refused(Exception):
    """Nothing was copied; the text says which file, why, and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the step with a command line. Returns 0, or 78 when certificate or key cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python3 -I -m openspp_ftpd.credentials",
        description="Copy certificate and key of a configuration to where the daemon reads them.",
    )
    parser.add_argument("config", metavar="CONFIGURATION", type=Path)
    parser.add_argument("directory", metavar="DIRECTORY", type=Path)
    parser.add_argument("user", metavar="USER", help="the daemon's; its group may read the copies")
    given = parser.parse_args(arguments)
    try:
        hand_over(given.config, given.directory, pwd.getpwnam(given.user))
    except (Refused, loading.ConfigurationError) as error:
        print(error, file=sys.stderr)
        return os.EX_CONFIG
    return 0


def hand_over(config: Path, directory: Path, user: pwd.struct_passwd) -> None:
    """Copy certificate and key of the configuration into the directory, for the user's group.

    Earlier copies stay where anything is wrong. What the daemon finds in the configuration by
    itself (mistakes, TLS off) is left to it.

    Raises Refused; ConfigurationError where certificate or key cannot be served.
    """
    _check_owner(config, user)
    try:
        text = loading.read(str(config))
    except loading.ConfigurationError:
        return
    understood = loading.understand(text)
    configured = understood.settings.tls
    if understood.mistakes or configured.mode == "off":
        return
    contents: list[bytes] = []
    mistakes: list[loading.Mistake] = []
    for option in ("certificate", "key"):
        try:
            contents.append(_read(Path(getattr(configured, option)), user))
        except Refused as refused:
            line = understood.line("tls", option)
            mistakes.append(loading.Mistake(str(config), line, f"[tls] {option}: {refused}"))
    if mistakes:
        raise loading.ConfigurationError(mistakes)
    with _own_directory(directory, user.pw_gid) as descriptor:
        for name, content in zip(_NAMES, contents, strict=True):
            _write(descriptor, f"new.{name}", content, user.pw_gid)
        certificate, key = (f"/proc/self/fd/{descriptor}/new.{name}" for name in _NAMES)
        written = replace(configured, certificate=certificate, key=key)
        for finding in check_certificate(written, datetime.now(UTC)):
            if not finding.is_warning:  # those are the daemon's to tell
                mistakes.append(loading.mistake(str(config), understood, finding, written))
        for name in _NAMES:
            if mistakes:
                os.unlink(f"new.{name}", dir_fd=descriptor)
            else:
                os.rename(f"new.{name}", name, src_dir_fd=descriptor, dst_dir_fd=descriptor)
    if mistakes:
        raise loading.ConfigurationError(mistakes)


def _check_owner(config: Path, user: pwd.struct_passwd) -> None:
    """The file says what root is to read: nobody else may have written it. Raises Refused."""
    mend = f"write it anew, then: chown root:{user.pw_name} {config}; chmod 640 {config}"
    try:
        found = config.stat()
    except OSError:
        return  # the daemon says so
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Refused(f"{config}: somebody else than root may write it; {mend}")
    planted = _planted(config, user)
    if planted:
        raise Refused(f"{config}: somebody else than root may exchange {planted}; {mend}")


def _read(path: Path, user: pwd.struct_passwd) -> bytes:
    """The content of certificate or key. Raises Refused."""
    try:
        planted = _planted(path, user)
        if planted:
            raise Refused(f"{path} is refused, for {user.pw_name} may exchange {planted}")
        if not path.exists():
            raise FileNotFoundError
        if not path.is_file():
            raise Refused(f"{path} is no file; name one in PEM form")
        with path.open("rb") as file:
            return file.read(_LARGEST_FILE)
    except FileNotFoundError:
        raise Refused(
            f"{path} does not exist; name your own, or install the package ssl-cert, which makes"
            " a self-signed one"
        ) from None
    except OSError as error:
        raise Refused(f"{path} cannot be read ({error.strerror}); name one in PEM form") from None


def _planted(path: Path, user: pwd.struct_passwd) -> str:
    """The first thing on the way to `path` that the user could have put there, or "".

    Every folder and link that is passed is looked at. Raises OSError.
    """
    todo = list(path.absolute().parts[1:])
    links = 0
    way = Path("/")
    while todo:
        part = todo.pop(0)
        if part == "..":
            way = way.parent
            continue
        step = way / part
        if _may_exchange(step, user):
            return str(step)
        if not step.is_symlink():
            way = step
            continue
        links += 1
        if links > _MOST_LINKS:
            return str(step)
        target = step.readlink()
        if target.is_absolute():
            way = Path("/")
        todo = [each for each in target.parts if each != "/"] + todo
    return ""


def _may_exchange(entry: Path, user: pwd.struct_passwd) -> bool:
    folder = entry.parent.stat()
    if folder.st_uid == user.pw_uid:
        return True
    writable = folder.st_mode & stat.S_IWOTH or (
        folder.st_gid == user.pw_gid and folder.st_mode & stat.S_IWGRP
    )
    if folder.st_mode & stat.S_ISVTX:  # as in /tmp: only the entry's owner may exchange it
        return bool(writable) and (not entry.exists() or entry.lstat().st_uid == user.pw_uid)
    return bool(writable)


@contextlib.contextmanager
def _own_directory(path: Path, group: int) -> Iterator[int]:
    """A descriptor of the directory, which is root's and which the group may read. Raises Refused.

    Where it lies (/run) only root makes directories; it is checked all the same.
    """
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise Refused(f"{path} is no directory ({error.strerror}); remove it") from None
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise Refused(f"{path} is not root's; remove it")
        os.fchown(descriptor, -1, group)
        os.fchmod(descriptor, 0o750)
        yield descriptor
    finally:
        os.close(descriptor)


def _write(directory: int, name: str, content: bytes, group: int) -> None:
    """A new file that the group may read."""
    with contextlib.suppress(FileNotFoundError):  # left by a step that was killed
        os.unlink(name, dir_fd=directory)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=directory), "wb") as file:
        os.fchown(file.fileno(), -1, group)
        os.fchmod(file.fileno(), 0o640)
        file.write(content)


if __name__ == "__main__":
    sys.exit(main())
