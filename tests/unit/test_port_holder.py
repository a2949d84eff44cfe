"""Who holds a port is named, where that can be known."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from openspp_ftpd import port_holder


def name_of_this_process() -> str:
    """As the kernel has it."""
    return Path("/proc/self/comm").read_text(encoding="utf-8").strip()


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_the_program_that_listens_is_named(family: socket.AddressFamily) -> None:
    try:
        listening = socket.create_server(("", 0), family=family)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listening:
        found = port_holder.holders(listening.getsockname()[1])
    assert found == [f"{name_of_this_process()} (process {os.getpid()})"]


def test_one_that_is_only_connected_holds_no_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        accepted, _ = listening.accept()
    with client, accepted:
        assert port_holder.holders(client.getsockname()[1]) == []


def test_a_free_port_has_no_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert port_holder.holders(port) == []


def test_without_a_table_nobody_is_known(tmp_path: Path) -> None:
    assert port_holder.holders(8002, tmp_path) == []


def test_every_port_of_a_configuration_is_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        ports = sorted(each.getsockname()[1] for each in (one, other))
        path = tmp_path / "openspp-ftpd.conf"
        path.write_text(
            f"[openspp]\nurl = https://openspp.gov.iq\n"
            f"[ftp]\nlisten = 127.0.0.1:{ports[0]}\nlisten_implicit =\npassive_ports = {ports[1]}\n"
        )
        assert port_holder.main([str(path)]) == 0
    holder = f"{name_of_this_process()} (process {os.getpid()})"
    assert capsys.readouterr().err.splitlines() == [
        f"Port {port} is held by {holder}." for port in ports
    ]


def test_a_configuration_that_cannot_be_read_is_left_to_the_daemon(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert port_holder.main([str(tmp_path / "nosuch.conf")]) == 0
    assert capsys.readouterr().err == ""
