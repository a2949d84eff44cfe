"""What ufw and nft say about the ports is understood; what is not, warns of nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from openspp_ftpd.doctor import firewall
from openspp_ftpd.doctor.findings import Level

UFW = """\
Status: active

To                         Action      From
--                         ------      ----
22/tcp                     ALLOW       Anywhere
8002/tcp                   ALLOW       192.168.0.0/16
3000:3005/tcp              ALLOW       Anywhere
4000,4002/tcp              LIMIT       Anywhere
5000/udp                   ALLOW       Anywhere
6000/tcp                   DENY        Anywhere
8002/tcp (v6)              ALLOW       Anywhere (v6)
"""

PORTS = [8002, 3000, 3001, 3002]


def test_ufw_names_ports_and_ranges() -> None:
    opened = firewall.ufw_opens(UFW)
    assert {22, 8002, *range(3000, 3006), 4000, 4002} == opened


def test_ufw_may_let_everything_through() -> None:
    assert 8002 in firewall.ufw_opens("Status: active\n\nAnywhere   ALLOW   10.0.0.0/8\n")


def chain(policy: str = "drop", name: str = "input", **more: Any) -> dict[str, Any]:
    """A chain; with hook and type a base chain."""
    base = {"type": "filter", "hook": "input", "policy": policy} if name == "input" else {}
    return {"chain": {"family": "inet", "table": "filter", "name": name, **base, **more}}


def rule(*parts: dict[str, Any], of: str = "input") -> dict[str, Any]:
    """A rule of a chain."""
    return {"rule": {"family": "inet", "table": "filter", "chain": of, "expr": list(parts)}}


def dport(right: Any, protocol: str = "tcp") -> dict[str, Any]:
    """A match of the destination port."""
    payload = {"payload": {"protocol": protocol, "field": "dport"}}
    return {"match": {"op": "==", "left": payload, "right": right}}


ACCEPT: dict[str, Any] = {"accept": None}
ESTABLISHED = {
    "match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}
}
LOOPBACK = {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "lo"}}
OFFICE = {
    "match": {
        "op": "==",
        "left": {"payload": {"protocol": "ip", "field": "saddr"}},
        "right": {"prefix": {"addr": "10.0.0.0", "len": 8}},
    }
}


class TestNft:
    def test_without_an_input_chain_all_is_open(self) -> None:
        assert firewall.nft_opens([]) >= set(PORTS)

    def test_a_chain_that_accepts_by_policy_closes_nothing(self) -> None:
        assert firewall.nft_opens([chain("accept"), rule(dport(22), ACCEPT)]) >= set(PORTS)

    def test_a_rule_at_the_end_can_close_it_all_the_same(self) -> None:
        entries = [chain("accept"), rule(dport(22), ACCEPT), rule({"reject": None})]
        assert firewall.nft_opens(entries) == {22}

    @pytest.mark.parametrize(
        ("right", "opened"),
        [
            (8002, {8002}),
            ({"range": [3000, 3002]}, {3000, 3001, 3002}),
            ({"set": [8002, {"range": [3000, 3001]}]}, {8002, 3000, 3001}),
        ],
        ids=["one", "range", "set"],
    )
    def test_ports_one_a_range_a_set(self, right: Any, opened: set[int]) -> None:
        assert firewall.nft_opens([chain(), rule(dport(right), ACCEPT)]) == opened

    def test_a_named_set_is_given_the_benefit_of_the_doubt(self) -> None:
        assert firewall.nft_opens([chain(), rule(dport("@scans"), ACCEPT)]) >= set(PORTS)

    def test_what_lets_answers_and_this_machine_through_opens_nothing(self) -> None:
        entries = [chain(), rule(ESTABLISHED, ACCEPT), rule(LOOPBACK, ACCEPT)]
        entries += [rule(dport(53, "udp"), ACCEPT)]
        assert firewall.nft_opens(entries) == set()

    def test_what_is_open_to_some_addresses_is_open(self) -> None:
        assert firewall.nft_opens([chain(), rule(OFFICE, ACCEPT)]) >= set(PORTS)

    def test_a_jump_is_followed_with_what_led_there(self) -> None:
        entries = [
            chain(),
            chain(name="scans"),
            rule(dport({"range": [3000, 4000]}), {"jump": {"target": "scans"}}),
            rule(dport({"set": [3000, 3001, 9999]}), ACCEPT, of="scans"),
        ]
        assert firewall.nft_opens(entries) == {3000, 3001}

    def test_chains_that_go_in_circles_end(self) -> None:
        entries = [chain(), chain(name="one"), rule({"jump": {"target": "one"}})]
        entries += [rule({"goto": {"target": "one"}}, of="one")]
        assert firewall.nft_opens(entries) == set()

    def test_every_chain_must_let_it_through(self) -> None:
        other = [
            {"chain": {**chain()["chain"], "table": "other"}},
            {"rule": {**rule(dport(3000), ACCEPT)["rule"], "table": "other"}},
        ]
        entries = [chain(), rule(dport({"range": [3000, 3001]}), ACCEPT), *other]
        assert firewall.nft_opens(entries) == {3000}


class TestTheFinding:
    def programs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **said: str) -> None:
        for name, words in said.items():
            program = tmp_path / name
            program.write_text(f"#!/bin/sh\ncat <<'END'\n{words}\nEND\n")
            program.chmod(0o755)
        monkeypatch.setattr(firewall, "_WHERE", f"{tmp_path}")
        monkeypatch.setenv("PATH", "/usr/bin:/bin")

    def test_a_closed_port_is_named_with_the_command_that_opens_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.programs(tmp_path, monkeypatch, ufw=UFW)
        (finding,) = firewall.check_firewall([8002, 3005, 3006])
        assert finding.level is Level.WARNING
        assert "3006" in finding.text
        assert "3005" not in finding.text
        assert finding.mend.startswith("ufw allow")

    def test_open_ports_are_fine(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        rules = [{"metainfo": {}}, chain(), rule(dport({"range": [3000, 9000]}), ACCEPT)]
        nft = json.dumps({"nftables": rules})
        self.programs(tmp_path, monkeypatch, nft=nft, ufw="Status: inactive")
        (finding,) = firewall.check_firewall(PORTS)
        assert finding.level is Level.FINE

    @pytest.mark.parametrize("said", ["", "no json", '{"other": 1}', '{"nftables": [{"rule": 7}]}'])
    def test_what_is_not_understood_is_passed_over(
        self, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.programs(tmp_path, monkeypatch, nft=said)
        assert list(firewall.check_firewall(PORTS)) == []

    def test_without_a_firewall_nothing_is_said(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.programs(tmp_path, monkeypatch)
        assert list(firewall.check_firewall(PORTS)) == []
