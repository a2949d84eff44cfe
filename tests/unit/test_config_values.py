"""Values of options: what can be written, and what is said to somebody who wrote something else."""

from __future__ import annotations

import pytest

from openspp_ftpd.config import values
from tests.unit.option_lines import bad, good


class TestUrl:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("https://dms.gov.iq", "https://dms.gov.iq"),
            ("https://dms.gov.iq/", "https://dms.gov.iq"),
            ("HTTPS://DMS.gov.iq:8443", "https://dms.gov.iq:8443"),
            ("http://127.0.0.1:8069", "http://127.0.0.1:8069"),
            ("http://localhost:8069/", "http://localhost:8069"),
            ("http://odoo_1:8069", "http://odoo_1:8069"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
            ("https://وثائق.example-gov.iq", "https://وثائق.example-gov.iq"),
        ],
    )
    def test_what_can_be_written(self, text: str, expected: str) -> None:
        assert good("openspp", f"url = {text}").openspp.url == expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("", "is not set; write the address of your OpenSPP: url = https://HOST"),
            ("dms.gov.iq", "has no scheme; write https://dms.gov.iq (or http://)"),
            ("dms.gov.iq:8069", "has no scheme; write https://dms.gov.iq:8069 (or http://)"),
            ("admin:secret@dms.gov.iq", "has no scheme; write https://HOST (or http://)"),
            ("ftp://dms.gov.iq", "the scheme 'ftp' is not possible; write https:// or http://"),
            (
                "https://admin:secret@dms.gov.iq:8443/web?x",
                "holds a user name; each scanner brings its own: write https://dms.gov.iq:8443",
            ),
            (
                "https://admin@dms.gov.iq",
                "holds a user name; each scanner brings its own: write https://dms.gov.iq",
            ),
            (
                "https://dms.gov.iq/odoo",
                "has a path; OpenSPP is asked at the root of its server: write https://dms.gov.iq",
            ),
            (
                "https://[::1]:8069/web/login",
                "has a path; OpenSPP is asked at the root of its server: write https://[::1]:8069",
            ),
            (
                "https://dms.gov.iq/?db=one",
                "has a query or fragment behind the address; write https://dms.gov.iq",
            ),
            (
                "https://dms.gov.iq#login",
                "has a query or fragment behind the address; write https://dms.gov.iq",
            ),
            (
                "https://dms.gov.iq?",
                "has a query or fragment behind the address; write https://dms.gov.iq",
            ),
            ("https://", "has no host; write https://HOST or https://HOST:PORT"),
            ("https://:8069", "has no host; write https://HOST or https://HOST:PORT"),
            (
                "https://dms.gov.iq:99999",
                "is no address of a server; write https://HOST or https://HOST:PORT",
            ),
            (
                "https://dms.gov.iq:x",
                "is no address of a server; write https://HOST or https://HOST:PORT",
            ),
            (
                "https://[::1",
                "is no address of a server; write https://HOST or https://HOST:PORT",
            ),
            (
                "https://dms.gov.iq:0",
                "port 0 is not possible; write https://HOST or https://HOST:PORT",
            ),
            (
                "https://dms gov.iq",
                "has a blank in it; write https://HOST or https://HOST:PORT",
            ),
            (
                "https://dms\tgov.iq",
                "has a blank in it; write https://HOST or https://HOST:PORT",
            ),
            (
                "https://dms..iq",
                "'dms..iq' is no host name; write https://HOST or https://HOST:PORT",
            ),
            (
                "https://<your-host>",
                "'<your-host>' is no host name; write https://HOST or https://HOST:PORT",
            ),
        ],
    )
    def test_what_cannot(self, text: str, expected: str) -> None:
        assert bad("openspp", f"url = {text}") == expected

    @pytest.mark.parametrize(
        "host",
        ["openspp.example.org", "example.com", "dms.example", "x.example.net.", "a.invalid"],
    )
    def test_no_password_is_sent_to_a_placeholder(self, host: str) -> None:
        assert bad("openspp", f"url = http://{host}") == (
            f"http://{host} is only an example; write the address of your OpenSPP"
        )

    @pytest.mark.parametrize("host", ["myexample.org", "example.gov.iq", "invalid.gov.iq"])
    def test_hosts_that_only_look_like_one(self, host: str) -> None:
        assert good("openspp", f"url = https://{host}").openspp.url == f"https://{host}"

    @pytest.mark.parametrize(
        "text", ["https://u:secret@h/p", "u:secret@h", "ftp://u:secret@h", "https://u:secret@[h"]
    )
    def test_a_password_in_it_is_never_repeated(self, text: str) -> None:
        assert "secret" not in bad("openspp", f"url = {text}")


class TestSizesAndDurations:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("64K", 65536),
            ("25M", 26_214_400),
            ("1g", 1_073_741_824),
            ("26214400", 26_214_400),
            ("25 M", 26_214_400),
        ],
    )
    def test_sizes(self, text: str, expected: int) -> None:
        assert good("uploads", f"max_size = {text}").uploads.max_size == expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("25MB", "'25MB' is no size; write 64K, 25M, 1G or a number of bytes"),
            ("2.5M", "'2.5M' is no size; write 64K, 25M, 1G or a number of bytes"),
            ("-1", "'-1' is no size; write 64K, 25M, 1G or a number of bytes"),
            ("", "'' is no size; write 64K, 25M, 1G or a number of bytes"),
            ("0", "0 is out of range; 1K to 4G are possible"),
            ("5G", "5G is out of range; 1K to 4G are possible"),
        ],
    )
    def test_what_is_no_size(self, text: str, expected: str) -> None:
        assert bad("uploads", f"max_size = {text}") == expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [("45s", 45), ("10min", 600), ("1h", 3600), ("90", 90), ("1.5 s", 1.5), ("1MIN", 60)],
    )
    def test_durations(self, text: str, expected: float) -> None:
        assert good("openspp", f"answer_within = {text}").openspp.answer_within == expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("5m", "'5m' is no duration; write 45s, 10min, 1h or seconds"),
            ("soon", "'soon' is no duration; write 45s, 10min, 1h or seconds"),
            ("-5", "'-5' is no duration; write 45s, 10min, 1h or seconds"),
            ("", "'' is no duration; write 45s, 10min, 1h or seconds"),
            ("nan", "'nan' is no duration; write 45s, 10min, 1h or seconds"),
            ("0", "0 is out of range; 1s to 1h are possible"),
            ("2h", "2h is out of range; 1s to 1h are possible"),
        ],
    )
    def test_what_is_no_duration(self, text: str, expected: str) -> None:
        assert bad("openspp", f"answer_within = {text}") == expected


class TestShares:
    @pytest.mark.parametrize(("text", "percent"), [("1%", 1), ("50 %", 50), ("100%", 100)])
    def test_good(self, text: str, percent: int) -> None:
        found = good("uploads", f"share_per_address = {text}").uploads.share_per_address
        assert found == percent

    @pytest.mark.parametrize("text", ["0%", "101%", "50", "half", "-5%", "5.5%", "1000%"])
    def test_bad(self, text: str) -> None:
        assert bad("uploads", f"share_per_address = {text}") == (
            f"'{text}' is no part of it; write 1% to 100%"
        )


class TestNumbersAndWords:
    def test_zero_sessions_per_address_is_no_limit(self) -> None:
        assert good("limits", "sessions_per_address = 0").limits.sessions_per_address == 0

    @pytest.mark.parametrize(
        ("section", "line", "expected"),
        [
            ("limits", "sessions = many", "'many' is no whole number; write 1 to 10000"),
            ("limits", "sessions = ٣", None),
            ("limits", "sessions = 1.5", "'1.5' is no whole number; write 1 to 10000"),
            ("limits", "sessions = 0", "0 is out of range; 1 to 10000 are possible"),
            ("limits", "sessions = -1", "-1 is out of range; 1 to 10000 are possible"),
            ("openspp", "parallel_requests = 1000", "1000 is out of range; 1 to 256 are possible"),
            ("ftp", "workers = 65", "65 is out of range; 1 to 64 are possible"),
            ("ftp", "workers = 0", "0 is out of range; 1 to 64 are possible"),
        ],
    )
    def test_numbers(self, section: str, line: str, expected: str | None) -> None:
        if expected is None:
            assert good(section, line).limits.sessions == 3  # digits of any script are digits
        else:
            assert bad(section, line) == expected

    @pytest.mark.parametrize(
        ("section", "line", "expected"),
        [
            (
                "tls",
                "mode = require",
                "'require' is unknown; did you mean required? possible: off, optional, required",
            ),
            ("tls", "mode = True", "'True' is unknown; possible: off, optional, required"),
            (
                "log",
                "level = warn",
                "'warn' is unknown; did you mean warning? possible: debug, info, warning",
            ),
            ("ftp", "data_from = world", "'world' is unknown; possible: session, any"),
        ],
    )
    def test_words(self, section: str, line: str, expected: str) -> None:
        assert bad(section, line) == expected

    def test_words_may_be_in_capitals(self) -> None:
        assert good("log", "level = DEBUG").log.level == "debug"

    @pytest.mark.parametrize("name", ["openspp", "OpenSPP_15.prod-2", ""])
    def test_databases(self, name: str) -> None:
        assert good("openspp", f"database = {name}").openspp.database == name

    @pytest.mark.parametrize("name", ["a b", "-x", "a/b", "a;b"])
    def test_what_is_no_database(self, name: str) -> None:
        assert bad("openspp", f"database = {name}") == (
            f"'{name}' is no database name; letters, digits, '_', '.', '-' make one"
        )


class TestMinimumVersion:
    @pytest.mark.parametrize("text", ["1.2", "TLSv1.2", "TLS 1.2"])
    def test_1_2(self, text: str) -> None:
        assert good("tls", f"minimum_version = {text}").tls.minimum_version == "1.2"

    @pytest.mark.parametrize("text", ["1.3", "TLSv1.3"])
    def test_1_3_loses_scans(self, text: str) -> None:
        assert bad("tls", f"minimum_version = {text}") == (
            "with TLS 1.3 on the data connection the tail of a scan gets lost, for a client that"
            " does not read the session tickets resets the connection when it closes; write 1.2"
            " (the control connection uses TLS 1.3 by itself wherever the scanner can)"
        )

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("1.0", "TLS 1.0 is broken and OpenSSL refuses it; write 1.2"),
            ("1.1", "TLS 1.1 is broken and OpenSSL refuses it; write 1.2"),
            ("SSLv3", "'SSLv3' is no version of TLS; write 1.2"),
            ("", "'' is no version of TLS; write 1.2"),
        ],
    )
    def test_others(self, text: str, expected: str) -> None:
        assert bad("tls", f"minimum_version = {text}") == expected


class TestPaths:
    @pytest.mark.parametrize(
        ("section", "line", "expected"),
        [
            ("tls", "certificate = scan.pem", "'scan.pem' is no full path; write one that begins"),
            ("tls", "key = ~/scan.key", "'~/scan.key' is no full path; write one that begins"),
            ("uploads", "directory =", "is empty; write a path that begins with /, or remove"),
            ("openspp", "ca_file = ca.pem", "'ca.pem' is no full path; write one that begins"),
        ],
    )
    def test_they_are_full(self, section: str, line: str, expected: str) -> None:
        assert bad(section, line).startswith(expected)

    def test_no_authority_is_the_systems(self) -> None:
        assert good("openspp", "ca_file =").openspp.ca_file == ""


class TestScanners:
    @pytest.mark.parametrize("name", ["cp1252", "cp1256", "windows-1256", "cp932", "latin-1"])
    def test_code_pages(self, name: str) -> None:
        assert good("scanners", f"code_page = {name}").scanners.code_page == name

    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("cp12562", "did you mean cp1256? "),
            ("windows1256", "did you mean windows-1256? "),
            ("utf-16", ""),
            ("hex", ""),
            ("undefined", ""),
            ("klingon", ""),
            ("", ""),
        ],
    )
    def test_what_is_no_code_page(self, name: str, meant: str) -> None:
        assert bad("scanners", f"code_page = {name}") == (
            f"'{name}' is no code page; {meant}write for example cp1252 or cp1256"
        )

    def test_temporary_names(self) -> None:
        found = good("scanners", "temporary_names = *.part, .in.*, ~*.tmp")
        assert found.scanners.temporary_names == ("*.part", ".in.*", "~*.tmp")
        assert good("scanners", "temporary_names =").scanners.temporary_names == ()

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (".part", "'.part' needs one * for the final name; write it like *.part"),
            ("*", "'*' needs one * for the final name; write it like *.part"),
            ("*.*", "'*.*' needs one * for the final name; write it like *.part"),
            ("tmp/*", "'tmp/*' has a blank or slash; write a pattern of a name: *.part"),
            ("*.part *.tmp", "'*.part *.tmp' needs one * for the final name; write it like *.part"),
        ],
    )
    def test_what_is_no_pattern(self, text: str, expected: str) -> None:
        assert bad("scanners", f"temporary_names = {text}") == expected

    def test_side_files(self) -> None:
        found = good("scanners", "side_files = *.xst, NETSCAN.DAT, job?.xml")
        assert found.scanners.side_files == ("*.xst", "NETSCAN.DAT", "job?.xml")
        assert good("scanners", "side_files =").scanners.side_files == ()

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("*", "'*' fits every document, and none would be kept; name a type"),
            ("*.*", "'*.*' fits every document, and none would be kept; name a type"),
            ("*.???", "'*.???' fits every document, and none would be kept; name a type"),
            ("scans/*.xst", "'scans/*.xst' has a slash; write a pattern of a name: *.xst"),
            ("*.[xd]at", "'*.[xd]at' has a bracket; only * and ? stand for something"),
        ],
    )
    def test_what_names_no_side_files(self, text: str, expected: str) -> None:
        assert bad("scanners", f"side_files = {text}") == expected

    def test_epsv_eprt_and_feat(self) -> None:
        assert good("scanners", "epsv_eprt = off").scanners.epsv_eprt == "off"
        assert good("scanners", "feat = short").scanners.feat == "short"
        assert bad("scanners", "feat = shor").startswith("'shor' is unknown; did you mean short?")


def test_a_long_value_is_shown_cut() -> None:
    assert values.quoted("x" * 100) == "'" + "x" * 57 + "...'"
