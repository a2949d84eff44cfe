"""The embedded OpenSPP's page in a real browser: what arrives appears, in Arabic, on a phone.

The pictures are left in the test's folder; SANDBOX_SCREENSHOTS names another one.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from openspp_ftpd.demo.sample import sample_scan
from tests.acceptance.running import EmbeddedOpenSPP

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
SECONDS = 30.0
ARABIC = "پسوولەی ژمارە ١٢٣ - تۆماری خێزان.pdf"
MARKUP = "<img src=x onerror=alert(1)>.pdf"

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="Debian's chromium and chromium-driver are not installed"
)


def png(width: int, height: int) -> bytes:
    """A picture with stripes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = b"".join(b"\0" + bytes([255 if y // 8 % 2 else 120]) * width for y in range(height))
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def openspp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedOpenSPP]:
    with EmbeddedOpenSPP(tmp_path_factory.mktemp("openspp")) as running:
        yield running


@contextlib.contextmanager
def browser(width: int, height: int, *, phone: bool = False) -> Iterator[Any]:
    """Chromium without a window, of this size in CSS pixels."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="python3-selenium is missing")
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage"):
        options.add_argument(f"--{argument}")
    options.add_argument("--lang=en")
    options.add_argument(f"--window-size={width},{height}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if phone:
        metrics = {"width": width, "height": height, "pixelRatio": 2.0, "touch": True}
        options.add_experimental_option("mobileEmulation", {"deviceMetrics": metrics})
    try:
        driver = webdriver.Chrome(service=Service(str(DRIVER)), options=options)
    except WebDriverException as error:
        pytest.skip(f"chromium cannot run here: {str(error).splitlines()[0]}")
    try:
        yield driver
        assert driver.get_log("browser") == []
    finally:
        driver.quit()


def until(driver: Any, condition: Callable[[Any], Any]) -> Any:
    from selenium.webdriver.support.wait import WebDriverWait

    return WebDriverWait(driver, SECONDS, 0.1).until(condition)


def names(driver: Any) -> list[str]:
    script = "return [...document.querySelectorAll('li:not([hidden]) .name')].map(e=>e.textContent)"
    found: list[str] = driver.execute_script(script)
    return found


def click(driver: Any, selector: str) -> None:
    driver.find_element("css selector", selector).click()


def picture(driver: Any, tmp_path: Path, name: str) -> Path:
    folder = Path(os.environ.get("SANDBOX_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    assert driver.save_screenshot(str(path))
    return path


def upload(openspp: EmbeddedOpenSPP, user: str, name: str, content: bytes) -> None:
    params = {
        "username": user,
        "password": f"scan-{user}",
        "filename": name,
        "file": base64.b64encode(content).decode(),
    }
    answer = requests.post(f"{openspp.url}/dms/upload", json={"params": params}, timeout=SECONDS)
    assert answer.json()["result"] == "<Response 7 bytes [200 OK]>"


def is_wide(driver: Any) -> bool:
    """Whether something does not fit into the window's width, or is cut off there."""
    script = """
        const wide = (element) => element.getBoundingClientRect().right > window.innerWidth
            || element.scrollWidth > element.clientWidth + 1;
        return document.documentElement.scrollWidth > window.innerWidth
            || [...document.querySelectorAll("nav, ol, li, .row, .what, .more, dd")].some(wide)
    """
    return bool(driver.execute_script(script))


def test_documents_appear_by_themselves_the_newest_first(
    openspp: EmbeddedOpenSPP, tmp_path: Path
) -> None:
    with browser(1200, 1000) as driver:
        driver.get(f"{openspp.url}/")
        until(driver, lambda d: d.find_element("id", "empty").is_displayed())
        shown = driver.find_element("tag name", "body").text
        assert "Sandbox" in shown
        assert "This is a tool for trying, not your OpenSPP." in shown
        assert "Nothing has arrived yet" in shown
        picture(driver, tmp_path, "empty")

        upload(openspp, "alice", "first.pdf", sample_scan(1))
        until(driver, lambda d: names(d) == ["first.pdf"])
        upload(openspp, "frank", "picture.png", png(400, 300))
        until(driver, lambda d: names(d) == ["picture.png", "first.pdf"])
        upload(openspp, "alice", ARABIC, sample_scan(1))
        upload(openspp, "alice", MARKUP.replace("/", ""), b"II*\0 no preview")
        until(driver, lambda d: len(names(d)) == 4)
        assert names(driver) == [MARKUP, ARABIC, "picture.png", "first.pdf"]
        assert not driver.find_element("id", "empty").is_displayed()
        assert driver.execute_script("return document.querySelectorAll('[onerror]').length") == 0
        assert not is_wide(driver)
        picture(driver, tmp_path, "desktop")


def test_previews_are_shown(openspp: EmbeddedOpenSPP, tmp_path: Path) -> None:
    record = {line["filename"]: line for line in openspp.record()}
    with browser(1200, 1400) as driver:
        driver.get(f"{openspp.url}/")
        until(driver, lambda d: len(names(d)) == 4)
        click(driver, "li:nth-child(3) .row")
        image = "document.querySelector('li:nth-child(3) .preview img')"
        until(driver, lambda d: d.execute_script(f"return {image}.naturalWidth") == 400)
        assert record["picture.png"]["sha256"] in driver.find_element("tag name", "ol").text
        click(driver, "li:nth-child(1) .row")
        said = driver.find_element("css selector", "li:nth-child(1) .preview").text
        assert said == "There is a preview only of PDF, JPEG and PNG."
        click(driver, "li:nth-child(3) .row")
        click(driver, "li:nth-child(4) .row")
        frame = driver.find_element("css selector", "li:nth-child(4) .preview iframe")
        assert frame.get_attribute("src") == f"{openspp.url}/sandbox/documents/1"
        driver.execute_script("arguments[0].scrollIntoView()", frame)
        # The grain of a page makes a large picture; where nothing is shown it is even, and small.
        until(driver, lambda _: len(frame.screenshot_as_png) > 60_000)
        picture(driver, tmp_path, "preview")


def test_directories_can_be_looked_at_one_by_one(openspp: EmbeddedOpenSPP) -> None:
    with browser(1000, 800) as driver:
        driver.get(f"{openspp.url}/")
        until(driver, lambda d: len(names(d)) == 4)
        shown = [one.text for one in driver.find_elements("css selector", "nav button")]
        assert shown == ["All 4", "alice 3", "frank 1"]
        click(driver, "nav button:nth-child(3)")
        assert names(driver) == ["picture.png"]
        click(driver, "nav button:nth-child(1)")
        assert len(names(driver)) == 4


def test_fits_a_phone_and_writes_arabic_from_right_to_left(
    openspp: EmbeddedOpenSPP, tmp_path: Path
) -> None:
    upload(openspp, "alice", f"{'a-long-name-from-a-scanner-' * 5}.pdf", b"II*\0")
    with browser(390, 844, phone=True) as driver:
        driver.get(f"{openspp.url}/")
        until(driver, lambda d: len(names(d)) == 5)
        assert driver.execute_script("return window.innerWidth") == 390
        assert not is_wide(driver)
        direction = "return getComputedStyle(document.querySelector(arguments[0])).direction"
        assert driver.execute_script(direction, "li:nth-child(3) .name") == "rtl"
        assert driver.execute_script(direction, "li:nth-child(5) .name") == "ltr"
        picture(driver, tmp_path, "phone")
        click(driver, "li:nth-child(4) .row")
        assert not is_wide(driver)
        picture(driver, tmp_path, "phone-preview")


def test_says_when_the_sandbox_is_gone_and_finds_it_again(tmp_path: Path) -> None:
    with EmbeddedOpenSPP(tmp_path) as openspp, browser_that_loses(900, 600) as driver:
        driver.get(f"{openspp.url}/")
        until(driver, lambda d: d.find_element("id", "empty").is_displayed())
        openspp.kill()
        until(driver, lambda d: d.find_element("id", "lost").is_displayed())
        openspp.start()
        until(driver, lambda d: not d.find_element("id", "lost").is_displayed())
        upload(openspp, "alice", "after.pdf", b"%PDF-1.4")
        until(driver, lambda d: names(d) == ["after.pdf"])


@contextlib.contextmanager
def browser_that_loses(width: int, height: int) -> Iterator[Any]:
    """A browser whose server goes away, of which it complains."""
    with browser(width, height) as driver:
        yield driver
        complaints = driver.get_log("browser")
        assert all("ERR_CONNECTION_REFUSED" in one["message"] for one in complaints)
