"""What the README says of options, replies, events, files and names is what the program does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
import yaml

from openspp_ftpd.config.option import Option
from openspp_ftpd.config.schema import OPTIONS, option
from openspp_ftpd.errors import Problem
from openspp_ftpd.events import Event
from openspp_ftpd.monitor import pages

TREE: Final = Path(__file__).resolve().parents[2]
PACKAGE: Final = TREE / "openspp_ftpd"
README: Final = (TREE / "README.md").read_text(encoding="utf-8")
EXAMPLES: Final = "/usr/share/doc/openspp-ftpd/examples/"


def table(first: str) -> list[list[str]]:
    """The rows, by cells, of the table whose head begins with the cell `first`."""
    found = re.search(rf"^\| {re.escape(first)} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", README, re.M)
    assert found, f"the README has no table of {first}"
    return [re.split(r"(?<!\\) ?\| ?", row)[1:-1] for row in found[1].splitlines()]


def quoted(cell: str) -> list[str]:
    """What stands in `back quotes`."""
    return re.findall(r"`([^`]+)`", cell)


def anchor(heading: str) -> str:
    """What a heading is linked by."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def without_code() -> str:
    """The README without its indented blocks."""
    return re.sub(r"^    .*\n", "", README, flags=re.MULTILINE)


class TestOptions:
    def meant(self, described: Option) -> list[str]:
        """The row of an option: the first sentence of its meaning, with Markdown's own escaped."""
        default = f"`{described.default}`" if described.default else "none"
        if described.name == "url":
            default = "must be set"
        sentence = re.split(r"(?<=[.])\s+(?=[A-Z])", described.meaning)[0].replace("*", r"\*")
        return [f"`[{described.section}] {described.name}`", default, sentence]

    def test_each_stands_once_with_its_default(self) -> None:
        assert table("option") == [self.meant(each) for each in OPTIONS]

    def test_each_variable_of_the_earlier_gateway_has_its_option(self) -> None:
        said = {quoted(variable)[0]: quoted(name)[0] for variable, name in table("variable")}
        assert said == {o.original: f"[{o.section}] {o.name}" for o in OPTIONS if o.original}

    def test_what_the_text_names_exists(self) -> None:
        named = set(re.findall(r"`\[(\w+)\] (\w+)", README))
        assert len(named) >= len(OPTIONS)
        assert [pair for pair in named if option(*pair) is None] == []

    def test_those_that_need_a_restart_are_named(self) -> None:
        (said,) = re.findall(r"A few options need `systemctl restart.*?`[.]\n\n", README, re.DOTALL)
        source = (PACKAGE / "serving.py").read_text(encoding="utf-8")
        needed = re.findall(r'\("\[(\w+)\] (\w+)", old\.', source)
        assert len(needed) > 5
        names = [name for name in quoted(said)[1:] if not name.startswith("[")]
        assert sorted(names) == sorted(name for _, name in needed)

    def test_the_ports_are_the_defaults(self) -> None:
        listen, passive = option("ftp", "listen"), option("ftp", "passive_ports")
        assert listen is not None
        assert passive is not None
        assert listen.default.startswith("0.0.0.0:8002")
        assert passive.default == "3000-3005"
        assert "TCP ports 8002 and 3000-3005" in README


class TestReplies:
    """That all others are there too is held by test_reply_texts.py."""

    @pytest.mark.parametrize("problem", Problem, ids=lambda problem: problem.name)
    def test_every_problem_is_explained_with_its_codes(self, problem: Problem) -> None:
        codes = {problem.login_code, problem.upload_code} - {0}
        row = f"{'/'.join(map(str, sorted(codes)))} {problem.text}"
        said = [advice for reply, advice in table("reply") if reply == row]
        assert len(said) == 1, row
        assert said[0]


class TestJournal:
    def test_every_event_is_explained(self) -> None:
        named = [name for events, _ in table("OPENSPP_EVENT") for name in quoted(events)]
        assert sorted(named) == sorted(event.name.lower() for event in Event)

    def test_every_event_has_a_text_of_its_own_in_the_catalog(self) -> None:
        catalog = (TREE / "systemd" / "openspp-ftpd.catalog").read_text(encoding="utf-8")
        identifiers = re.findall(r"^-- ([0-9a-f]{32})$", catalog, re.MULTILINE)
        assert sorted(identifiers) == sorted(event.message_id for event in Event)


class TestWatching:
    def test_pages_are_served(self) -> None:
        served = pages(lambda: pytest.fail("nobody asks"))
        assert {f"http://127.0.0.1:9464{path}" for path in served} == set(
            re.findall(r"^    curl (http://127\.0\.0\.1:9464\S+)$", README, re.MULTILINE)
        )

    def test_alerts_are_those_of_the_example(self) -> None:
        text = (TREE / "debian" / "examples" / "prometheus-alerts.yml").read_text(encoding="utf-8")
        rules = [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
        (listed,) = re.findall(r"prometheus-alerts\.yml \(([^)]+)\)", README)
        assert quoted(listed) == [rule["alert"] for rule in rules]

    def test_metrics_that_are_named_exist(self) -> None:
        page = (PACKAGE / "metrics" / "page.py").read_text(encoding="utf-8")
        named = re.findall(r"`openspp_ftpd_(\w+)`", README)
        assert named
        assert [name for name in named if f'"{name}"' not in page] == []


class TestFiles:
    def test_every_module_has_its_place_in_the_layout(self) -> None:
        named = [
            name.rstrip("/")
            for part, _ in table("part of `openspp_ftpd/`")
            for name in quoted(part)
        ]
        there = {
            path.name
            for path in PACKAGE.iterdir()
            if (path.is_dir() and (path / "__init__.py").exists())
            or (path.suffix == ".py" and path.name != "__init__.py")
        }
        assert sorted(named) == sorted(there)

    def test_every_kind_of_tests_too(self) -> None:
        named = [quoted(part)[0].rstrip("/") for part, *_ in table("part of `tests/`")]
        there = [path.name for path in (TREE / "tests").iterdir() if path.is_dir()]
        assert sorted(named) == sorted(name for name in there if not name.startswith(("_", ".")))

    def test_examples_that_it_names_are_shipped(self) -> None:
        shipped = {path.name for path in (TREE / "systemd" / "examples").iterdir()}
        shipped |= {path.name for path in (TREE / "debian" / "examples").iterdir()}
        named = set(re.findall(rf"{EXAMPLES}([\w.-]+\w)", README))
        named |= set(re.findall(r"`([\w-]+\.(?:conf|cfg|json|yml))`", README))
        assert len(named) >= len(shipped) - 1
        assert named - shipped <= {"openspp-ftpd.conf"}

    def test_files_of_the_tree_that_it_names_exist(self) -> None:
        named = re.findall(r"`((?:debian|tests|etc|openspp_ftpd)/[\w./-]+)`", README)
        named += [f"tests/acceptance/{name}" for name in re.findall(r"`(test_\w+\.py)`", README)]
        assert len(named) >= 4
        assert [name for name in named if not (TREE / name).exists()] == []


class TestOrder:
    def test_the_top_says_what_to_type(self) -> None:
        top = README[: README.index("\n- [")]
        assert "    make demo " in top
        assert "    make test " in top

    def test_the_table_of_contents_is_all_headings_in_their_order(self) -> None:
        headings = re.findall(r"^##+ (.+)$", without_code(), re.MULTILINE)
        contents = README[: README.index("\n## ")]
        assert re.findall(r"\[([^\]]+)\]\(#([^)]+)\)", contents) == [
            (heading, anchor(heading)) for heading in headings
        ]

    def test_every_link_leads_somewhere(self) -> None:
        anchors = {anchor(each) for each in re.findall(r"^##+ (.+)$", without_code(), re.MULTILINE)}
        links = re.findall(r"\]\(([^)]+)\)", without_code())
        assert len(links) > len(anchors)
        assert [link for link in links if link.removeprefix("#") not in anchors] == []

    def test_every_row_of_a_table_has_as_many_cells_as_its_head(self) -> None:
        for found in re.finditer(r"^\| .*\n(\|[-|]+\|)\n(?:\|.*\n)+", README, re.MULTILINE):
            columns = found[1].count("|")
            for row in found[0].splitlines():
                assert len(re.findall(r"(?<!\\)\|", row)) == columns, row
