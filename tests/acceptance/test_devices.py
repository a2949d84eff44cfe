"""Every device whose dialogue is known gets its job done: the replayer, and all that it plays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.dialogues import (
    Dialogue,
    GaveUp,
    NotStored,
    Stage,
    plays,
    read,
)
from tests.acceptance.interfaces import ODOO

DIALOGUES = read()
LOGIN = ("USER $USER", "PASS $PASS")

# For the tests of the replayer: a device of one upload, to be varied.
SIMPLE: dict[str, Any] = {
    "id": "simple",
    "tls": "none",
    "mode": "passive",
    "commands": [*LOGIN, "PASV", "STOR $NAME.pdf", "QUIT"],
    "stores": ["$NAME.pdf"],
}
OTHERS: dict[str, dict[str, Any]] = {
    "refused": {"commands": [*LOGIN, "TYPE E", "PASV", "STOR $NAME.pdf", "QUIT"]},
    "picky": {"replies": {"QUIT": [200]}},
    "impatient": {"commands": [*LOGIN, "PASV", "STOR a@slow=2.pdf"], "waits": 1},
    "cut-off": {"commands": [*LOGIN, "QUIT", "PASV"]},
    "not-stored": {"commands": [*LOGIN, "QUIT"]},
    "stored-too-often": {"stores": []},
    "other-name": {"stores": ["other.pdf"]},
    "altered": {"commands": [*LOGIN, "PASV", "STOR a.txt"], "stores": ["a.txt"], "replies": {}},
}


def simple(name: str, **changes: Any) -> Dialogue:
    return Dialogue(**{**SIMPLE, "id": name, **changes})


@pytest.fixture(scope="module")
def stage(
    tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]
) -> Iterator[Stage]:
    """One embedded OpenSPP for all of them."""
    others = [simple(name, **changes) for name, changes in OTHERS.items()]
    everyone = [*DIALOGUES, simple("simple"), *others]
    with Stage(tmp_path_factory.mktemp("devices"), certificate, everyone) as made:
        yield made


@pytest.mark.parametrize(
    ("dialogue", "mode"),
    [pytest.param(*each, id=f"{each[0].id}-{each[1]}") for each in plays(DIALOGUES)],
)
def test_the_device_gets_its_job_done(dialogue: Dialogue, mode: str, stage: Stage) -> None:
    stage.play(dialogue, mode)


SHORT = {
    "kyocera-bare-name",  # as plain as can be
    "canon-ir-active",
    "ftps-printer-nofull-tls",
    "temp-rename-generic",
    "brother-mfc7860",  # one name for two pages
    "dahua-allo-202",  # asks for a size before
    "ftplib-plain",  # and after
    "curl-create-dirs",
    "curl-implicit",
    "xerox-document-centre-job",
}
"""Those that have something of all that OpenSPP is concerned with."""


@pytest.fixture(scope="module", params=ODOO)
def odoo_stage(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    certificate: tuple[Path, Path],
) -> Iterator[Stage]:
    """The same with an OpenSPP 17, and an OpenSPP 2."""
    api = str(request.param)
    with Stage(tmp_path_factory.mktemp(api), certificate, DIALOGUES, api) as made:
        yield made


@pytest.mark.parametrize(
    ("dialogue", "mode"),
    [
        pytest.param(*each, id=f"{each[0].id}-{each[1]}")
        for each in plays([dialogue for dialogue in DIALOGUES if dialogue.id in SHORT])
    ],
)
def test_and_with_odoo_s_own_api(dialogue: Dialogue, mode: str, odoo_stage: Stage) -> None:
    odoo_stage.play(dialogue, mode)


class TestTheFile:
    def test_it_holds_every_dialogue_once(self) -> None:
        names = [dialogue.id for dialogue in DIALOGUES]
        assert len(names) == len(set(names))
        assert len(names) >= 36

    @pytest.mark.parametrize("dialogue", DIALOGUES, ids=lambda dialogue: dialogue.id)
    def test_what_was_seen_is_played_in_its_order(self, dialogue: Dialogue) -> None:
        job = iter(dialogue.job)
        seen = [line for line in dialogue.commands if not line.startswith("<")]
        left = [line for line in seen if not any(_same(line, played) for played in job)]
        assert left == []

    @pytest.mark.parametrize("dialogue", DIALOGUES, ids=lambda dialogue: dialogue.id)
    def test_the_job_of_all_but_a_check_ends_in_a_document(self, dialogue: Dialogue) -> None:
        check_only = not any(line.startswith("STOR ") for line in dialogue.commands)
        assert dialogue.stores or check_only


def _same(seen: str, played: str) -> bool:
    """A name that was completed for several uploads counts as the one that was seen."""
    return seen == played or seen == played.replace("-1.", ".").replace("-2.", ".")


class TestTheReplayer:
    """It sees what a device would see."""

    def test_a_new_dialogue_needs_no_code(self, stage: Stage) -> None:
        stage.play(simple("simple"), "passive")

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("refused", r"TYPE E was answered '504 .*'; it takes \[200\]"),
            ("picky", r"QUIT was answered '221 .*'; it takes \[200\]"),
            ("impatient", r"no reply to STOR a@slow=2\.pdf: TimeoutError"),
            ("cut-off", r"PASV was answered '530 .*'; it takes \[227\]"),
        ],
    )
    def test_a_device_that_gives_up(self, name: str, said: str, stage: Stage) -> None:
        with pytest.raises(GaveUp, match=said):
            stage.play(simple(name, **OTHERS[name]), "passive")

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("not-stored", r"OpenSPP has \[\] instead of \['scan0001\.pdf'\]"),
            ("stored-too-often", r"OpenSPP has \['scan0001\.pdf'\] instead of \[\]"),
            ("other-name", r"OpenSPP has \['scan0001\.pdf'\] instead of \['other\.pdf'\]"),
        ],
    )
    def test_a_document_that_is_not_there(self, name: str, said: str, stage: Stage) -> None:
        with pytest.raises(NotStored, match=said):
            stage.play(simple(name, **OTHERS[name]), "passive")

    def test_bytes_that_are_not_those_that_were_sent(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dialogue = simple("altered", **OTHERS["altered"])
        monkeypatch.setattr("tests.acceptance.documents.sha256", lambda content: "other")
        with pytest.raises(NotStored, match="acknowledged were"):
            stage.play(dialogue, "passive")

    def test_a_field_that_does_not_exist(self, tmp_path: Path) -> None:
        file = tmp_path / "dialogues.jsonl"
        file.write_text('{"id": "x", "tls": "none", "mode": "passive", "gives_up": 5}\n')
        with pytest.raises(TypeError, match="gives_up"):
            read(file)
