"""The demonstration's screen suits whatever it is shown on."""

import io

import pytest

from openspp_ftpd.screen import Screen, megabytes


class Display(io.TextIOWrapper):
    """A terminal, or a file, of some encoding."""

    def __init__(self, encoding: str = "utf-8", terminal: bool = True) -> None:
        self.shown = io.BytesIO()
        self._terminal = terminal
        super().__init__(self.shown, encoding=encoding)

    def isatty(self) -> bool:
        return self._terminal

    def text(self) -> str:
        """All that was written."""
        self.flush()
        return self.shown.getvalue().decode(self.encoding)


COLOURFUL = {"TERM": "xterm"}


def showing(display: Display, environment: dict[str, str]) -> str:
    """A bit of everything."""
    screen = Screen(display, environment)
    screen.title("title")
    screen.step(1, "step")
    screen.done("done")
    screen.failed("failed\nand why")
    screen.warning("warning")
    screen.detail("STOR", "226 stored")
    screen.begin_bar()
    for sent in range(0, 101, 10):
        screen.bar(sent * 1000, 100_000)
    screen.table([("Port", "8002"), ("User", "alice")])
    return display.text()


@pytest.fixture(autouse=True)
def width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_a_terminal_gets_colours_and_a_bar_in_place() -> None:
    shown = showing(Display(), COLOURFUL)
    assert "\x1b[32m✓\x1b[0m done" in shown
    assert "█" in shown
    assert shown.count("\r      ") == 11


@pytest.mark.parametrize(
    "environment", [{"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}, {}], ids=str
)
def test_colours_can_be_unwanted(environment: dict[str, str]) -> None:
    assert "\x1b" not in showing(Display(), environment)


def test_a_file_gets_plain_lines() -> None:
    shown = showing(Display(terminal=False), COLOURFUL)
    assert "\x1b" not in shown
    assert "\r" not in shown
    figures = [line.strip() for line in shown.splitlines() if "%" in line]
    assert figures == [
        "30 %  30.0 kB of 100.0 kB",
        "50 %  50.0 kB of 100.0 kB",
        "80 %  80.0 kB of 100.0 kB",
        "100 %  100.0 kB of 100.0 kB",
    ]


def test_what_is_not_utf_8_gets_ascii() -> None:
    shown = showing(Display("ascii"), {})
    assert "    * done\n" in shown
    assert "    ! failed\n      and why\n" in shown
    assert "#####" in shown


def test_nothing_is_wider_than_80_columns() -> None:
    display = Display()
    screen = Screen(display, {})
    screen.detail("STOR", "x" * 100)
    screen.note("word " * 50)
    screen.warning("word " * 50)
    screen.table([("Label", "word " * 50)])
    screen.bar(50, 100)
    assert max(map(len, display.text().splitlines())) == 80


def test_a_sha_256_is_shown_whole() -> None:
    display = Display()
    Screen(display, {}).detail("SHA-256", "0123456789abcdef" * 4)
    assert display.text().endswith("0123456789abcdef" * 4 + "\n")


def test_a_scanner_s_file_name_cannot_steer_the_terminal() -> None:
    display = Display()
    screen = Screen(display, {})
    for show in (screen.done, screen.failed, screen.warning, screen.note):
        show("a\x1b[31mb\x07c\u202ed")
    screen.detail("a", "a\x1b[31mb\x07c\u202ed")
    shown = display.text()
    assert "\x1b" not in shown
    assert shown.count("a?[31mb?c?d") == 5


def test_a_name_that_the_terminal_cannot_show_is_no_failure() -> None:
    display = Display("ascii")
    Screen(display, {}).done("پسوولە.pdf")
    assert display.text() == "    * ??????.pdf\n"


@pytest.mark.parametrize(
    ("size", "text"), [(49, "49 bytes"), (1500, "1.5 kB"), (5_578_967, "5.6 MB")]
)
def test_sizes_are_written_as_people_read_them(size: int, text: str) -> None:
    assert megabytes(size) == text
