"""Which worker serves whom, what it gets, when it is replaced; what the two sides say."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import pytest

from openspp_ftpd.settings import FtpSettings, OpenSPPSettings, Settings
from openspp_ftpd.supervisor import channel as channel_module
from openspp_ftpd.supervisor import messages
from openspp_ftpd.supervisor.channel import Channel
from openspp_ftpd.supervisor.shares import (
    GOOD_LIFE,
    LONGEST_REST,
    Rest,
    ports_of,
    share,
    worker_of,
)
from tests.unit.option_lines import good, read


class TestWhichWorker:
    def test_an_address_has_always_the_same_one(self) -> None:
        # Numbers that other processes and later versions must find too.
        found = [worker_of(f"192.0.2.{number}", 4) for number in range(8)]
        assert found == [worker_of(f"192.0.2.{number}", 4) for number in range(8)]
        assert set(found) <= set(range(4))

    def test_the_addresses_of_an_office_are_spread(self) -> None:
        for workers in (2, 3, 8):
            counts = Counter(worker_of(f"10.0.0.{host}", workers) for host in range(1, 255))
            assert set(counts) == set(range(workers))
            assert max(counts.values()) < 2 * 254 / workers

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"),
            ("192.0.2.7", "::ffff:192.0.2.7"),
            ("fe80::1", "fe80::2"),
        ],
    )
    def test_a_neighbourhood_has_one_worker(self, one: str, other: str) -> None:
        assert worker_of(one, 61) == worker_of(other, 61)

    def test_networks_of_64_bits_are_spread_too(self) -> None:
        found = {worker_of(f"2001:db8:{number:x}::1", 4) for number in range(64)}
        assert found == {0, 1, 2, 3}


class TestShares:
    @pytest.mark.parametrize("total", range(1, 40))
    @pytest.mark.parametrize("workers", [2, 3, 7])
    def test_the_shares_are_the_whole(self, total: int, workers: int) -> None:
        shares = [share(total, workers, number) for number in range(workers)]
        assert sum(shares) == total
        assert max(shares) - min(shares) <= 1

    def test_ports_are_shared_where_the_address_tells_the_worker(self) -> None:
        settings = Settings(OpenSPPSettings(""), FtpSettings(passive_ports=(1, 2, 3), workers=2))
        assert [tuple(ports_of(settings, number)) for number in (0, 1)] == [(1, 2, 3), (1, 2, 3)]

    def test_ports_are_divided_where_only_the_port_tells_it(self) -> None:
        ftp = FtpSettings(passive_ports=(1, 2, 3), workers=2, data_from="any")
        settings = Settings(OpenSPPSettings(""), ftp)
        assert [tuple(ports_of(settings, number)) for number in (0, 1)] == [(1, 3), (2,)]


class TestConfiguration:
    def test_each_worker_needs_a_port_where_only_the_port_tells_it(self) -> None:
        wrong = "workers = 4\npassive_ports = 3000-3002\ndata_from = any"
        ((_, text),) = read("ftp", wrong).mistakes
        assert text == (
            "[ftp] data_from: any needs passive_ports for each of 4 workers, for a data connection"
            " finds its worker by the port; name more ports, or write session"
        )
        good("ftp", wrong.replace("3002", "3003"))
        good("ftp", wrong.replace("any", "session"))


class TestRest:
    def test_the_first_end_is_no_reason_to_wait(self) -> None:
        assert Rest().after(0.1) == 0.0

    def test_a_worker_that_dies_again_and_again_is_replaced_ever_later(self) -> None:
        rest = Rest()
        waits = [rest.after(0.1) for _ in range(20)]
        assert waits[:5] == [0, 1, 2, 4, 8]
        assert all(before <= after for before, after in pairwise(waits))
        assert waits[-1] == LONGEST_REST

    def test_a_good_life_is_forgiven(self) -> None:
        rest = Rest()
        for _ in range(5):
            rest.after(0.1)
        assert rest.after(GOOD_LIFE) == 0.0
        assert rest.after(0.1) == 1.0


EVERY_MESSAGE: list[messages.Message] = [
    messages.Begin("192.0.2.1", True),
    messages.Data("2001:db8::1", 3000),
    messages.AreYouThere(),
    messages.Reload("[openspp]\nurl = https://openspp.example\n" * 10_000),
    messages.Stop(),
    messages.Lending(1, None, 0),
    messages.Ask(7),
    messages.Ready(),
    messages.CannotStart("no room"),
    messages.Here(),
    messages.Closed("192.0.2.1"),
    messages.LoginFailed("192.0.2.1", "مريم \udcff \x00"),
    messages.LoginSucceeded("192.0.2.1", "x" * 100_000),
    messages.Needs(2, 1),
    messages.Reloaded(""),
    messages.Told(7, "{}"),
]


class TestMessages:
    def test_each_arrives_as_it_was(self) -> None:
        reader = messages.Reader()
        for message in EVERY_MESSAGE:
            packets = messages.packets(message)
            assert all(len(packet) <= messages.PIECE + 1 for packet in packets)
            *before, last = [reader.message(packet) for packet in packets]
            assert not any(before)
            assert last == message
            assert type(last) is type(message)

    def test_every_kind_is_tried_here(self) -> None:
        kinds = {
            kind
            for kind in vars(messages).values()
            if isinstance(kind, type) and issubclass(kind, tuple) and kind is not NamedTuple
        }
        assert kinds == {type(message) for message in EVERY_MESSAGE}


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channels = Channel(pair[0]), Channel(pair[1])
    yield channels
    for one in channels:
        one.close()


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        return server.accept()[0], client


class TestChannel:
    def test_a_connection_goes_to_the_other_side_and_is_closed_here(
        self, ends: tuple[Channel, Channel]
    ) -> None:
        connection, client = tcp_pair()
        with client:
            assert ends[0].hand_over(messages.Data("127.0.0.1", 3000), connection)
            assert connection.fileno() == -1
            ((message, received),) = ends[1].receive()
            assert message == messages.Data("127.0.0.1", 3000)
            assert received is not None
            with received:
                assert not received.get_inheritable()
                client.sendall(b"a scan")
                assert received.recv(100) == b"a scan"

    def test_what_is_not_taken_waits_in_order(self, ends: tuple[Channel, Channel]) -> None:
        sent = [messages.Closed(str(number)) for number in range(5000)]
        for message in sent:
            ends[0].send(message)
        assert ends[0].waiting
        received: list[messages.Message] = []
        while len(received) < len(sent):
            received += [message for message, _ in ends[1].receive()]
            ends[0].flush()
        assert received == sent
        assert not ends[0].waiting

    def test_a_long_message_comes_whole(self, ends: tuple[Channel, Channel]) -> None:
        long = messages.Reload("#" * 1_000_000)
        ends[0].send(long)
        received: list[messages.Message] = []
        for _ in range(100):
            received += [message for message, _ in ends[1].receive()]
            ends[0].flush()
        assert received == [long]

    def test_only_so_many_connections_wait_and_are_given_back(
        self, ends: tuple[Channel, Channel], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(channel_module, "MOST_WAITING", 5)
        connection, client = tcp_pair()
        taken = 0
        with connection, client:
            for _ in range(5000):
                copy = connection.dup()
                if not ends[0].hand_over(messages.Begin("127.0.0.1", False), copy):
                    copy.close()
                    break
                taken += 1
            assert 5 < taken < 5000
            left = ends[0].close()
            assert [message for message, _ in left] == [messages.Begin("127.0.0.1", False)] * 5
            for _, returned in left:
                assert returned.getpeername() == client.getsockname()
                returned.close()

    def test_what_was_said_before_the_end_is_heard(self, ends: tuple[Channel, Channel]) -> None:
        ends[0].send(messages.AreYouThere())  # never read: the end is then a reset
        ends[1].send(messages.Closed("192.0.2.1"))
        ends[1].close()
        assert ends[0].last_words() == [messages.Closed("192.0.2.1")]
        assert ends[0].ended

    def test_a_side_that_is_gone_takes_nothing(self, ends: tuple[Channel, Channel]) -> None:
        ends[1].close()
        connection, client = tcp_pair()
        with connection, client:
            assert ends[0].hand_over(messages.Data("127.0.0.1", 3000), connection.dup())
            assert ends[0].ended
            assert not ends[0].hand_over(messages.Data("127.0.0.1", 3000), connection)
            for _, returned in ends[0].close():
                returned.close()

    @pytest.mark.parametrize("rubbish", [b".[", b'.["Nothing"]', b'.["Closed"]', b".{}", b".1"])
    def test_rubbish_is_an_end(self, rubbish: bytes, ends: tuple[Channel, Channel]) -> None:
        ends[1].endpoint.send(rubbish)
        assert ends[0].receive() == []
        assert ends[0].ended
