"""The configuration: whatever a file holds, mistakes are listed with their lines."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from hypothesis import strategies as st

from openspp_ftpd.config import ConfigurationError, load, schema, shipped
from openspp_ftpd.config.loading import understand
from openspp_ftpd.settings import PublicAddress, Settings
from tests.fuzz.campaign import Campaign

_SECTIONS: Final = (*schema.SECTIONS, "DEFAULT", "Ftp", "ftp ", "", "\u00e9", "x]y")
_NAMES: Final = (
    *(option.name for option in schema.OPTIONS),
    *(option.original for option in schema.OPTIONS if option.original),
    *("lisen", "url ", "URL", "", "a b", "ü", "%(url)s", "__class__"),
)
_VALUES: Final = (
    *(option.default for option in schema.OPTIONS),
    *(
        "https://openspp.gov.iq",
        "http://[::1]:8069",
        "http://[",
        "http://x:99999",
        "https://a@b/c?d#e",
    ),
    *(
        "10.0.0.0/8",
        "10.0.0.1/8",
        "::1/129",
        "[::1]:8002",
        ":8002",
        "127.0.0.1:0",
        "1.2.3.4:x",
        "²",
    ),
    *(
        "3000-3005",
        "3005-3000",
        "1024-65535",
        "0",
        "-1",
        "9" * 30,
        "٣٠٠٠",
        "1.5.2",
        "1h",
        "1 h",
        "1e9s",
    ),
    *(
        "25M",
        "4G",
        "5G",
        "0K",
        "1T",
        "1.5M",
        "on",
        "off",
        "yes",
        "1.3",
        "/x\0y",
        "%(x)s",
        "${x}",
        '"q"',
    ),
    *(
        "cp1256",
        "utf-16",
        "base64",
        "rot13",
        "hex",
        "idna",
        "undefined",
        "mbcs",
        "..",
        "*.part",
        "*",
    ),
    *(
        "[a-",
        "a=b",
        "10.0.0.0/8=h",
        "=",
        ",,,",
        "x # y",
        "x ; y",
        "\u202e",
        "x" * 5000,
        "\x85",
        "\ufeff",
    ),
)
_VALUE: Final = st.one_of(st.sampled_from(_VALUES), st.text(max_size=30))
_ENTRY: Final = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "", "", " ", "\t", "#", ";"]),
    st.one_of(st.sampled_from(_NAMES), st.text(max_size=10)),
    st.sampled_from([" = ", "=", " : ", ": ", "", " = \n  "]),
    _VALUE,
)
_LINE: Final = st.one_of(
    _ENTRY,
    _ENTRY,
    _ENTRY,
    st.builds(
        "[{}]{}".format, st.sampled_from(_SECTIONS), st.sampled_from(["", "", " ", "x", "#"])
    ),
    st.text(max_size=30),
)
TEXTS: Final = st.tuples(
    st.lists(_LINE, max_size=14),
    st.sampled_from(["\n", "\n", "\n", "\r\n", "\r", "\n\n", "\x0b", "\x85"]),
).map(lambda parts: parts[1].join(parts[0]))
FILES: Final = st.one_of(
    TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.binary(max_size=100),
    st.tuples(TEXTS, st.binary(max_size=4)).map(
        lambda both: both[0].encode("utf-8", "replace") + both[1]
    ),
    st.tuples(st.integers(0, 20_000), st.binary(max_size=8)).map(lambda cut: _patched(*cut)),
)


def _patched(place: int, patch: bytes) -> bytes:
    text = shipped().encode()
    place %= len(text)
    return text[:place] + patch + text[place + len(patch) :]


@pytest.mark.share(1, 3)
def test_any_file(campaign: Campaign, tmp_path: Path) -> None:
    path = tmp_path / "openspp-ftpd.conf"

    def check(content: bytes) -> None:
        path.write_bytes(content)
        lines = max(content.count(b"\n"), content.count(b"\r")) + 2
        try:
            loaded = load(str(path))
        except ConfigurationError as error:
            assert error.mistakes
            for mistake in error.mistakes:
                assert mistake.file == str(path)
                assert 0 <= mistake.line <= lines + content.count(b"\r")
                assert mistake.text.strip()
                assert "\n" not in str(mistake)
        else:
            assert isinstance(loaded.settings, Settings)

    campaign.fuzz(check, content=FILES)


_PRINTABLE: Final = st.characters(blacklist_categories=["Cs", "Cc", "Cf", "Cn", "Co", "Zl", "Zp"])
_URLS: Final = st.builds(
    "{}{}".format,
    st.sampled_from(["http://", "https://", "HTTP://", "//", "ftp://", ""]),
    st.text("a1é.:@/[]?#%-\\ ", max_size=12),
)
_OPTIONS_AND_VALUES: Final = st.one_of(
    st.tuples(st.just(("openspp", "url")), _URLS),
    st.tuples(
        st.sampled_from([(option.section, option.name) for option in schema.OPTIONS]),
        st.one_of(
            st.sampled_from(_VALUES),
            st.sampled_from([option.default for option in schema.OPTIONS]),
            st.text(_PRINTABLE, max_size=20),
            st.text("0123456789.:[]/-=,*?smhinKMG ", max_size=20),
        ),
    ),
    *(
        st.tuples(st.just((section, name)), st.builds("{}{}".format, st.integers(0, 9999), units))
        for section, name, units in (
            ("limits", "ban_time", st.sampled_from(["s", "min", "h", "", " min", ".5s", "d"])),
            ("uploads", "max_size", st.sampled_from(["K", "M", "G", "", " K", "T", ".5M"])),
        )
    ),
)


@pytest.mark.share(0.5, 3)
def test_values(campaign: Campaign) -> None:
    """A value is taken or refused with words, with blanks around it as without; what was taken is
    taken again as it is written out."""

    def check(where: tuple[tuple[str, str], str]) -> None:
        (section, name), value = where
        taken = _taken(section, name, value)
        assert taken == _taken(section, name, f"  {value} \t")
        if taken is not None:
            assert _taken(section, name, _written(taken)) == taken

    campaign.fuzz(check, where=_OPTIONS_AND_VALUES)


def _taken(section: str, name: str, value: str) -> object:
    """The setting that comes of a value; None where it is refused, and then with words."""
    head = "" if name == "url" else "url = https://openspp.gov.iq\n"
    own = "" if section == "openspp" else f"[{section}]\n"
    understood = understand(f"[openspp]\n{head}{own}{name} = {value}\n")
    if understood.mistakes:
        assert all(line > 0 and text.strip() for line, text in understood.mistakes)
        return None
    found: object = getattr(getattr(understood.settings, section), name)
    return found


def _written(value: object) -> str:
    """As the value is written in a file."""
    if isinstance(value, tuple):
        return ", ".join(_written(one) for one in value)
    if isinstance(value, PublicAddress):
        return f"{value.network}={value.host}" if value.network else value.host
    if isinstance(value, float):
        return f"{value:.3f}"
    return str(value)
