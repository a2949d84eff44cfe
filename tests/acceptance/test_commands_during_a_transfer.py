"""One command, one answer, in order: what comes in a transfer waits; ABOR alone acts at once."""

from __future__ import annotations

import time
from typing import Final

import pytest

from tests.acceptance.promises import STORED, Gateway, row, unique, whole_pdf
from tests.acceptance.scanner import Answer, end_properly

ABORTED: Final = Answer(426, "Transfer aborted. Not stored. Send it again.")


class TestCommandsDuringATransfer:
    """One command, one answer, in order; ABOR alone acts at once."""

    @pytest.mark.parametrize("tls", [row("plain", ""), row("TLS", "explicit")])
    @pytest.mark.parametrize(
        "abor",
        [
            row("ABOR", b"ABOR"),
            row("with the Telnet signals", b"\xff\xf4\xff\xf2ABOR"),
            row("behind lines that wait", b"PWD\r\nABOR"),
        ],
    )
    def test_abor(self, tls_gateway: Gateway, tls: str, abor: bytes) -> None:
        """426, then 225; a line behind it is answered after both."""
        document = whole_pdf()
        with tls_gateway.session(tls=tls) as scanner:
            with scanner.begin(unique("scan.pdf")) as data:
                data.sendall(document)
                time.sleep(0.1)
                scanner.send(abor + b"\r\nNOOP")
                assert scanner.answer() == ABORTED
                assert scanner.answer().code == 225
                if b"PWD" in abor:
                    assert scanner.answer().code == 257
                assert scanner.answer().code == 200
            assert tls_gateway.copies(document) == 0
            assert tls_gateway.store(scanner, unique("scan.pdf"), document) == STORED
            scanner.quit()
        assert tls_gateway.copies(document) == 1

    def test_abor_while_openspp_is_asked_changes_nothing(self, tls_gateway: Gateway) -> None:
        document = whole_pdf()
        with tls_gateway.session() as scanner:
            data = scanner.begin(unique("scan@slow=1.pdf"))
            data.sendall(document)
            end_properly(data)
            time.sleep(0.4)
            scanner.send("ABOR")
            assert tls_gateway.told(document, scanner.answer()) == STORED
            assert scanner.answer().code == 225
            scanner.quit()
        assert tls_gateway.copies(document) == 1

    @pytest.mark.parametrize("when", ["while the scan comes", "while OpenSPP is asked"])
    def test_noop_and_quit_wait_for_the_final_reply(self, tls_gateway: Gateway, when: str) -> None:
        document = whole_pdf()
        with tls_gateway.session() as scanner:
            data = scanner.begin(unique("scan@slow=0.6.pdf"))
            data.sendall(document)
            if when == "while OpenSPP is asked":
                end_properly(data)
                time.sleep(0.2)
            scanner.send("NOOP\r\nNOOP\r\nQUIT")
            with pytest.raises(TimeoutError):
                scanner.answer(timeout=0.3)
            if when == "while the scan comes":
                end_properly(data)
            assert tls_gateway.told(document, scanner.answer()) == STORED
            assert [scanner.answer().code for _ in range(3)] == [200, 200, 221]
            with pytest.raises(ConnectionError):
                scanner.answer()
        assert tls_gateway.copies(document) == 1

    def test_pasv_and_a_second_stor_wait(self, tls_gateway: Gateway) -> None:
        """The first scan is intact, and the second is sent over the connection agreed on for it."""
        first, second = whole_pdf(), whole_pdf()
        with tls_gateway.session() as scanner:
            data = scanner.begin(unique("first.pdf"))
            data.sendall(first[:100_000])
            scanner.send(f"PASV\r\nSTOR {unique('second.pdf')}")
            with pytest.raises(TimeoutError):
                scanner.answer(timeout=0.3)
            data.sendall(first[100_000:])
            end_properly(data)
            assert tls_gateway.told(first, scanner.answer()) == STORED
            with scanner.connect_data(scanner.port_of(scanner.answer())) as data:
                assert scanner.answer().code == 150
                data.sendall(second)
            assert tls_gateway.told(second, scanner.answer()) == STORED
            scanner.quit()
        assert (tls_gateway.copies(first), tls_gateway.copies(second)) == (1, 1)

    def test_a_second_stor_without_a_connection_of_its_own(self, tls_gateway: Gateway) -> None:
        document = whole_pdf()
        with tls_gateway.session() as scanner:
            data = scanner.begin(unique("first.pdf"))
            scanner.send("STOR second.pdf")
            data.sendall(document)
            end_properly(data)
            assert tls_gateway.told(document, scanner.answer()) == STORED
            assert scanner.answer().code == 425
            scanner.quit()
        assert tls_gateway.copies(document) == 1
