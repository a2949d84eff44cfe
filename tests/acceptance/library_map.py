"""What is wrong with pyftpdlib for who takes uploads, and the tests that hold us to better.

`python3 -m tests.acceptance.library_map` prints how many of its faults are covered, and each with
its tests. The faults were found in its code, its issues and by measuring 1.5.7 to 2.2.0; the
numbers are those that our tests bear. `test_library_map.py` sees to it that no test named here is
missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_A: Final = "tests/acceptance/"
_U: Final = "tests/unit/"
_AT_REST: Final = _A + "test_library_at_rest.py::"
_SESSIONS: Final = _A + "test_library_sessions.py::"
_TRANSFERS: Final = _A + "test_library_transfers.py::"
_BALANCER: Final = _A + "test_several_gateways.py::"
_BEHIND_AUTH: Final = _A + "test_tls.py::TestNothingInClearIsObeyedBehindAuth::"
_BOUNCE: Final = _A + "test_attacks_data.py::TestBounce::"
_BROKEN: Final = _A + "test_broken_transfers.py::TestHowTheDataConnectionEnds::"
_CERTIFICATE: Final = _U + "test_config_world.py::TestTheCertificate::"
_CLIENTS: Final = _A + "test_clients.py::TestEveryUploadArrivesWholeAndOnce::"
_COMMANDS: Final = _A + "test_commands.py::TestCommandsAroundAnUpload::"
_COUNTS: Final = _A + "test_workers.py::TestCounts::"
_DEFECTS: Final = _U + "ftp/test_defects.py::"
_DIALECTS: Final = _A + "test_commands.py::TestDialects::"
_DURING: Final = _A + "test_commands_during_a_transfer.py::TestCommandsDuringATransfer::"
_FULL: Final = _A + "test_no_room.py::TestAFullSpool::"
_GONE: Final = _A + "test_lost_clients.py::TestTheControlConnectionIsGone::"
_HALF: Final = _A + "test_tls_at_rest.py::TestHalfClosedConnections::"
_LOST: Final = _A + "test_workers_lost.py::TestTheParent::"
_NOT_AGREED: Final = _A + "test_broken_transfers.py::TestTheDataConnectionIsNotWhatWasAgreed::"
_OPENSPP: Final = _A + "test_failing_uploads.py::TestWhatOpenSPPAnswers::"
_PORTS: Final = _A + "test_crowds.py::TestManyScannersThroughSixPorts::"
_PROXY: Final = _U + "test_proxy_protocol.py::"
_QUIRK_9: Final = _A + "test_quirks_01_10.py::Test09PassiveOnlyEpsvUnusable::test_09_"
_QUIRK_31: Final = _A + "test_quirks_21_32.py::Test31DropsControlWithoutQuitAfter226::test_31_"
_QUIRKS: Final = _A + "test_quirks_"
_PUBLIC: Final = _U + "ftp/test_public_address.py::"
_RELOAD: Final = _A + "test_tls.py::TestReload::"
_REUSE: Final = _A + "test_tls_session_reuse.py::TestSessionReuse::"
_SECRETS: Final = _A + "test_secrets.py::TestNoPasswordAndNoContent::"
_SIGTERM: Final = _A + "test_sudden_death.py::TestSigterm::"
_SILENT: Final = _A + "test_abuse.py::TestSilenceInTheMiddleOfTls::"
_SLOW: Final = _A + "test_crowds.py::TestASlowOpenSPP::"
_STALLS: Final = _A + "test_tls_at_rest.py::TestHandshakesThatStall::"
_STOLEN: Final = _A + "test_attacks_data.py::TestPassivePortsThatAreStolen::"
_TAKEN_OVER: Final = _A + "test_abuse.py::TestAPassivePortThatWasTakenOver::"
_TOO_SLOW: Final = _A + "test_openspp_away.py::TestSlowBeyondAnswerWithin::"
_VERSIONS: Final = _A + "test_tls_openssl.py::TestVersions::"
_WAITED_FOR: Final = _A + "test_abuse.py::TestPassivePortsThatAreWaitedFor::"
_WAITS: Final = _A + "test_limits_logins.py::TestWaits::"


@dataclass(frozen=True)
class Fault:
    """One fault of the library.

    Args:
        what: the fault in a line.
        held: tests that show our daemon do the right thing.
        shown: tests that show the fault on the library's own server, version 2.2.0.
        upstream: pyftpdlib's issues and pull requests about it.
        of_no_concern: why an upload server of ours cannot have it, where no test is needed.
    """

    what: str
    held: tuple[str, ...]
    shown: tuple[str, ...]
    upstream: tuple[int, ...]
    of_no_concern: str


def _fault(
    what: str,
    *tests: str,
    upstream: tuple[int, ...] = (),
    of_no_concern: str = "",
) -> Fault:
    """One fault; a test with `the_library` in its name shows it, any other that ours has it not."""
    shown = tuple(test for test in tests if "_the_library_" in test)
    held = tuple(test for test in tests if test not in shown)
    return Fault(what, held, shown, upstream, of_no_concern)


FAULTS: Final = {
    1: _fault(
        "on_file_received is called when the 226 is sent already",
        _OPENSPP + "test_the_answer",
        _TOO_SLOW + "test_eight_at_once",
        _TRANSFERS + "test_01_02_the_library_answers_before_its_callback_and_nobody_meanwhile",
        upstream=(326, 79, 557),
    ),
    2: _fault(
        "a callback that blocks stops all clients",
        _SLOW + "test_another_scanner_gets_its_226_first",
        _SLOW + "test_a_slow_login_holds_only_itself_up",
        _TRANSFERS + "test_01_02_the_library_answers_before_its_callback_and_nobody_meanwhile",
        upstream=(197, 212),
    ),
    3: _fault(
        "a reset in the middle of an upload is answered 226",
        _BROKEN + "test_the_end",
        _TRANSFERS + "test_03_the_library_takes_a_reset_for_the_end",
        upstream=(461, 624, 655),
    ),
    4: _fault(
        "TLS data that ends without close_notify is answered 226",
        _BROKEN + "test_a_missing_close_notify",
        _QUIRKS + "01_10.py::test_02_tls_data_ended_without_close_notify",
        _TRANSFERS + "test_04_the_library_takes_tls_that_ends_bare_for_the_end",
    ),
    5: _fault(
        "TLS data that is half closed: the loop spins, and there is no reply",
        _AT_REST + "test_05_06_07_what_is_half_closed_or_silent_costs_nothing",
        _HALF + "test_the_data_connection_during_an_upload",
        _HALF + "test_the_data_connection_before_stor",
        _AT_REST + "test_05_the_library_spins_on_tls_data_that_is_half_closed",
    ),
    6: _fault(
        "a control connection under TLS that is half closed before the login: the loop spins",
        _AT_REST + "test_05_06_07_what_is_half_closed_or_silent_costs_nothing",
        _HALF + "test_the_control_connection",
        upstream=(613, 333, 429, 603),
    ),
    7: _fault(
        "AUTH TLS and then silence: the 421 cannot be written, and the loop spins",
        _AT_REST + "test_05_06_07_what_is_half_closed_or_silent_costs_nothing",
        _STALLS + "test_on_the_control_connection",
        _SILENT + "test_the_idle_limit_in_the_handshake_ends_the_session",
        upstream=(683,),
    ),
    8: _fault(
        "limits of time never end on a quiet server",
        _SESSIONS + "test_08_a_client_that_is_alone_is_told_and_closed",
        upstream=(607,),
    ),
    9: _fault(
        "the data connection is closed during its TLS handshake, as curl makes it",
        _CLIENTS + "test_twenty_uploads",
        upstream=(604, 612),
    ),
    10: _fault(
        "PROT P, and the data connection closes without a ClientHello: no reply",
        _NOT_AGREED + "test_prot_p_without_a_handshake",
        _TRANSFERS + "test_10_the_library_never_answers_where_no_hello_came",
        upstream=(614,),
    ),
    11: _fault(
        "plain text on a PROT P data connection leaves an empty file",
        _NOT_AGREED + "test_prot_p_without_a_handshake",
        _TRANSFERS + "test_11_the_library_leaves_a_file_where_the_handshake_failed",
    ),
    12: _fault(
        "commands in clear behind AUTH TLS are obeyed within TLS",
        _BEHIND_AUTH + "test_in_the_same_segment",
        _BEHIND_AUTH + "test_in_a_segment_of_their_own_they_end_the_session",
        _SESSIONS + "test_12_the_library_obeys_within_tls_what_came_in_clear",
        _SESSIONS + "test_12_the_library_joins_half_a_line_in_clear_to_one_within_tls",
        upstream=(315, 523),
    ),
    13: _fault(
        "a file that cannot be closed for want of room: no reply",
        _FULL + "test_full_before_a_scan_of_5_kb",
        _FULL + "test_noise_that_ends_where_the_room_ends",
        _TRANSFERS + "test_13_the_library_never_answers_when_it_cannot_close_a_file",
        upstream=(619,),
    ),
    14: _fault(
        "a full disk within an upload: 426 None, and with the handler for TLS no reply",
        _FULL + "test_within_the_scan",
        _TRANSFERS + "test_14_the_library_knows_no_words_for_a_full_disk",
        _TRANSFERS + "test_14_the_library_with_tls_has_no_reply_for_a_full_disk",
    ),
    15: _fault(
        "with all passive ports in use a port is told that no firewall lets through",
        _WAITED_FOR + "test_every_session_that_waits_is_answered",
        _TAKEN_OVER + "test_what_alice_sends_after_all_is_never_stored_as_zoes",
        _PORTS + "test_64_sessions_from_64_addresses",
        _U + "ftp/test_contested_port.py::test_sessions_that_wait_in_vain_are_told_and_go_on",
        _SESSIONS + "test_15_the_library_tells_a_port_that_no_firewall_lets_through",
        upstream=(40, 176),
    ),
    16: _fault(
        "PASV or a second STOR during an upload: no reply, or the data in the wrong file",
        _DURING + "test_pasv_and_a_second_stor_wait",
        _DURING + "test_a_second_stor_without_a_connection_of_its_own",
        _TRANSFERS + "test_16_the_library_never_answers_stor_when_pasv_comes",
        _TRANSFERS + "test_16_the_library_gives_a_second_stor_the_data_of_the_first",
    ),
    17: _fault(
        "a whole scan of a device that closes both connections at once is cut",
        _TRANSFERS + "test_17_a_scan_whose_device_closes_both_is_stored",
        _GONE + "test_both_closed_at_once_after_a_whole_scan",
        _TRANSFERS + "test_17_the_library_cuts_a_scan_whose_device_closes_both",
    ),
    18: _fault(
        "STOR, and then the client leaves without data: an empty file, and nobody is told",
        _TRANSFERS + "test_18_a_file_for_which_no_data_came_leaves_nothing",
        _NOT_AGREED + "test_nobody_connects",
        _TRANSFERS + "test_18_the_library_leaves_a_file_for_which_no_data_came",
    ),
    19: _fault(
        "what is counted are sockets, in each process on its own, and not sessions",
        _SESSIONS + "test_19_every_session_may_have_its_data_connection",
        _COUNTS + "test_sessions_are_counted_exactly",
        _COUNTS + "test_sessions_of_an_address",
        _SESSIONS + "test_19_the_library_counts_sockets_for_sessions",
        upstream=(436,),
    ),
    20: _fault(
        "SIGTERM cuts every upload off, and leaves processes behind",
        _SIGTERM + "test_under_load_every_scan_under_way_gets_its_answer",
        _LOST + "test_sigterm_under_load_cuts_nobody_off",
        _LOST + "test_after_its_sudden_end_no_process_is_left",
        _SESSIONS + "test_20_the_library_dies_of_sigterm_in_the_middle_of_a_scan",
    ),
    21: _fault(
        "its server of many processes does not start as Python 3.14 starts processes",
        _SESSIONS + "test_21_40_only_its_good_parts_are_used",
        upstream=(656,),
    ),
    22: _fault(
        "no FTPS with pyOpenSSL 22.1 and later",
        _CLIENTS + "test_twenty_uploads",
        _CLIENTS + "test_ftplib",
        upstream=(578,),
    ),
    23: _fault(
        "TLS 1.0 and 1.1 are refused by OpenSSL's level of security alone",
        _A + "test_tls.py::TestVersions::test_1_0_and_1_1_are_refused",
        _VERSIONS + "test_1_0_and_1_1_are_refused",
        _U + "test_tls.py::TestContexts::test_tls_1_1_is_refused",
        upstream=(639,),
    ),
    24: _fault(
        "the data connection need not resume the control connection's TLS session",
        _REUSE + "test_require_refuses_who_does_not",
        _REUSE + "test_require_takes_who_resumes",
        _REUSE + "test_log_takes_both_and_tells_of_one",
    ),
    25: _fault(
        "a neighbour at the same address takes the passive port and supplies the data",
        _REUSE + "test_require_refuses_a_thief_of_the_port_at_the_same_address",
        _TAKEN_OVER + "test_what_alice_sends_after_all_is_never_stored_as_zoes",
        _TRANSFERS + "test_25_the_library_stores_what_a_neighbour_sent",
    ),
    26: _fault(
        "data connections of and to other hosts and well-known ports, where they are permitted",
        _STOLEN + "test_from_another_address",
        _BOUNCE + "test_to_another_host",
        _BOUNCE + "test_to_a_well_known_port",
    ),
    27: _fault(
        "no implicit TLS",
        _CLIENTS + "test_twenty_uploads",
        _VERSIONS + "test_1_2_and_1_3",
        upstream=(160, 227),
    ),
    28: _fault(
        "no PROXY protocol",
        _PROXY + "TestHeaders::test_say_who_connected_where",
        _PROXY + "test_anything_else_is_refused",
        _BALANCER + "TestThroughTheBalancer::test_the_journal_names_the_scanner",
        _BALANCER + "TestWhoMayPassOn::test_a_header_of_anybody_else_is_refused",
        upstream=(556,),
    ),
    29: _fault(
        "one address is told to all networks of clients",
        _QUIRK_9 + "the_address_that_the_administrator_names_for_a_network",
        _PUBLIC + "test_the_first_entry_whose_network_holds_the_client_counts",
        upstream=(571, 572),
    ),
    30: _fault(
        "a renewed certificate is not read",
        _RELOAD + "test_a_renewed_certificate_is_for_new_sessions_and_old_ones_go_on",
        _RELOAD + "test_a_renewal_in_the_middle_of_an_upload",
    ),
    31: _fault(
        "a key that is missing is not named",
        _U + "test_certificate.py::TestCertificate::test_a_missing_file",
        _CERTIFICATE + "test_both_files_are_looked_at",
        _SESSIONS + "test_31_the_library_does_not_name_the_key_that_is_missing",
    ),
    32: _fault("OPTS UTF8 ON is refused", _COMMANDS + "test_answer", upstream=(676,)),
    33: _fault(
        "TYPE A N is refused",
        _COMMANDS + "test_every_type_stores_the_bytes_as_they_are",
        _QUIRKS + "11_20.py::test_11_type_i_type_l_8_type_a_n",
        _SESSIONS + "test_33_the_library_refuses_type_a_n",
    ),
    34: _fault(
        "TYPE A, with which a session begins, rewrites a file's bytes",
        _COMMANDS + "test_every_type_stores_the_bytes_as_they_are",
        _QUIRKS + "11_20.py::test_12_type_a_or_no_type_then_a_pdf",
        _TRANSFERS + "test_34_the_library_rewrites_line_ends_until_type_i",
    ),
    35: _fault(
        "a NUL in a file's name ends the session without a reply",
        _SESSIONS + "test_35_a_nul_is_answered",
        _SESSIONS + "test_35_a_scan_with_a_nul_in_its_name_is_stored",
        _SESSIONS + "test_35_the_library_drops_a_session_for_a_nul",
    ),
    36: _fault(
        "a bare LF ends no line, and the rest of a line that is too long is a command",
        _SESSIONS + "test_36_the_rest_of_a_line_that_is_too_long_is_no_command",
        _DIALECTS + "test_line_ends",
        _DIALECTS + "test_a_line_of_100_kb_is_one_500_and_the_session_goes_on",
        _SESSIONS + "test_36_the_library_does_not_see_the_end_of_a_line_that_is_a_bare_lf",
        _SESSIONS + "test_36_the_library_obeys_the_rest_of_a_line_that_is_too_long",
    ),
    37: _fault(
        "a handler whose upload's file is closed early breaks when it is logged",
        upstream=(607,),
        of_no_concern="Up to 1.5.7 alone; the package takes 2.2.0 and later.",
    ),
    38: _fault(
        "the password in clear is kept, and told to whoever hears of a failed login",
        _SECRETS + "test_in_any_log",
        _SECRETS + "test_in_what_other_processes_see",
        _SESSIONS + "test_38_the_library_keeps_the_password",
    ),
    39: _fault(
        "what is set for one handler is set for all of its class",
        _RELOAD + "test_a_changed_option_is_for_new_sessions",
        _RELOAD + "test_a_renewed_certificate_is_for_new_sessions_and_old_ones_go_on",
        upstream=(528,),
    ),
    40: _fault(
        "Python 3.12 and later have no asyncore",
        _SESSIONS + "test_21_40_only_its_good_parts_are_used",
        upstream=(637,),
    ),
    41: _fault(
        "its modules lie elsewhere since 2.2.0",
        upstream=(672,),
        of_no_concern="Who serves several versions must mind; the package takes 2.2.0 and later.",
    ),
    42: _fault(
        "connections side by side multiply the tries of a password",
        _WAITS + "test_they_grow_and_the_third_failure_ends_the_session",
        _WAITS + "test_who_hangs_up_early_and_comes_back_is_slowed_too",
        _A + "test_limits.py::TestFailedLogins::test_several_names_ban_the_address_and_no_other",
    ),
    43: _fault(
        "a passive port waits for half a minute and no longer",
        _NOT_AGREED + "test_nobody_connects",
    ),
    44: _fault(
        "QUIT during an upload is answered before it, with what clients take for its reply",
        _DURING + "test_noop_and_quit_wait_for_the_final_reply",
        _QUIRK_31 + "quit_without_waiting_for_226",
    ),
    45: _fault(
        "errors within the loop are swallowed",
        _DEFECTS + "test_before_it_is_handed_over",
        _DEFECTS + "test_at_the_second_look",
        _DEFECTS + "test_when_the_outcome_comes",
        _U + "ftp/test_loop.py::test_an_acceptor_goes_on_after_a_connection_that_failed",
    ),
}


def summary() -> str:
    """How many faults are covered, in a line."""
    covered = sum(bool(fault.held) for fault in FAULTS.values())
    without = sum(bool(fault.of_no_concern) for fault in FAULTS.values())
    return f"faults of the library covered: {covered} of {len(FAULTS)} ({without} not of concern)"


def table() -> str:
    """Every fault with its tests."""
    lines = []
    for number, fault in FAULTS.items():
        known = "".join(f" #{issue}" for issue in fault.upstream)
        lines.append(f"{number:2} {fault.what}{f' ({known[1:]})' if known else ''}")
        lines += [f"     {test}" for test in fault.held]
        lines += [f"     on the library: {test}" for test in fault.shown]
        if fault.of_no_concern:
            lines.append(f"     not of concern: {fault.of_no_concern}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
    print(
        f"shown on the library as it comes: {sum(bool(fault.shown) for fault in FAULTS.values())}"
    )
    print(summary())
