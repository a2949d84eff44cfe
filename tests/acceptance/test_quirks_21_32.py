"""Quirks 21 to 32 of devices, each held by a test that bears its number and its words.

Every test has a user, and so a folder in OpenSPP, of its own; `conftest.py` has the daemons.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.documents import pdf, png, sha256
from tests.acceptance.grounds import Ground, expected
from tests.acceptance.promises import at_once, row, until
from tests.acceptance.quirks import SCAN, active_store, listed, stored, stored_by
from tests.acceptance.scanner import Scanner, end_properly, tls_context

# -- TLS as devices try it


@pytest.mark.parametrize("command", ["AUTH TLS", "AUTH SSL", "auth tls"])
def test_21_auth_tried_first_plain_text_on_refusal(command: str, without_tls: Ground) -> None:
    with without_tls.scanner() as scanner:
        assert 500 <= scanner.command(command).code < 600
        assert scanner.login(without_tls.user).code == 230
        assert scanner.command("PROT P").code >= 500
        assert scanner.store("scan.pdf", SCAN).code == 226
    stored(without_tls, "scan.pdf")


def test_21_auth_of_another_kind_and_then_plain_text(ground: Ground) -> None:
    with ground.scanner() as scanner:
        for command in ("AUTH GSSAPI", "AUTH KERBEROS_V4", "AUTH"):
            assert 500 <= scanner.command(command).code < 600
        assert scanner.login(ground.user).code == 230
        assert scanner.store("scan.pdf", SCAN).code == 226
    stored(ground, "scan.pdf")


@pytest.mark.parametrize("auth", ["AUTH SSL", "AUTH TLS", "AUTH TLS-P"])
def test_22_auth_ssl_prot_without_pbsz_no_session_reuse(auth: str, ground: Ground) -> None:
    with ground.scanner() as scanner:
        assert scanner.command(auth).code == 234
        scanner.begin_tls()
        scanner.tls = "explicit"
        assert scanner.login(ground.user).code == 230
        assert scanner.command("PROT P").code == 200
        for name in ("one.pdf", "two.pdf"):
            scanner.context = tls_context()  # which knows no session to resume
            data = scanner.begin(name)
            assert isinstance(data, ssl.SSLSocket)
            assert not data.session_reused
            data.sendall(SCAN)
            end_properly(data)
            assert scanner.answer().code == 226
    assert ground.recorded() == expected({"one.pdf": SCAN, "two.pdf": SCAN})


# -- commands out of the ordinary


def test_23_stou_with_or_without_a_name(ground: Ground) -> None:
    scans = [pdf(2000, number) for number in range(3)]
    names = []
    with ground.logged_in() as scanner:
        for line, content in zip(("STOU", "STOU", "STOU page.pdf"), scans, strict=True):
            data = scanner.passive()
            answer = scanner.command(line)
            assert answer.code == 150
            names.append(answer.text.removeprefix("FILE: "))
            data.sendall(content)
            end_properly(data)
            assert scanner.answer().code == 226
    assert len(set(names)) == 3
    assert names[2] == "page.pdf"
    found = {content: name for name, content in ground.recorded()}
    assert [found[sha256(scan)].removesuffix(".pdf") for scan in scans] == [
        name.removesuffix(".pdf") for name in names
    ]


def test_24_transfer_without_port_pasv(ground: Ground) -> None:
    with ground.logged_in() as scanner:
        assert [scanner.command(line).code for line in ("STOR scan.pdf", "LIST")] == [425, 425]
        assert scanner.store("scan.pdf", SCAN).code == 226
        assert scanner.command("STOR scan.pdf").code == 425  # one PASV is for one transfer
    stored(ground, "scan.pdf")


@pytest.mark.parametrize(
    "end",
    [
        row("bare LF", b"\n"),
        row("CR CR LF", b"\r\r\n"),
        row("blank lines", b"\r\n\r\n\n \r\n"),
    ],
)
def test_25_bare_lf_cr_cr_lf_blank_lines_lower_case_pipelining(end: bytes, ground: Ground) -> None:
    login = [f"user {ground.user}", f"pass scan-{ground.user}"]
    raw = b"".join(line.encode() + end for line in (*login, "mkd box", "noop", "quit"))
    where = ("127.0.0.1", ground.daemon.port)
    with socket.create_connection(where, 10) as connection:
        connection.sendall(raw)  # before the greeting is read, in one piece
        received = b"".join(iter(lambda: connection.recv(4096), b"")).decode()
    codes = [int(line[:3]) for line in received.splitlines()]
    assert codes == [220, 331, 230, 257, 200, 221]


def test_25_stor_and_quit_in_one_piece(ground: Ground) -> None:
    with ground.logged_in() as scanner:
        data = scanner.passive()
        scanner.send("stor scan.pdf\nquit")
        assert scanner.answer().code == 150
        data.sendall(SCAN)
        end_properly(data)
        assert [scanner.answer().code, scanner.answer().code] == [226, 221]
    stored(ground, "scan.pdf")


def test_26_reply_text_matters(ground: Ground) -> None:
    with contextlib.closing(
        socket.create_connection(("127.0.0.1", ground.daemon.port), 10)
    ) as connection:
        assert re.fullmatch(rb"220 [ -~]+\r\n", connection.recv(4096))
        time.sleep(0.2)
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(1)
    with ground.logged_in() as scanner:
        told = scanner.command("PASV").text
        assert re.fullmatch(r"Entering Passive Mode \(127,0,0,1,\d{1,3},\d{1,3}\)\.", told)
        assert re.fullmatch(
            r"Entering Extended Passive Mode \(\|\|\|\d+\|\)\.?", scanner.command("EPSV").text
        )
        assert scanner.command("SYST").text.startswith("UNIX Type: L8")
        assert scanner.command("PWD").text.startswith('"/" ')
        final = scanner.store("scan.pdf", SCAN)
        assert final.code == 226
        assert final.text.startswith("Transfer complete.")
        again = scanner.store("scan.pdf", SCAN)
        assert again.text.startswith("Transfer complete. Stored as scan-")
        for answer in (final, again):
            assert re.fullmatch(r"[ -~]{1,70}", answer.text)


def test_27_530_after_failed_cwd_confuses_200_after_stor_hangs_the_client(ground: Ground) -> None:
    odd = (b"/no/such", b"..", b"~", b"~root", b"C:\\scans", b"\xff\xfe", b"a\x00b", b"*", b"-la")
    with ground.logged_in() as scanner:
        for path in odd:
            assert scanner.command(b"CWD " + path).code in (250, 550), path
        assert scanner.command(b"CWD /" + b"x" * 9000).code == 500
        assert scanner.store("scan.pdf", SCAN).code == 226
        assert scanner.store("new.pdf", SCAN, "APPE").code == 226
    assert len(ground.recorded()) == 2


class Test28LongFeatOrEpsvEprtOfferBreaksOldFirmware:
    def test_28_long_feat_or_epsv_eprt_offer_breaks_old_firmware(self, switched: Ground) -> None:
        with switched.logged_in() as scanner:
            lines = [line.strip() for line in scanner.command("FEAT").text.splitlines()]
            assert lines[1:-1] == ["AUTH SSL", "AUTH TLS", "PBSZ", "PROT", "UTF8"]
            for command in ("EPSV", "epsv", "EPSV 1", "EPSV ALL", "EPRT |1|127.0.0.1|3000|"):
                assert scanner.command(command).code == 502
            assert active_store(scanner, "PORT 127,0,0,1,PORT2").code == 226
            assert scanner.store("other.pdf", SCAN).code == 226
            for command in ("SIZE scan.pdf", "MDTM scan.pdf", "MLST scan.pdf"):
                assert scanner.command(command).code in (213, 250)  # not named, and there
        assert switched.recorded() == expected({"scan.pdf": SCAN, "other.pdf": SCAN})

    def test_28_epsv_and_eprt_off_alone(self, without_tls: Ground) -> None:
        with without_tls.logged_in() as scanner:
            features = scanner.command("FEAT").text
            assert "SIZE" in features
            assert not re.search("EPSV|EPRT|AUTH", features)
            assert scanner.command("EPSV").code == 502

    def test_28_over_ipv6_there_is_no_other_way(self, without_tls: Ground) -> None:
        with Scanner(without_tls.other_ports["::1"], host="::1", source="::1") as scanner:
            assert scanner.login(without_tls.user).code == 230
            assert "EPSV" in scanner.command("FEAT").text
            answer = scanner.command("EPSV")
            assert answer.code == 229
            data = scanner.connect_data(int(answer.text.split("|")[3]))
            assert scanner.command("STOR scan.pdf").code == 150
            data.sendall(SCAN)
            end_properly(data)
            assert scanner.answer().code == 226
        stored(without_tls, "scan.pdf")

    def test_28_by_default_all_is_offered(self, ground: Ground) -> None:
        with ground.scanner() as scanner:
            features = scanner.command("FEAT").text
        for name in ("EPSV", "EPRT", "MLST", "SIZE", "AUTH TLS", "UTF8"):
            assert f" {name}" in features


class Test29NonUtf8Names:
    def test_29_non_utf_8_names_shift_jis(self, switched: Ground) -> None:
        name = "表示ソ予.pdf"
        assert b"\\" in name.encode("cp932")  # a backslash that is no separator
        with switched.logged_in() as scanner:
            assert stored_by(scanner, name.encode("cp932")).code == 226
            assert stored_by(scanner, "پسووله.pdf").code == 226
        assert switched.recorded() == expected({name: SCAN, "پسووله.pdf": SCAN})

    def test_29_non_utf_8_names_gbk(self, without_tls: Ground) -> None:
        with without_tls.logged_in() as scanner:
            assert stored_by(scanner, "扫描文件.pdf".encode("gbk")).code == 226
        stored(without_tls, "扫描文件.pdf")

    def test_29_non_utf_8_names_windows_1252(self, ground: Ground) -> None:
        with ground.logged_in() as scanner:
            assert scanner.command("CWD Büro".encode("cp1252")).code == 250
            assert stored_by(scanner, "Prüfung €.pdf".encode("cp1252")).code == 226
        stored(ground, "Prüfung €.pdf")


def test_30_odd_characters_in_names_fixed_names_clock_at_2000(ground: Ground) -> None:
    odd = "a:b?c*d|e<f>g.pdf"
    scans = [pdf(2000, number) for number in range(3)]
    today = datetime.now()
    with ground.logged_in() as scanner:
        assert scanner.store(odd, SCAN).code == 226
        for scan in scans:
            assert scanner.store("scan.pdf", scan).code == 226
            assert scanner.command("MFMT 20000101000000 scan.pdf").code == 213
    found = {sha: name for name, sha in ground.recorded()}
    assert len(found) == 4
    assert found[sha256(SCAN)] == odd
    assert found[sha256(scans[0])] == "scan.pdf"
    for scan in scans[1:]:  # the time is the daemon's, whatever the device's clock says
        fitting = re.fullmatch(r"scan-(\d{8})-\d{6}-[0-9a-f]{4}\.pdf", found[sha256(scan)])
        assert fitting
        assert abs((datetime.strptime(fitting[1], "%Y%m%d") - today).days) <= 1


class Test31DropsControlWithoutQuitAfter226:
    """Four sessions of one address are allowed here at once."""

    @pytest.mark.parametrize("end", ["fin", "reset", "left open"])
    def test_31_drops_control_without_quit_after_226(self, end: str, switched: Ground) -> None:
        before = len(switched.daemon.log())
        documents = {f"{number}.pdf": pdf(2000, number) for number in range(8)}
        with contextlib.ExitStack() as left_open:
            for name, content in documents.items():
                scanner = left_open.enter_context(switched.logged_in(source="127.0.0.31"))
                assert scanner.store(name, content).code == 226
                if end == "fin":
                    scanner.close()
                elif end == "reset":
                    scanner.reset()
                elif name in ("3.pdf", "7.pdf"):
                    time.sleep(2)  # a session that is left alone ends by itself
        assert switched.recorded() == expected(documents)
        assert not re.search("WARNING|ERROR|Traceback", switched.daemon.log()[before:])

    def test_31_quit_without_waiting_for_226(self, ground: Ground) -> None:
        documents = {f"{number}.pdf": pdf(2000, number) for number in range(5)}

        def send(name: str, content: bytes) -> None:
            with ground.logged_in() as scanner:
                data = scanner.begin(name)
                data.sendall(content)
                data.close()
                scanner.send("QUIT")
                scanner.connection.shutdown(socket.SHUT_WR)

        at_once(*(partial(send, *one) for one in documents.items()))
        assert until(lambda: ground.recorded() == expected(documents))


@pytest.mark.parametrize(
    "command",
    [
        "LIST /mnt/data/docarchive/docback1/*/*Job.type",
        "LIST -la",
        "LIST -a -l /in",
        "LIST -la /in/*.pdf",
        "LIST *.pdf",
        "NLST /in/*",
        "LIST /in/[",
        "NLST -l",
    ],
)
def test_32_list_with_absolute_path_wildcards_la(command: str, ground: Ground) -> None:
    with ground.logged_in() as scanner:
        assert listed(scanner, command) == ([150, 226], "")
        assert scanner.command("CWD /in").code == 250
        assert scanner.store("scan.pdf", png(20, 20)).code == 226
        codes, shown = listed(scanner, command)
        assert codes == [150, 226]
        if command.startswith("LIST") and "docarchive" not in command and "[" not in command:
            unix = r"-rw-r--r-- +1 \w+ +\w+ +\d+ [A-Z][a-z]{2} \d\d [\d:]{5} scan\.pdf\r\n"
            assert re.fullmatch(unix, shown)


def test_every_quirk_has_its_test() -> None:
    sources = [path.read_text("utf-8") for path in Path(__file__).parent.glob("test_quirks_*.py")]
    found = re.findall(r"^ *def test_(\d\d)_", "".join(sources), re.MULTILINE)
    assert {int(number) for number in found} == set(range(1, 33))
