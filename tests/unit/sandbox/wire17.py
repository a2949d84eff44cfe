"""The recording of OpenSPP 17 and OpenSPP 2, made into requests that can be sent again.

Where the recording shortens something (documents, keys, long names) it is made again here; what
was only noted (how a body was sent) is built from the note.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import struct
import xmlrpc.client
from pathlib import Path
from typing import Any

RECORDING = Path(__file__).parents[2] / "data" / "wire17.jsonl"
CASES: list[dict[str, Any]] = [json.loads(line) for line in RECORDING.read_text().splitlines()]
BY_NAME = {case["name"]: case for case in CASES}
MIB = 1024 * 1024

# One case holds the recorded document as it was sent.
PDF = base64.b64decode(
    BY_NAME["x8 load - plain spp_dms"]["request"]["json"]["params"]["args"][5][1][0][2]
)
SHORTENED = re.compile(r"^(.*?)\.\.\.<(\d+) chars>$", re.DOTALL)
KEY = re.compile(r"<key(?::([^>]*))?>")
ZANA = "زانا.کوردی@example.org"
SECRETS = {
    "": "0" * 40,
    ZANA: "scan-zana",
    "alice_browser_scope": "scan-alice-browser",
    "alice_rpc_scope": "scan-alice-rpc",
    "alice_noscope": "scan-alice-noscope",
    "alice_expired": "scan-alice-expired",
    "alice_revoked": "scan-alice-revoked",
}


def jpeg(width: int, height: int, size: int = 0) -> bytes:
    frame = struct.pack(">BHH", 8, height, width) + b"\3\1\x22\0\2\x11\1\3\x11\1"
    start = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\1\1\x2c\1\x2c\0\0"
    head = start + b"\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xda"
    return head.ljust(size, b"\x55")


def png(width: int, height: int, size: int = 0) -> bytes:
    head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return head.ljust(size, b"\x55")


def bmp(width: int, height: int, size: int = 0) -> bytes:
    head = b"BM" + b"\0" * 12 + struct.pack("<Iii", 40, width, height) + b"\1\0\1\0"
    return head.ljust(max(size, 54), b"\x55")


BROKEN_PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 32
CONTENTS = {
    "d2b duplicate name, other content": PDF + b"x",
    "d6b no extension, pdf content": PDF,
    "d6c no extension, unknown content": bytes(range(256)),
    "d6e png image (thumbnail made)": png(10, 10, 100),
    "d6f broken png (magic only)": BROKEN_PNG,
    "d6g broken jpeg": b"\xff\xd8\xff\xe0" + b"\0" * 32,
    "d6i svg with script": b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>",
    "d6j png 81 megapixel": png(9000, 9000, 1000),
    "d13 jpeg A4 300dpi 8.7MP": jpeg(2480, 3508, 137027),
    "d13b jpeg A4 600dpi 34.8MP": jpeg(4960, 7016, 544987),
    "d13c jpeg A3 600dpi 69.6MP": jpeg(7016, 9921, 1091103),
    "d13d same, image_1920 false in vals": jpeg(7016, 9921, 1091103),
    "d13e broken png, image_1920 false in vals": BROKEN_PNG,
    "d13f tiff A4 300 dpi": b"II*\0" + b"\0" * 100,
    "d13g tiff A3 600 dpi": b"II*\0" + b"\0" * 100,
    "d13h bmp": bmp(100, 100, 30054),
    "d13i broken png, image named .pdf (content decides)": BROKEN_PNG,
    "d13j truncated jpeg (half)": jpeg(2480, 3508, 68513),
    "d14 jpeg A4-300 5.8 MB with thumbnail": jpeg(2480, 3508),
    "d14 jpeg A4-300 5.8 MB image_1920 false": jpeg(2480, 3508),
    "d14 jpeg A4-600 23.4 MB with thumbnail": jpeg(4960, 7016),
    "d14 jpeg A4-600 23.4 MB image_1920 false": jpeg(4960, 7016),
    "j7g broken png": BROKEN_PNG,
    "j7h broken png, image_1920 false": BROKEN_PNG,
    "j7j no extension, unknown content type": bytes(range(256)),
    "y1 JPEG A4 300dpi default": jpeg(2480, 3508, 5399017),
    "y2 JPEG A4, image_1920 false": jpeg(2480, 3508, 5399017),
    "y3 JPEG A4, context image_no_postprocess": jpeg(2480, 3508, 5399017),
    "y4 JPEG A4, image_1920 false + image_no_postprocess": jpeg(2480, 3508, 5399017),
    "y5 JPEG 1000x1000": jpeg(1000, 1000, 620571),
    "y6 PNG A4 300dpi grey": png(2480, 3508, 8714975),
    "y7 TIFF A4 300dpi 1 bit G4": b"II*\0".ljust(2610634, b"\0"),
    "y8 BMP A4": bmp(2480, 3508, 8700918),
    "y9 PDF with an image inside": PDF.ljust(4424396, b"\n"),
    "v1 JPEG A4 create (19)": jpeg(2480, 3508),
    "v1 JPEG A4 web_save (19)": jpeg(2480, 3508),
    "v1 JPEG A4 create image_no_postprocess (19)": jpeg(2480, 3508),
    "v1 JPEG A4 web_save image_no_postprocess (19)": jpeg(2480, 3508),
    "v2 TIFF 3 pages G4 create (19)": b"II*\0".ljust(1000, b"\0"),
    "v2 TIFF 3 pages G4 web_save (19)": b"II*\0".ljust(1000, b"\0"),
    "v2 TIFF 3 pages G4 create image_no_postprocess (19)": b"II*\0".ljust(1000, b"\0"),
    "v2 TIFF 3 pages G4 web_save image_no_postprocess (19)": b"II*\0".ljust(1000, b"\0"),
}
TEXTS = {
    "d4l content not base64 alphabet (data: URI)": "data:application/pdf;base64,"
    + base64.b64encode(PDF).decode(),
    "d4m content urlsafe base64": base64.urlsafe_b64encode(bytes(range(256))).decode(),
    "d4n content with newlines": base64.encodebytes(PDF).decode(),
}
SIZED = re.compile(r" create ([0-9.]+) MiB raw$")


def content_of(name: str) -> str:
    """Return the base64 text of the document that a case sends."""
    if name in TEXTS:
        return TEXTS[name]
    size = SIZED.search(name)
    if size is not None:
        return base64.b64encode(b"%PDF-1.4\n".ljust(int(float(size[1]) * MIB), b"x")).decode()
    return base64.b64encode(CONTENTS.get(name, PDF)).decode()


def restored(value: Any, name: str) -> Any:
    """Return what was sent, from what is recorded of it."""
    if isinstance(value, dict):
        return {key: restored(member, name) for key, member in value.items()}
    if isinstance(value, list):
        return [restored(member, name) for member in value]
    if not isinstance(value, str):
        return value
    if value == "<base64>":
        return content_of(name)
    shortened = SHORTENED.match(value)
    if shortened is not None:
        letter, length = shortened[1][-1], int(shortened[2])
        end = ".pdf" if letter == "w" else ""
        return letter * (length - len(end)) + end
    return KEY.sub(
        lambda found: SECRETS.get(found[1] or "", f"scan-{found[1]}"),
        value,
    )


def sent(case: dict[str, Any]) -> tuple[dict[str, str], bytes | None]:
    """Return the headers and the body of a recorded request."""
    request, name = case["request"], case["name"]
    headers = {key: restored(text, name) for key, text in request.get("headers", {}).items()}
    if name == "j8f invalid JSON":
        return headers, b'{"domain":'
    if "json" in request:
        return headers, json.dumps(restored(request["json"], name)).encode()
    if "raw_body" in request:
        return headers, request["raw_body"].encode()
    if "xmlrpc" in request:
        call = request["xmlrpc"]
        params = tuple(restored(call["params"], name))
        return headers, xmlrpc.client.dumps(params, call["method"]).encode()
    return headers, None


def create(filename: str, content: bytes = PDF, *, version: int = 17) -> bytes:
    """Return the body of a call that stores a document."""
    values = {
        "name": filename,
        "directory_id": 2,
        "content": base64.b64encode(content).decode(),
    }
    if version == 19:
        return json.dumps({"vals_list": [values]}).encode()
    args = ["spp17", 6, "scan-alice", "spp.dms.file", "create", [values]]
    params = {"service": "object", "method": "execute_kw", "args": args}
    return json.dumps({"jsonrpc": "2.0", "method": "call", "params": params, "id": 1}).encode()


def in_chunks(data: bytes, *, whole: bool = True) -> bytes:
    pieces = [data[start : start + 60_000] for start in range(0, len(data), 60_000)]
    sent_ = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return sent_ + (b"0\r\n\r\n" if whole else b"")


# How the noted bodies were sent: (lines of the head, body, pause in its middle in seconds).
def noted(name: str) -> tuple[list[str], bytes, float]:
    """Return a request of which only its kind is recorded."""
    data = create("wire-noted.pdf")
    with_length = [f"Content-Length: {len(data)}"]
    chunked = ["Transfer-Encoding: chunked"]
    data19 = create("wire-noted.pdf", version=19)
    with_length19 = [f"Content-Length: {len(data19)}"]
    over = 140 * MIB
    return {
        "e2 chunked small": (chunked, in_chunks(data), 0.0),
        "e2b chunked 5 MiB": (chunked, in_chunks(create("b.pdf", b"x" * 5 * MIB)), 0.0),
        "e2d no length at all": ([], b"", 0.0),
        "e2e Content-Length right, keep-alive asked": (
            [*with_length, "Connection: keep-alive"],
            data,
            0.0,
        ),
        "e2h 1.5 s pause in body": (with_length, data, 1.5),
        "e2k Expect: 100-continue": ([*with_length, "Expect: 100-continue"], data, 0.0),
        "e2l HTTP/1.0 request": (with_length, data, 0.0),
        "e2m Content-Encoding: gzip": (
            ["Content-Encoding: gzip", f"Content-Length: {len(gzip.compress(data, mtime=0))}"],
            gzip.compress(data, mtime=0),
            0.0,
        ),
        "g1 Content-Length body cut in half, half-close": (with_length, data[:100], 0.0),
        "g1b chunked body cut, half-close": (chunked, in_chunks(data, whole=False), 0.0),
        "s3 keep-alive asked": ([*with_length19, "Connection: keep-alive"], data19, 0.0),
        "s3b chunked small": (chunked, in_chunks(data19), 0.0),
        "s3d Expect: 100-continue": ([*with_length19, "Expect: 100-continue"], data19, 0.0),
        "s3f Content-Length over the limit, Expect: 100-continue": (
            [f"Content-Length: {over}", "Expect: 100-continue"],
            b"",
            0.0,
        ),
        "m1 /jsonrpc chunked small (Odoo 19)": (
            chunked,
            in_chunks(data.replace(b'"spp17", 6', b'"spp19", 5')),
            0.0,
        ),
    }[name]


def sha512(content: bytes) -> str:
    return hashlib.sha512(content).hexdigest()
