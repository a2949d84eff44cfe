"""What a reply to a scanner means, in words, and what to do first. Pure."""

from __future__ import annotations

from typing import Final

from openspp_ftpd.errors import Problem

_CHECK: Final = "openspp-ftpd check says more"
_ASK_ADMIN: Final = f"{_CHECK}; so does the journal: journalctl -x -u openspp-ftpd"

_OF_PROBLEMS: Final = {
    Problem.WRONG_PASSWORD: "it is the user's scanner password that is asked for, not the one of"
    " OpenSPP's web page; with api = odoo it is an API key of the user's; user names differ in"
    " upper and lower case",
    Problem.NOT_A_SCANNER_USER: "the password is right; put the user into OpenSPP's group Scanner",
    Problem.NO_DIRECTORY: "the login is right, but the user has no active directory: he chooses"
    " one in OpenSPP",
    Problem.NO_RIGHT: "the user may not store in the directory that he chose: give him the right"
    " in OpenSPP, or have him choose another",
    Problem.MAY_NOT_STORE: "the API key is right; put the user into OpenSPP's group DMS / Manager"
    " (OpenSPP 17) or DMS / Officer (OpenSPP 2)",
    Problem.DIRECTORY_MISSING: "the login is right; make the directory in OpenSPP that directory in"
    " [openspp] names, or write make_directories = yes",
    Problem.TWO_DIRECTORIES: "rename one of the two in OpenSPP, or write the id of the right one as"
    " directory in [openspp]",
    Problem.UNREACHABLE: f"OpenSPP cannot be reached from this machine; {_CHECK}",
    Problem.OUT_OF_ORDER: f"OpenSPP answered with an error of its own: see its log; {_CHECK}",
    Problem.TOO_SLOW: f"OpenSPP took too long: see its load; {_CHECK}",
    Problem.CERTIFICATE: f"OpenSPP's certificate is not accepted; {_CHECK}",
    Problem.REDIRECTED: f"url in [openspp] leads to a redirect; {_CHECK} which one to write",
    Problem.NOT_OPENSPP: f"something else answers at url in [openspp]; {_CHECK}",
    Problem.TOO_LARGE: "raise max_size in [uploads] and OpenSPP's own limit of the upload size",
    Problem.TOO_LARGE_FOR_PROXY: "raise the limit of the proxy before OpenSPP (nginx:"
    " client_max_body_size) to four thirds of max_size",
    Problem.EXCESSIVE_IMAGE: "OpenSPP takes no image of so many pixels: send it as PDF",
    Problem.SPOOL_FULL: f"the daemon's tmpfs is full; {_CHECK}",
    Problem.NAME_TAKEN: "there is a document of that name: send it under another",
}
_OF_CODES: Final = {
    "421": "the daemon turned the session away, and says why; wait, or see [limits]",
    "425": f"the data connection did not come about: see passive_ports and the firewall; {_CHECK}",
    "426": "the transfer was cut off on its way: try again; if it happens often, see the network",
    "451": _ASK_ADMIN,
    "452": "there is no room at the moment: try again in a minute",
    "522": "TLS of the data connection is wanted (PROT P)",
    "530": "the login was refused; TLS may be required: see mode in [tls]",
    "534": "TLS is off: see mode in [tls]",
    "550": "the words say why: as a rule a right or a directory that the user lacks in OpenSPP",
    "552": "it is too large",
    "553": "OpenSPP refused it, and says why",
}


def advice_for(reply: str) -> str:
    """What to do about a reply that is no success."""
    text = reply[4:].strip()
    for problem, advice in _OF_PROBLEMS.items():
        if text and text in (problem.text, problem.text.replace(" Not stored.", "")):
            return advice
    return _OF_CODES.get(reply[:3], _ASK_ADMIN)


def advice_for_connecting(error: BaseException, port: int) -> str:
    """What to do where no session came about."""
    if isinstance(error, ConnectionRefusedError):
        return (
            f"nobody listens on port {port}: systemctl start openspp-ftpd;"
            " systemctl status openspp-ftpd says why it does not run"
        )
    if isinstance(error, TimeoutError):
        return f"port {port} does not answer: a firewall is between, or the address is wrong"
    return _OF_CODES.get(str(error)[:3], _ASK_ADMIN)


def advice_for_data() -> str:
    """What to do where the control connection works and the data connection does not."""
    return (
        "login works, but the passive port cannot be reached: open passive_ports of [ftp] in every"
        " firewall between, and pass them on where there is NAT (public_address)"
    )
