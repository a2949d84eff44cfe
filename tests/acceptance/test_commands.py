"""What devices say around an upload, in all their dialects, and what they are answered."""

from __future__ import annotations

import socket

import pytest

from tests.acceptance.documents import noise, pdf
from tests.acceptance.grounds import Ground, expected


def scanner_listener() -> socket.socket:
    """Where a scanner in active mode waits for the daemon."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(30)
    return listening


class TestCommandsAroundAnUpload:
    def test_appe_of_a_new_name_is_an_upload(self, ground: Ground) -> None:
        with ground.logged_in() as scanner:
            assert scanner.store("page.pdf", pdf(2000), verb="APPE").code == 226
        assert ground.recorded() == expected({"page.pdf": pdf(2000)})

    @pytest.mark.parametrize("cut", [False, True])
    def test_appe_of_a_name_that_was_sent_or_cut_is_refused(
        self, cut: bool, ground: Ground
    ) -> None:
        with ground.logged_in() as scanner:
            if cut:
                data = scanner.begin("page.pdf")
                data.sendall(pdf(2000)[:1000])
                scanner.send("ABOR")
                assert (scanner.answer().code, scanner.answer().code) == (426, 225)
            else:
                assert scanner.store("page.pdf", pdf(2000)).code == 226
            scanner.passive().close()
            assert scanner.command("APPE page.pdf").code == 550
        assert len(ground.recorded()) == (0 if cut else 1)

    def test_stou_tells_the_name(self, ground: Ground) -> None:
        with ground.logged_in() as scanner:
            data = scanner.passive()
            answer = scanner.command("STOU")
            assert answer.code == 150
            name = answer.text.removeprefix("FILE: ")
            data.sendall(pdf(2000))
            data.close()
            assert scanner.answer().code == 226
        (stored,) = ground.recorded()
        assert stored == expected({f"{name}.pdf": pdf(2000)})[0] or stored[0] == name

    def test_nothing_can_be_read_or_resumed(self, ground: Ground) -> None:
        with ground.logged_in() as scanner:
            assert scanner.store("page.pdf", pdf(2000)).code == 226
            scanner.passive().close()
            assert scanner.command("RETR page.pdf").code == 550
            assert scanner.command("REST 1000").code == 504
            assert scanner.command("REST 0").code == 350

    @pytest.mark.parametrize("spelling", ["A", "a", "A N", "I", "i", "L 8", "L8", "AN"])
    def test_every_type_stores_the_bytes_as_they_are(self, spelling: str, ground: Ground) -> None:
        content = b"one\r\ntwo\nthree\rfour\x00\x1a" + noise(1000)
        with ground.logged_in() as scanner:
            assert scanner.command(f"TYPE {spelling}").code == 200
            assert scanner.store("page.txt", content).code == 226
        assert ground.recorded() == expected({"page.txt": content})

    @pytest.mark.parametrize(
        ("command", "code"),
        [
            ("TYPE E", 504),
            ("MODE S", 200),
            ("MODE s", 200),
            ("MODE B", 504),
            ("STRU F", 200),
            ("STRU f", 200),
            ("STRU P", 504),
            ("ALLO 2000", 200),
            ("ALLO 2000 R 512", 200),
            ("ALLO nonsense", 200),
            ("NOOP", 200),
            ("SYST", 215),
            ("FEAT", 211),
            ("OPTS UTF8 ON", 200),
            ("CLNT some scanner", 200),
            ("SITE CHMOD 644 page.pdf", 502),
            ("XYZZY", 500),
            ("STOR", 501),
            ("STOR page.pdf", 425),
            ("ABOR", 225),
            ("STAT", 211),
            ("HELP", 214),
        ],
    )
    def test_answer(self, command: str, code: int, ground: Ground) -> None:
        with ground.logged_in() as scanner:
            assert scanner.command(command).code == code

    def test_nothing_before_the_login(self, ground: Ground) -> None:
        with ground.scanner() as scanner:
            for command in ("PASV", "STOR page.pdf", "CWD /", "LIST", "TYPE I", "SIZE page.pdf"):
                assert scanner.command(command).code == 530, command
            assert scanner.command("PASS scan-alice").code == 503

    @pytest.mark.parametrize("epsv", [False, True])
    def test_epsv_and_eprt(self, epsv: bool, ground: Ground) -> None:
        with ground.logged_in() as scanner:
            if epsv:
                answer = scanner.command("EPSV")
                assert answer.code == 229
                data = scanner.connect_data(int(answer.text.split("|")[3]))
                assert scanner.command("STOR page.pdf").code == 150
            else:
                with scanner_listener() as listening:
                    port = listening.getsockname()[1]
                    assert scanner.command(f"EPRT |1|127.0.0.1|{port}|").code == 200
                    assert scanner.command("STOR page.pdf").code == 150
                    data = listening.accept()[0]
            data.sendall(pdf(2000))
            data.close()
            assert scanner.answer().code == 226
        assert ground.recorded() == expected({"page.pdf": pdf(2000)})

    @pytest.mark.parametrize("written", ["0,0,0,0", "192,168,1,77"])
    def test_port_with_another_address_is_the_sessions_own(
        self, written: str, ground: Ground
    ) -> None:
        with ground.logged_in() as scanner, scanner_listener() as listening:
            port = listening.getsockname()[1]
            assert scanner.command(f"PORT {written},{port >> 8},{port & 255}").code == 200
            assert scanner.command("STOR page.pdf").code == 150
            data, (source, _) = listening.accept()
            assert source == "127.0.0.1"
            data.sendall(pdf(2000))
            data.close()
            assert scanner.answer().code == 226
        assert ground.recorded() == expected({"page.pdf": pdf(2000)})


class TestDialects:
    """How lines end and begin on devices that read no RFC."""

    @pytest.mark.parametrize("end", [b"\n", b"\r\r\n", b"\r\n\r\n", b"\r\n \r\n"])
    def test_line_ends(self, end: bytes, ground: Ground) -> None:
        with ground.scanner() as scanner:
            for line, code in ((b"USER alice", 331), (b"PASS scan-alice", 230), (b"PASV ", 227)):
                scanner.connection.sendall(line + end)
                assert scanner.answer().code == code
            assert scanner.command("NOOP").code == 200

    def test_lower_case_and_spaces_before(self, ground: Ground) -> None:
        with ground.scanner() as scanner:
            assert scanner.command(f"user {ground.user}").code == 331
            assert scanner.command(f" pass scan-{ground.user}").code == 230
            data = scanner.passive()
            assert scanner.command("stor page.pdf").code == 150
            data.sendall(pdf(2000))
            data.close()
            assert scanner.answer().code == 226
        assert ground.recorded() == expected({"page.pdf": pdf(2000)})

    def test_a_byte_at_a_time(self, ground: Ground) -> None:
        with ground.scanner() as scanner:
            for line, code in ((b"USER alice\r\n", 331), (b"PASS scan-alice\r\n", 230)):
                for position in range(len(line)):
                    scanner.connection.sendall(line[position : position + 1])
                assert scanner.answer().code == code

    def test_all_at_once_before_the_greeting_is_read(self, ground: Ground) -> None:
        with socket.create_connection(("127.0.0.1", ground.daemon.port), 30) as connection:
            connection.sendall(b"USER alice\r\nPASS scan-alice\r\nTYPE I\r\nCWD /x\r\nQUIT\r\n")
            received = b"".join(iter(lambda: connection.recv(4096), b"")).decode()
        codes = [int(line[:3]) for line in received.splitlines()]
        assert codes == [220, 331, 230, 200, 250, 221]

    def test_a_line_of_100_kb_is_one_500_and_the_session_goes_on(self, ground: Ground) -> None:
        with ground.logged_in() as scanner:
            assert scanner.command(b"STOR " + b"x" * 100_000).code == 500
            assert scanner.command("NOOP").code == 200
