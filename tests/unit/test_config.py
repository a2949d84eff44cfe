"""The configuration file: every mistake is told at once, each with its line and a mend."""

from __future__ import annotations

import dataclasses
import random
import re
import string
from pathlib import Path

import pytest

from openspp_ftpd.config import ini, loading, schema, shipped
from openspp_ftpd.settings import (
    Address,
    FtpSettings,
    LimitSettings,
    LogSettings,
    MetricsSettings,
    OpenSPPSettings,
    ScannerSettings,
    Settings,
    TlsSettings,
    UploadSettings,
)

ROOT = Path(__file__).resolve().parents[2]
URL = "[openspp]\nurl = https://dms.gov.iq\n"


def mistakes(text: str) -> list[str]:
    """What `understand` finds wrong, as `line: text`."""
    return [f"{line}: {said}" for line, said in loading.understand(text).mistakes]


def settings(text: str) -> Settings:
    understood = loading.understand(text)
    assert understood.mistakes == ()
    return understood.settings


class TestTheShippedFile:
    def test_it_is_what_the_schema_says(self) -> None:
        file = (ROOT / "etc" / "openspp-ftpd.conf").read_text(encoding="utf-8")
        how = "write it anew: from openspp_ftpd.config import shipped; print(shipped(), end='')"
        assert file == shipped(), how

    def test_as_it_is_only_the_url_is_missing(self) -> None:
        (found,) = mistakes(shipped())
        assert re.sub(r"\d+", "N", found) == (
            "N: [openspp] url: https://openspp.example.org is only an example; write the address of"
            " your OpenSPP"
        )

    def test_with_a_url_it_gives_the_defaults(self) -> None:
        text = shipped().replace("https://openspp.example.org", "https://dms.gov.iq")
        assert settings(text) == Settings(OpenSPPSettings("https://dms.gov.iq"))

    def test_every_default_in_it_is_the_real_one(self) -> None:
        text = shipped().replace("https://openspp.example.org", "https://dms.gov.iq")
        everything = re.sub(r"(?m)^#(\w+ =)", r"\1", text)
        assert everything.count("\n#") < text.count("\n#")
        understood = loading.understand(everything)
        assert understood.mistakes == ()
        assert understood.settings == Settings(OpenSPPSettings("https://dms.gov.iq"))
        assert len(understood.ini.entries) == len(schema.OPTIONS)

    def test_every_setting_has_its_option_and_no_option_is_without_setting(self) -> None:
        fields = {
            (section.name, option.name)
            for section in dataclasses.fields(Settings)
            for option in dataclasses.fields(
                {
                    "openspp": OpenSPPSettings,
                    "ftp": FtpSettings,
                    "tls": TlsSettings,
                    "uploads": UploadSettings,
                    "limits": LimitSettings,
                    "scanners": ScannerSettings,
                    "log": LogSettings,
                    "metrics": MetricsSettings,
                }[section.name]
            )
        }
        assert fields == {(option.section, option.name) for option in schema.OPTIONS}

    def test_every_variable_of_the_original_is_named(self) -> None:
        named = {option.original: option.name for option in schema.OPTIONS if option.original}
        assert named == {
            "DEBUG": "level",
            "TLS": "mode",
            "OPENSPP_URL": "url",
            "OPENSPP_DB_NAME": "database",
            "DEFAULT_PASSIVE_PORTS": "passive_ports",
            "DEFAULT_SSL_CERTFILE": "certificate",
            "DEFAULT_SSL_KEYFILE": "key",
            "FTP_HOSTNAME": "public_address",
            "FTP_PORT": "listen",
            "FTP_WORKER_COUNT": "workers",
            "FTP_UPLOAD_DIR": "directory",
            "FTP_MAX_CONNECTIONS": "sessions",
            "FTP_MAX_CONNECTIONS_PER_IP": "sessions_per_address",
        }

    def test_it_fits_a_terminal(self) -> None:
        assert max(map(len, shipped().split("\n"))) <= 80


class TestWhatAnIniFileIs:
    def test_options_of_several_sections(self) -> None:
        text = URL + "\n[log]\nlevel = debug\n[ftp]\n  listen = 127.0.0.1:2121\n"
        found = settings(text)
        assert found.log.level == "debug"
        assert found.ftp.listen == (Address("127.0.0.1", 2121),)

    def test_names_may_be_in_capitals(self) -> None:
        assert settings("[openspp]\nURL=https://dms.gov.iq").openspp.url == "https://dms.gov.iq"

    def test_a_list_may_go_on_in_the_next_lines(self) -> None:
        text = URL + "[ftp]\nlisten = 127.0.0.1:21,\n    # comment\n    127.0.0.2:21\n  :2121\n"
        assert [str(address) for address in settings(text).ftp.listen] == [
            "127.0.0.1:21",
            "127.0.0.2:21",
            "0.0.0.0:2121",
            "[::]:2121",
        ]

    def test_a_percent_sign_is_nothing_special(self) -> None:
        assert settings(URL + "[tls]\nkey = /etc/%(x)s\n").tls.key == "/etc/%(x)s"

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (
                "url = https://dms.gov.iq\n" + URL,
                ["1: stands before the first [section]; put it below one"],
            ),
            (
                URL + "\n[log]\n\n[openspp]\ndatabase = a\n",
                ["6: section [openspp] began in line 1 already; put both together"],
            ),
            (
                URL + "# a\nurl = https://b.gov.iq\n",
                ["4: url is set in line 2 already; keep one of the two"],
            ),
            (
                URL + "[log]\nlevel debug\n",
                ["4: this is no option; write: option = value (a comment begins with #)"],
            ),
            (
                URL + "[log]\nlevel: debug\n",
                ["4: this is no option; write: option = value (a comment begins with #)"],
            ),
            (URL + "= 5\n", ["3: there is no name before the '='; write: option = value"]),
            (URL + "[log\n", ["3: a section is written [section], alone in its line"]),
            (URL + "[]\n", ["3: a section is written [section], alone in its line"]),
        ],
    )
    def test_what_is_none_is_told_with_its_line(self, text: str, expected: list[str]) -> None:
        assert mistakes(text) == expected

    def test_what_a_second_section_of_one_name_says_is_checked_too(self) -> None:
        text = URL + "[log]\n[openspp]\nurl = https://b.gov.iq\ndatabase = a b\n[openspp]\n"
        assert mistakes(text) == [
            "4: section [openspp] began in line 1 already; put both together",
            "5: url is set in line 2 already; keep one of the two",
            "6: [openspp] database: 'a b' is no database name; letters, digits, '_', '.', '-'"
            " make one",
            "7: section [openspp] began in line 1 already; put both together",
        ]

    def test_everything_is_told_at_once(self) -> None:
        text = (
            "x = 1\n[openspp]\n[ftp]\nlisten = no\nlisten = :21\n???\n[ftp]\n[logs]\n[log]\nlvl=1"
        )
        assert [found.split(":")[0] for found in mistakes(text)] == [*list("1245678"), "10"]

    @pytest.mark.parametrize("line", ["password secret", "x", "["])
    def test_lines_that_are_no_option_are_not_repeated(self, line: str) -> None:
        (found,) = mistakes(f"{URL}{line}\n")
        assert line not in found.split(": ", 1)[1] or line in ("[", "x")
        assert "secret" not in found

    def test_a_file_of_another_kind_ends_soon(self) -> None:
        found = mistakes("garbage\n" * 10_000)
        assert len(found) == 51 + 1  # and the url is not set
        assert "50: too many mistakes; is this the right file?" in found

    def test_any_text_gives_mistakes_or_settings(self) -> None:
        chance = random.Random(2)
        words = ["[", "]", "=", "#", ";", " ", "\t", "\n", "\n", "[ftp]", "[DEFAULT]", "[openspp]"]
        words += ["url", "listen", "https://", "\r", "\x85", "\u2028", "%(", ":", ",", "ü", "\n "]
        words += [option.name for option in schema.OPTIONS] + list(string.printable)
        for _ in range(3000):
            text = "".join(chance.choices(words, k=chance.randrange(30)))
            for line, _said in loading.understand(text).mistakes:
                assert 1 <= line <= text.count("\n") + 1

    def test_the_lines_of_sections_and_entries(self) -> None:
        text = "# c\n\n[a]\nx = 1\n  2\n\n[c]\n  [b]\n  y = 3\n"
        found = ini.parse(text)
        assert found.sections == {"a": 3, "c": 7, "b": 8}
        assert found.entries == (ini.Entry("a", "x", "1\n2", 4), ini.Entry("b", "y", "3", 9))

    def test_a_section_for_defaults_is_none(self) -> None:
        found = mistakes("[DEFAULT]\nurl = https://dms.gov.iq\n" + URL)
        assert found == [
            "1: section 'DEFAULT' is unknown; there are [openspp], [ftp], [tls], [uploads],"
            " [limits], [scanners], [log], [metrics]"
        ]


class TestUnknownNames:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (
                "[upload]\n",
                "3: section 'upload' is unknown; did you mean [uploads]? there are [openspp],"
                " [ftp], [tls], [uploads], [limits], [scanners], [log], [metrics]",
            ),
            (
                "[FTP]\nlisten = :21\n",
                "3: section 'FTP' is unknown; did you mean [ftp]? there are [openspp],"
                " [ftp], [tls], [uploads], [limits], [scanners], [log], [metrics]",
            ),
            (
                "[ftp]\nlistne = :21\n",
                "4: 'listne' is no option of [ftp]; did you mean listen?",
            ),
            (
                "[ftp]\nmax_size = 5M\n",
                "4: 'max_size' is no option of [ftp]; write max_size in section [uploads]",
            ),
            (
                "[ftp]\nftp_port = 21\n",
                "4: 'ftp_port' is no option of [ftp]; write listen in section [ftp]",
            ),
            (
                "[ftp]\nFTP_UPLOAD_DIR = /x\n",
                "4: 'ftp_upload_dir' is no option of [ftp]; write directory in section [uploads]",
            ),
            (
                "[log]\nmaxsize = 5M\n",
                "4: 'maxsize' is no option of [log]; did you mean max_size in section [uploads]?",
            ),
            (
                "[log]\nqqqqqq = 5M\n",
                "4: 'qqqqqq' is no option of [log]; there are level, names",
            ),
            (
                "[log]\n\x1b[2Jqqqqqq = 5M\n",
                "4: '<U+001B>[2jqqqqqq' is no option of [log]; there are level, names",
            ),
        ],
    )
    def test_the_nearest_known_one_is_named(self, text: str, expected: str) -> None:
        assert mistakes(URL + text) == [expected]

    def test_a_misspelt_url_is_one_mistake(self) -> None:
        assert mistakes("[openspp]\nurll = https://dms.gov.iq\n") == [
            "2: 'urll' is no option of [openspp]; did you mean url?"
        ]


class TestSlipsOfEveryOption:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("debug # for now", "there is a comment behind the value; give it a line of its own"),
            ("debug ; for now", "there is a comment behind the value; give it a line of its own"),
            ('"debug"', "stands in quotation marks; write it without"),
            ("'debug'", "stands in quotation marks; write it without"),
            (
                "debug\n names = full",
                "names below it begins with a blank; remove that",
            ),
            ("de\u200bbug", "holds an invisible character (U+200B); write the value anew"),
            ("debug\n\n [ftp]", "[ftp] below it begins with a blank; remove that"),
            ("debug\n more", "has a second line, which begins with a blank; write one line"),
            (
                "debug\n\n# c\n\tmore",
                "has a second line, which begins with a blank; write one line",
            ),
            ("", "'' is unknown; possible: debug, info, warning"),
        ],
    )
    def test_each_is_named(self, value: str, expected: str) -> None:
        assert mistakes(f"{URL}[log]\nlevel = {value}\n") == [f"4: [log] level: {expected}"]


class TestOptionsThatDoNotGoTogether:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (
                "listen = 0.0.0.0:21, 127.0.0.1:21",
                "5: [ftp] listen: 127.0.0.1:21 and 0.0.0.0:21 want the same port; give one of them"
                " another",
            ),
            (
                "listen = [::1]:21, [::]:21",
                "5: [ftp] listen: [::]:21 and [::1]:21 want the same port; give one of them"
                " another",
            ),
            (
                "listen = :21, 10.0.0.1:21",
                "5: [ftp] listen: 10.0.0.1:21 and 0.0.0.0:21 want the same port; give one of them"
                " another",
            ),
            (
                "listen = 127.0.0.1:21, 127.0.0.1:21",
                "5: [ftp] listen: 127.0.0.1:21 and 127.0.0.1:21 want the same port; give one of"
                " them another",
            ),
            (
                "listen_implicit = 10.0.0.1:8002",
                "5: [ftp] listen_implicit: 10.0.0.1:8002 and 0.0.0.0:8002 want the same port; give"
                " one of them another",
            ),
            (
                "listen =",
                "5: [ftp] listen: is empty, so no scanner could connect; write listen = :8002",
            ),
            (
                "passive_ports = 8000-8010",
                "5: [ftp] passive_ports: port 8002 is that of the listener [::]:8002; leave it out"
                " here",
            ),
            (
                "passive_ports = 9000-9010\nlisten_implicit = 127.0.0.1:9009",
                "5: [ftp] passive_ports: port 9009 is that of the listener 127.0.0.1:9009; leave it"
                " out here",
            ),
        ],
    )
    def test_listeners(self, text: str, expected: str) -> None:
        assert mistakes(f"{URL}\n[ftp]\n{text}\n") == [expected]

    @pytest.mark.parametrize(
        "text",
        [
            "listen = 127.0.0.1:21, 127.0.0.2:21, [::1]:21",
            "listen = 0.0.0.0:21, [::]:21",
            "listen = :21\nlisten_implicit = :990",
            "listen =\nlisten_implicit = :990",
            "passive_ports = 8003-8010",
        ],
    )
    def test_listeners_that_do(self, text: str) -> None:
        assert mistakes(f"{URL}\n[ftp]\n{text}\n") == []

    def test_a_wrong_listener_is_not_also_compared(self) -> None:
        assert mistakes(f"{URL}\n[ftp]\nlisten = 21\npassive_ports = 8000-8010\n") == [
            "5: [ftp] listen: '21' has no address; write :21 for all, or 127.0.0.1:21"
        ]

    def test_implicit_tls_without_tls(self) -> None:
        assert mistakes(URL + "[ftp]\nlisten_implicit = :990\n[tls]\nmode = off\n") == [
            "6: [tls] mode: implicit TLS needs a certificate; write optional or required"
        ]


class TestWhereAnOptionIsBlamed:
    @pytest.mark.parametrize(
        ("text", "line"),
        [
            (URL + "[uploads]\n\ndirectory = /run/x\n", 5),  # where it is set
            (URL + "\n[uploads]\nmax_size = 1M\n", 4),  # where it would be set
            (URL, 1),
        ],
    )
    def test_it_is_the_nearest_place(self, text: str, line: int) -> None:
        assert loading.understand(text).line("uploads", "directory") == line


class TestTheUrlMustBeSet:
    MISSING = "[openspp] url: is not set; write the address of your OpenSPP: url = https://HOST"

    @pytest.mark.parametrize(
        ("text", "line"),
        [("", 1), ("# nothing\n\n[openspp]\n", 3), ("[log]\n[openspp]\nurl =\n", 3)],
    )
    def test_where_it_should_stand(self, text: str, line: int) -> None:
        assert mistakes(text) == [f"{line}: {self.MISSING}"]
