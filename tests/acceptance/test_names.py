"""What a scanner calls its file, what OpenSPP calls it, and what a device does with it then."""

from __future__ import annotations

import re

import pytest

from tests.acceptance.documents import pdf
from tests.acceptance.grounds import Ground, expected


class TestNames:
    """What a scanner calls its file, and what it is called in OpenSPP."""

    @pytest.mark.parametrize(
        ("sent", "stored"),
        [
            ("فاتورة نوفمبر.pdf", "فاتورة نوفمبر.pdf"),
            ("پسوولەی کوردی\u200c٢٠٢٦.pdf", "پسوولەی کوردی\u200c٢٠٢٦.pdf"),
            ("👩‍👧‍👦 family 🏳️‍🌈.pdf", "👩‍👧‍👦 family 🏳️‍🌈.pdf"),
            ("Gehälter Müller.pdf".encode("cp1252"), "Gehälter Müller.pdf"),
            (r"C:\Scans\2026\page.pdf", "page.pdf"),
            ("/deep/../down//page.pdf", "page.pdf"),
            ("../../../etc/passwd", "passwd"),
            ('"quoted name.pdf"', "quoted name.pdf"),
            ('say "yes".pdf', 'say "yes".pdf'),
            (" leading and trailing.pdf ", " leading and trailing.pdf "),
            ("100%.pdf", "100%.pdf"),
            ("a\x07b\x1bc.pdf", "abc.pdf"),
            ("n" * 296 + ".pdf", "n" * 251 + ".pdf"),
            ("ب" * 148 + ".pdf", "ب" * 125 + ".pdf"),
            ("..", "scan"),
            ("-la", "-la"),
        ],
    )
    def test_arrives_as(self, sent: str | bytes, stored: str, ground: Ground) -> None:
        raw = sent if isinstance(sent, bytes) else sent.encode()
        with ground.logged_in() as scanner:
            data = scanner.passive()
            assert scanner.command(b"STOR " + raw).code == 150
            data.sendall(pdf(2000))
            data.close()
            assert scanner.answer().code == 226
        assert ground.recorded() == expected({stored: pdf(2000)})

    def test_a_name_that_was_used_before_gets_the_time_and_the_scanner_is_told(
        self, ground: Ground
    ) -> None:
        with ground.logged_in() as scanner:
            assert scanner.store("page.pdf", pdf(2000, 1)).text.endswith("OpenSPP has it.")
            answer = scanner.store("page.pdf", pdf(2000, 2))
        (second, _), (first, _) = ground.recorded()
        assert first == "page.pdf"
        assert re.fullmatch(r"page-\d{8}-\d{6}-[0-9a-f]{4}\.pdf", second)
        assert answer == (226, f"Transfer complete. Stored as {second}")

    def test_the_same_scan_sent_twice_is_two_documents_when_both_replies_were_read(
        self, ground: Ground
    ) -> None:
        with ground.logged_in() as scanner:
            assert scanner.store("page.pdf", pdf(2000)).code == 226
            assert scanner.store("page.pdf", pdf(2000)).code == 226
        assert len(ground.recorded()) == 2


class TestTemporaryNames:
    @pytest.mark.parametrize(
        "temporary",
        [".in.page.pdf", "tmp.page.pdf", "page.pdf.part", "page.pdf.filepart", "PAGE.PDF.TMP"],
    )
    def test_the_scan_is_stored_under_its_final_name_at_once(
        self, temporary: str, ground: Ground
    ) -> None:
        final = "PAGE.PDF" if temporary.isupper() else "page.pdf"
        with ground.logged_in() as scanner:
            assert scanner.store(temporary, pdf(2000)).code == 226
            assert ground.recorded() == expected({final: pdf(2000)})
            assert scanner.command(f"RNFR {temporary}").code == 350
            assert scanner.command(f"RNTO {final}") == (250, "Renamed.")
            assert scanner.command(f"SIZE {final}") == (213, "2000")
        assert ground.recorded() == expected({final: pdf(2000)})

    def test_a_final_name_without_extension_gets_that_of_the_content(self, ground: Ground) -> None:
        with ground.logged_in() as scanner:
            assert scanner.store(".in.page", pdf(2000)).code == 226
        assert ground.recorded() == expected({"page.pdf": pdf(2000)})

    def test_another_final_name_is_accepted_and_the_reply_says_which_openspp_keeps(
        self, ground: Ground
    ) -> None:
        with ground.logged_in() as scanner:
            assert scanner.store("0001.pdf.part", pdf(2000)).code == 226
            assert scanner.command("RNFR 0001.pdf.part").code == 350
            answer = scanner.command("RNTO letter.pdf")
            assert answer == (250, "Renamed here. OpenSPP keeps it as 0001.pdf")
        assert ground.recorded() == expected({"0001.pdf": pdf(2000)})

    def test_rnto_without_rnfr_and_rnfr_of_an_unknown_name(self, ground: Ground) -> None:
        with ground.logged_in() as scanner:
            assert scanner.command("RNTO page.pdf").code == 503
            assert scanner.command("RNFR page.pdf").code == 550


class TestTheViewAfterDelivery:
    """Devices look at what they just sent, and touch it."""

    def listing(self, ground: Ground, command: str) -> str:
        """What a listing shows of a session that sent /inbox/page.pdf."""
        with ground.logged_in() as scanner:
            assert scanner.command("CWD /inbox").code == 250
            assert scanner.store("page.pdf", pdf(2000)).code == 226
            data = scanner.passive()
            assert scanner.command(command).code == 150
            received = b"".join(iter(lambda: data.recv(4096), b""))
            assert scanner.answer().code == 226
        return received.decode()

    @pytest.mark.parametrize("command", ["LIST", "LIST -la", "LIST page.pdf", "LIST /inbox"])
    def test_list(self, command: str, ground: Ground) -> None:
        shown = self.listing(ground, command)
        assert re.fullmatch(
            r"-rw-r--r-- +1 \w+ +\w+ +2000 \w{3} \d\d \d\d:\d\d page\.pdf\r\n", shown
        )

    @pytest.mark.parametrize("command", ["NLST", "NLST *.pdf", "NLST /inbox"])
    def test_nlst(self, command: str, ground: Ground) -> None:
        assert self.listing(ground, command) == "page.pdf\r\n"

    def test_list_of_another_name_is_empty(self, ground: Ground) -> None:
        assert self.listing(ground, "LIST other.pdf") == ""

    def test_mlsd(self, ground: Ground) -> None:
        shown = self.listing(ground, "MLSD")
        assert re.fullmatch(r"modify=\d{14};perm=\w*;size=2000;type=file; page\.pdf\r\n", shown)

    def test_a_listing_goes_through_tls_too(self, ground: Ground) -> None:
        with ground.logged_in(tls="explicit") as scanner:
            assert scanner.store("page.pdf", pdf(2000)).code == 226
            data = scanner.passive()
            assert scanner.command("NLST").code == 150
            secured = scanner.secured(data)
            assert b"".join(iter(lambda: secured.recv(4096), b"")) == b"page.pdf\r\n"
            assert scanner.answer().code == 226

    def test_size_time_and_facts(self, ground: Ground) -> None:
        with ground.logged_in() as scanner:
            assert scanner.store("page.pdf", pdf(2000)).code == 226
            assert scanner.command("SIZE page.pdf") == (213, "2000")
            assert re.fullmatch(r"\d{14}", scanner.command("MDTM page.pdf").text)
            assert scanner.command("MFMT 20200229123456 page.pdf").code == 213
            assert scanner.command("MDTM page.pdf") == (213, "20200229123456")
            assert "modify=20200229123456;" in scanner.command("MLST page.pdf").text
            assert scanner.command("MFMT yesterday page.pdf").code == 501

    def test_dele_succeeds_here_and_openspp_keeps_its_copy(self, ground: Ground) -> None:
        with ground.logged_in() as scanner:
            assert scanner.store("page.pdf", pdf(2000)).code == 226
            assert scanner.command("DELE page.pdf") == (
                250,
                "Deleted here. OpenSPP keeps its copy.",
            )
            assert scanner.command("SIZE page.pdf").code == 550
        assert ground.recorded() == expected({"page.pdf": pdf(2000)})

    @pytest.mark.parametrize(
        "verb", ["SIZE", "MDTM", "MLST", "DELE", "RNFR", "MFMT 20200101000000"]
    )
    def test_a_name_that_was_never_sent_is_unknown(self, verb: str, ground: Ground) -> None:
        with ground.logged_in() as scanner:
            assert scanner.command(f"{verb} other.pdf").code == 550

    def test_another_session_sees_nothing(self, ground: Ground) -> None:
        with ground.logged_in() as scanner, ground.logged_in() as other:
            assert scanner.store("page.pdf", pdf(2000)).code == 226
            assert other.command("SIZE page.pdf").code == 550

    def test_folders_are_entered_and_made_anywhere(self, ground: Ground) -> None:
        with ground.logged_in() as scanner:
            assert scanner.command("CWD /any/where").code == 250
            assert scanner.command("PWD") == (257, '"/any/where" is the current directory.')
            assert scanner.command("MKD new").code == 257
            assert scanner.command("XMKD new").code == 257
            assert scanner.command(r"CWD ..\..\windows").code == 250
            assert scanner.command("XPWD") == (257, '"/windows" is the current directory.')
            assert scanner.command("CDUP").code == 250
            assert scanner.command("CDUP").code == 250
            assert scanner.command("PWD").text.startswith('"/" ')
