"""OpenSPP's rules beyond the recorded cases: order, names, images, languages, users."""

from __future__ import annotations

import hashlib
import struct
import threading
import zlib

import pytest

from openspp_ftpd.sandbox import images
from openspp_ftpd.sandbox.scanner_interface import Rules
from openspp_ftpd.sandbox.users import User
from tests.unit.sandbox.harness import OK, PDF, OpenSPP, openspp

DUPLICATE = ("odoo.exceptions.ValidationError", "A file with the same name already exists.")
INVALID = ("odoo.exceptions.ValidationError", "The file name is invalid.")
KEEP = {"lang": "en_US", "image_no_postprocess": True}


def png(width: int, height: int) -> bytes:
    """Return a whole PNG, black and white."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\xff" * ((width + 7) // 8)) * min(height, 2000))
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def jpeg(width: int, height: int, before: bytes = b"") -> bytes:
    """Return a JPEG's head, with segments before its frame."""
    frame = struct.pack(">BHH", 8, height, width) + b"\3\1\x22\0\2\x11\1\3\x11\1"
    start = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\1\1\x2c\1\x2c\0\0"
    return start + before + b"\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xda"


def bmp(width: int, height: int) -> bytes:
    return b"BM" + b"\0" * 12 + struct.pack("<Iii", 40, width, height) + b"\1\0\1\0" + b"\0" * 24


class TestImages:
    """WIRE.md section 11: OpenSPP shrinks them unless it is told not to."""

    LARGE = (png(2480, 3508), jpeg(2480, 3508), bmp(2480, -3508), png(1921, 10), jpeg(10, 1921))
    STAYING = (
        png(1920, 1920),
        jpeg(1240, 1754),
        bmp(1920, 1),
        PDF,
        b"II*\0 a TIFF",
        b"\xff\xd8\xff",
    )

    @pytest.mark.parametrize("content", LARGE)
    def test_large_one_is_altered_and_answered_ok(self, content: bytes) -> None:
        with openspp() as server:
            assert server.upload("a", content).result == OK
            (document,) = server.documents.all()
        assert document.altered
        assert document.sha256 != hashlib.sha256(content).hexdigest()
        assert document.size != len(content)

    @pytest.mark.parametrize("content", LARGE)
    def test_large_one_stays_when_the_context_says_so(self, content: bytes) -> None:
        assert stays_with(content, KEEP)

    def test_context_must_be_in_params(self) -> None:
        assert not stays_with(png(2480, 3508), {"lang": "en_US"})
        assert not stays_with(png(2480, 3508), {"image_no_postprocess": False})

    @pytest.mark.parametrize("content", STAYING)
    def test_others_stay(self, content: bytes) -> None:
        assert stays_with(content, None)

    @pytest.mark.parametrize("context", [None, KEEP])
    def test_excessive_one_is_refused_even_so(self, context: object) -> None:
        with openspp() as server:
            name, message = server.upload("a3.jpg", jpeg(9922, 14031), context=context).error
            assert server.stored() == []
        assert name == "builtins.ValueError"
        assert message == (
            "Image size excessive, uploaded images must be smaller than 4.5 million pixels."
        )

    def test_frame_behind_large_segments_is_found(self) -> None:
        segment = b"\xff\xe1\xff\xff" + b"\xff\xc0" * 32766 + b"\0"
        assert images.pixel_size(jpeg(2480, 3508, segment * 3)) == (2480, 3508)
        assert images.pixel_size(jpeg(2480, 3508, b"\xff\xff\xd0")) == (2480, 3508)

    @pytest.mark.parametrize("content", [jpeg(2480, 3508), png(2480, 3508), bmp(2480, 3508)])
    def test_any_beginning_of_one_is_read(self, content: bytes) -> None:
        for end in range(30):
            assert images.pixel_size(content[:end]) in (None, (2480, 3508))


def stays_with(content: bytes, context: object) -> bool:
    with openspp() as server:
        assert server.upload("a", content, context=context).result == OK
        (document,) = server.documents.all()
    whole = (hashlib.sha256(content).hexdigest(), len(content))
    assert document.altered == ((document.sha256, document.size) != whole)
    return not document.altered


class TestNames:
    @pytest.mark.parametrize("name", ["/etc.pdf", "../up.pdf", "./here.pdf", "//x.pdf"])
    def test_one_that_leaves_its_folder_is_taken_and_makes_no_file(self, name: str) -> None:
        with openspp() as server:
            assert server.upload(name).result == OK
            assert server.stored() == [("alice", name)]

    @pytest.mark.parametrize(
        "name", ["a/b.pdf", "a/../b.pdf", "/", "a/", "../..", "é" * 126 + ".pdf"]
    )
    def test_one_that_cannot_be_opened_is_invalid(self, name: str) -> None:
        with openspp() as server:
            assert server.upload(name).error == INVALID

    def test_same_name_is_free_for_another_user(self) -> None:
        with openspp() as server:
            assert server.upload("a.pdf").result == OK
            assert server.upload("a.pdf", user="frank").result == OK
            assert server.upload("a.pdf").error == DUPLICATE

    def test_both_of_two_at_the_same_time_are_stored(self) -> None:
        # WIRE.md section 7: nothing is locked between the check for the name and the storing.
        with openspp(rules=Rules(slow_upload=0.5)) as server:
            results: list[str] = []
            uploads = [
                threading.Thread(target=lambda: results.append(server.upload("a.pdf").result))
                for _ in range(4)
            ]
            for upload in uploads:
                upload.start()
            for upload in uploads:
                upload.join()
            assert results == [OK] * 4
            assert server.stored() == [("alice", "a.pdf")] * 4
            assert server.upload("a.pdf").error == DUPLICATE


class TestOrder:
    """What is answered when several things are wrong at once (WIRE.md section 2)."""

    def test_credentials_then_file_then_login_then_directory_then_the_name(self) -> None:
        with openspp() as server:
            assert result_of(server, username="", file="", filename="") == "400 BAD REQUEST"
            assert result_of(server, password="no", file="") == "406 NOT ACCEPTABLE"
            assert result_of(server, password="no", filename="a/b") == "401 UNAUTHORIZED"
            carol = {"username": "carol", "password": "scan-carol"}
            assert result_of(server, filename="a/b", **carol) == "403 FORBIDDEN"
            bob = {"username": "bob", "password": "scan-bob"}
            assert result_of(server, filename="a/b", **bob) == "400 BAD REQUEST"

    def test_duplicate_then_extension_then_size(self) -> None:
        rules = Rules(max_size=1, forbidden_extensions="exe")
        large = b"x" * (1024 * 1024 + 1)
        with openspp(rules=rules) as server:
            assert server.upload("a.bin").result == OK
            assert server.upload("a.bin", large).error == DUPLICATE
            assert "forbidden" in server.upload("a.exe", large).error[1]
            assert server.upload("b.bin", large).error[1] == "The maximum upload size is 1 MB)."
            assert server.upload("b.bin", large[1:]).result == OK


def result_of(server: OpenSPP, **changed: str) -> str:
    params = {"username": "alice", "password": "scan-alice", "filename": "a.pdf", "file": "eA=="}
    result = server.post("/dms/upload", {"params": params | changed}).result
    assert result.startswith("<Response 5 bytes [")
    return result[19:-2]


class TestLanguages:
    """WIRE.md section 5: Accept-Language or params.context.lang, never the user's own."""

    @pytest.mark.parametrize(
        ("accepted", "context", "french"),
        [
            ("fr-FR,fr;q=0.9,en;q=0.8", None, True),
            ("en;q=0.5, fr;q=0.8", None, True),
            ("en, fr;q=0.8", None, False),
            ("fr;q=nonsense", None, False),
            ("fr", {"lang": "en_US"}, False),
            ("fr", {"image_no_postprocess": True}, False),
            ("", {"lang": "fr_FR"}, True),
            ("", {"lang": 5}, False),
        ],
    )
    def test_message(self, accepted: str, context: object, french: bool) -> None:
        large = b"x" * (1024 * 1024 + 1)
        with openspp(rules=Rules(max_size=1)) as server:
            answer = server.upload("a.bin", large, context=context, Accept_Language=accepted)
        expected = "La taille de téléchargement maximale est de 1 Mo)."
        assert answer.error[1] == (expected if french else "The maximum upload size is 1 MB).")


class TestUsers:
    def test_password_is_not_shown(self) -> None:
        assert "secret" not in repr(User("a", "secret"))

    @pytest.mark.parametrize("password", ["", None, ["scan-alice"], {"a": 1}, True, 5])
    def test_password_that_is_no_text_lets_nobody_in(self, password: object) -> None:
        call = {"params": {"username": "alice", "password": password}}
        with openspp() as server:
            assert server.post("/dms/auth", call).result != OK

    def test_lone_surrogate_in_a_credential_is_an_error(self) -> None:
        with openspp() as server:
            assert server.login("alice", "\ud800").error[0] == "builtins.UnicodeEncodeError"
