"""Puts an embedded OpenSPP together: which interface answers, for whom, with which faults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from openspp_ftpd.sandbox import body
from openspp_ftpd.sandbox.answers import Banner
from openspp_ftpd.sandbox.databases import VERSIONS, Databases, Setup
from openspp_ftpd.sandbox.documents import Documents
from openspp_ftpd.sandbox.faults import Faults
from openspp_ftpd.sandbox.odoo import Odoo
from openspp_ftpd.sandbox.own_api import MOST_19, Limits, OwnAPI
from openspp_ftpd.sandbox.page import Page
from openspp_ftpd.sandbox.scanner_interface import Rules, ScannerInterface
from openspp_ftpd.sandbox.site import Site
from openspp_ftpd.sandbox.users import RECORDED, User, Users
from openspp_ftpd.sandbox.waiting import Waiting

INTERFACES: Final[Mapping[str, str]] = {
    "scanner": "OpenSPP 15 with its scanner interface",
    "odoo17": "OpenSPP 17 by Odoo's own API",
    "odoo19": "OpenSPP 2 (Odoo 19) by Odoo's own API",
}
"""The interfaces that can be answered, with what they are."""

_BANNERS: Final[Mapping[str, Banner]] = {
    "scanner": Banner("Werkzeug/0.16.1", "Python/3.9.18"),
    "odoo17": Banner("Werkzeug/2.0.2", "Python/3.10.13"),
    "odoo19": Banner("Werkzeug/3.0.1", "Python/3.12.1", closes_by_header=True),
}


@dataclass(frozen=True, slots=True)
class Design:
    """What an embedded OpenSPP is like.

    interface: one of INTERFACES; users: beside those of the recording, if recorded; key: the page's
    address carries it and there is no control, "" without both; small, most: bytes up to which a
    body is read at once, and that OpenSPP 2 takes.
    """

    interface: str = "scanner"
    users: Sequence[User] = ()
    recorded: bool = True
    rules: Rules = field(default_factory=Rules)
    setup: Setup = field(default_factory=Setup)
    key: str = ""
    small: int = body.SMALL
    most: int = MOST_19


def site_of(design: Design, documents: Documents, faults: Faults, *, kept: bool) -> Site:
    """Return an embedded OpenSPP without its network side; kept: documents stay in a folder."""
    waiting = Waiting()
    page = Page(documents, design.key, kept=kept)
    banner = _BANNERS[design.interface]
    if design.interface == "scanner":
        users = Users([*(RECORDED if design.recorded else ()), *design.users])
        scanner = ScannerInterface(users, documents, design.rules, waiting.pause)
        names = design.setup.names
        odoo = Odoo(scanner, documents, faults, names, waiting.pause, design.small)
        return Site(odoo, documents, faults, waiting, banner, page, control=not design.key)
    databases = Databases(
        VERSIONS[design.interface],
        design.setup,
        design.users,
        documents,
        waiting.pause,
        recorded=design.recorded,
    )
    limits = Limits(design.small, design.most)
    own_api = OwnAPI(databases, documents, faults, design.rules, waiting.pause, limits)
    return Site(
        own_api,
        documents,
        faults,
        waiting,
        banner,
        page,
        control=not design.key,
        databases=databases,
    )
