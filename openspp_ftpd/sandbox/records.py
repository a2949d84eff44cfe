"""What records of OpenSPP 17 and OpenSPP 2 show: times, sizes, types, people and their keys.

WIRE17.md sections 4 to 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from openspp_ftpd.sandbox.accounts import Account
from openspp_ftpd.sandbox.domains import Record

NEVER: Final = "2026-01-01 00:00:00"
"""When that was made what was always there."""

EXTENSIONS: Final[Mapping[str, str]] = {
    "application/pdf": "pdf",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/bmp": "bmp",
    "image/gif": "gif",
    "image/tiff": "tif",
}
"""The extension of a type, for a name without one."""


def now() -> datetime:
    """Return the time as Odoo keeps it: UTC, whole seconds, no zone."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


def shown(time: datetime) -> str:
    """Return a time as Odoo shows it."""
    return time.strftime("%Y-%m-%d %H:%M:%S")


def human_size(size: float) -> str:
    """Return a size as OpenSPP shows it, for instance "193.00 bytes" or "50.01 Mb"."""
    units = ("bytes", "Kb", "Mb", "Gb")
    index = 0
    while size >= 1024 and index < len(units) - 1:
        size, index = size / 1024, index + 1
    return f"{size:.2f} {units[index]}"


def mimetype_of(head: bytes, version: int) -> str:
    """Return what Odoo takes a content for; the recorded 17 knows no TIFF, 19 does."""
    kinds = (
        (b"%PDF", "application/pdf"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"BM", "image/bmp"),
        (b"GIF8", "image/gif"),
    )
    tiff = ((b"II*\0", "image/tiff"), (b"MM\0*", "image/tiff")) if version >= 19 else ()
    found = [mimetype for start, mimetype in (*kinds, *tiff) if head.startswith(start)]
    return found[0] if found else "application/octet-stream"


def icon_of(record: Record) -> str:
    if str(record["mimetype"]).startswith("image/") and record["thumbnail"]:
        return f"/web/image/spp.dms.file/{record['id']}/image_128/128x128?crop=1"
    return "/spp_dms/static/icons/folder.svg"


def person(account: Account) -> dict[str, Any]:
    return {
        "id": account.uid,
        "login": account.login,
        "name": account.name,
        "display_name": account.name,
        "active": account.active,
    }


def keys_of(user: Account) -> list[dict[str, Any]]:
    return [
        {
            "id": key.number,
            "name": key.name,
            "display_name": key.name,
            "scope": key.scope or False,
            "create_date": NEVER,
            "expiration_date": shown(key.expires) if key.expires else False,
            "user_id": user.uid,
        }
        for key in user.keys
        if not key.removed
    ]
