"""Addresses, ports and networks: what can be written, and what is said about anything else."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from openspp_ftpd.settings import PublicAddress
from tests.unit.option_lines import bad, good


class TestListeners:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("0.0.0.0:21", ["0.0.0.0:21"]),
            ("[::]:21, 10.0.0.1:2121", ["[::]:21", "10.0.0.1:2121"]),
            (":21", ["0.0.0.0:21", "[::]:21"]),
            ("[0:0::1]:21,", ["[::1]:21"]),
            ("[fe80::1%eth0]:21", ["[fe80::1%eth0]:21"]),
        ],
    )
    def test_what_can_be_written(self, text: str, expected: list[str]) -> None:
        assert [str(found) for found in good("ftp", f"listen = {text}").ftp.listen] == expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("21", "'21' has no address; write :21 for all, or 127.0.0.1:21"),
            (
                "10.0.0.1",
                "'10.0.0.1' has no port; write address:port, for example 0.0.0.0:8002",
            ),
            (
                "::1:21",
                "'::1:21' is not to be told apart; write an IPv6 address and its port as"
                " [::1]:8002",
            ),
            ("[::1]", "'[::1]' has no port; write address:port, for example 0.0.0.0:8002"),
            (
                "[]:21",
                "'[]:21' is no address; write address:port, for example 0.0.0.0:8002 or [::]:8002",
            ),
            (
                "localhost:21",
                "'localhost' is no IP address; write one of this machine's, 127.0.0.1 for itself"
                " alone, or :21 for all of them",
            ),
            (":0", "port 0 is out of range; 1 to 65535 are possible"),
            (":70000", "port 70000 is out of range; 1 to 65535 are possible"),
        ],
    )
    def test_what_cannot(self, text: str, expected: str) -> None:
        assert bad("ftp", f"listen = {text}") == expected


class TestPassivePorts:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("3000-3002", (3000, 3001, 3002)),
            ("3000,3001", (3000, 3001)),
            ("4000, 3000 - 3001 , 5000", (3000, 3001, 4000, 5000)),
            ("3000", (3000,)),
        ],
    )
    def test_ranges_and_lists(self, text: str, expected: tuple[int, ...]) -> None:
        assert good("ftp", f"passive_ports = {text}").ftp.passive_ports == expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (
                "",
                "is empty; write the ports the firewall lets through, for example 3000-3005",
            ),
            (
                ", ,",
                "is empty; write the ports the firewall lets through, for example 3000-3005",
            ),
            ("3000 3001", "'3000 3001' is no port; write 3000-3005 or 3000,3001"),
            ("3000..3005", "'3000..3005' is no port; write 3000-3005 or 3000,3001"),
            ("3005-3000", "3005-3000 runs backwards; write 3000-3005"),
            ("3000-3005, 3003", "port 3003 is named twice; name it once"),
            ("20", "port 20 is out of range; 1024 to 65535 are possible"),
            ("3000-70000", "port 70000 is out of range; 1024 to 65535 are possible"),
            (
                "20000-30000",
                "these are 10001 ports, 1000 are possible; six serve an office, since scanners of"
                " different addresses share them",
            ),
        ],
    )
    def test_what_cannot_be_written(self, text: str, expected: str) -> None:
        assert bad("ftp", f"passive_ports = {text}") == expected


class TestPublicAddressAndNetworks:
    def test_one_for_everybody_and_one_for_a_network(self) -> None:
        found = good("ftp", "public_address = 10.0.0.0/8=10.0.0.5, scan.gov.iq, ::1/128=10.0.0.6")
        assert found.ftp.public_address == (
            PublicAddress("10.0.0.5", ip_network("10.0.0.0/8")),
            PublicAddress("scan.gov.iq"),
            PublicAddress("10.0.0.6", ip_network("::1/128")),
        )

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (
                "a.gov.iq, b.gov.iq",
                "two addresses are given for everybody; keep one of them",
            ),
            (
                "10.0.0.0/8=a, 10.0.0.0/8=b",
                "two addresses are given for the clients of 10.0.0.0/8; keep one of them",
            ),
            (
                "[2001:db8::1]",
                "[2001:db8::1] is IPv6, but a 227 reply can only tell IPv4; write an IPv4 address",
            ),
            ("0.0.0.0", "0.0.0.0 cannot be connected to; write the address scanners connect to"),
            ("300.0.0.1", "'300.0.0.1' is no name and no IPv4 address"),
            ("scan gov", "'scan gov' is no name and no IPv4 address"),
            (
                "10.0.0.0/8=",
                "an address is missing; write a name or IPv4 address, or network=address",
            ),
            ("office=10.0.0.5", "'office' is no network; write it like 10.0.0.0/8"),
            (
                "10.0.0.5/8=10.0.0.5",
                "10.0.0.5/8 names an address inside the network 10.0.0.0/8; write 10.0.0.0/8",
            ),
        ],
    )
    def test_what_cannot_be_written(self, text: str, expected: str) -> None:
        assert bad("ftp", f"public_address = {text}") == expected

    def test_trusted_networks(self) -> None:
        found = good("limits", "trusted_networks = 10.0.0.0/8, 192.168.1.20, fd00::/8")
        assert found.limits.trusted_networks == (
            ip_network("10.0.0.0/8"),
            ip_network("192.168.1.20/32"),
            ip_network("fd00::/8"),
        )

    def test_what_is_no_network(self) -> None:
        assert bad("limits", "trusted_networks = office") == (
            "'office' is no network; write it like 10.0.0.0/8"
        )
