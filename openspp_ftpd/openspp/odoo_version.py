"""Which Odoo answers: asked without a login, of each server once (WIRE17.md section 3).

/web/version exists from 19 on and is asked first: there the other question writes a warning into
OpenSPP's log each time, and can have been uninstalled.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from openspp_ftpd.errors import Problem
from openspp_ftpd.openspp.answers import Answer, Refusal, RequestId, by_status, failure_of
from openspp_ftpd.openspp.client import Client
from openspp_ftpd.openspp.exchange import Exchange
from openspp_ftpd.openspp.odoo_answers import Refused, said_by_json_rpc
from openspp_ftpd.openspp.odoo_calls import json_rpc

OLDEST: Final = 17
"""The first version that has web_save and OpenSPP's document store."""

_WEB_VERSION: Final = "/web/version"


def ask_version(client: Client, exchange: Exchange, patience: float, request_id: RequestId) -> int:
    """Odoo's major version. Raises NoAnswer, Abandoned, and Refused where no Odoo tells one."""
    answer = client.get(_WEB_VERSION, exchange, patience)
    version = _major(_content(answer).get("version_info"))
    if version is None:
        if answer.status not in (200, 404) and (refusal := by_status(answer)):
            raise Refused(failure_of(answer, refusal), refusal.may_retry)
        request = json_rpc(request_id, "common", "version")
        answer = client.post(request.path, request.body.encode(), exchange, patience)
        told = said_by_json_rpc(answer, request.id).result()
        version = _major(told.get("server_version_info")) if isinstance(told, dict) else None
    if version is None:
        raise Refused(failure_of(answer, Refusal(Problem.NOT_OPENSPP, "no version of Odoo")))
    if version < OLDEST:
        advice = f"this is Odoo {version}; for OpenSPP 15 write api = scanner in [openspp]"
        raise Refused(failure_of(answer, Refusal(Problem.NOT_OPENSPP, advice)))
    return version


def _content(answer: Answer) -> dict[str, Any]:
    if answer.status != 200 or not answer.is_json or not answer.whole:
        return {}
    try:
        content = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _major(info: object) -> int | None:
    """17 of [17, 0, 0, "final", 0, ""], and of ["saas~17", 2, ...]."""
    first = info[0] if isinstance(info, list) and info else None
    found = re.fullmatch(r"(?:saas[~-])?([0-9]{1,4})", str(first))
    return int(found[1]) if found else None
