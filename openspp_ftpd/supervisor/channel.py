"""The channel between supervisor and one worker: messages, and connections that go with them.

Here belong the sockets' peculiarities. Nothing blocks: what the other side does not take yet waits
in a queue, connections in a bounded one.
"""

from __future__ import annotations

import socket
from collections import deque
from typing import Final, NamedTuple

from openspp_ftpd.supervisor.messages import PIECE, Message, Reader, packets

MOST_WAITING: Final = 1024
"""Connections that may wait for a worker that is busy."""

_AT_ONCE: Final = 64  # packets read in one turn of the loop


class _Packet(NamedTuple):
    content: bytes
    message: Message
    connection: socket.socket | None


class Channel:
    """One end of it (AF_UNIX, SOCK_SEQPACKET); owns the socket."""

    def __init__(self, endpoint: socket.socket) -> None:
        endpoint.setblocking(False)
        self.endpoint = endpoint
        self.ended = False
        """The other side is gone; what it had said before can still be read."""
        self._reader = Reader()
        self._queue: deque[_Packet] = deque()

    @property
    def waiting(self) -> bool:
        """Something is to be sent as soon as the other side takes it (`flush`)."""
        return bool(self._queue)

    def send(self, message: Message) -> None:
        """Send a message, at once or soon."""
        self._queue += (_Packet(packet, message, None) for packet in packets(message))
        self.flush()

    def hand_over(self, message: Message, connection: socket.socket) -> bool:
        """Send a message with a connection, which is closed here; False if too many wait."""
        if self.ended or len(self._queue) >= MOST_WAITING:
            return False
        (packet,) = packets(message)
        self._queue.append(_Packet(packet, message, connection))
        self.flush()
        return True

    def flush(self) -> None:
        """Send what waits, as much as the other side takes."""
        while self._queue and not self.ended:
            packet = self._queue[0]
            try:
                if packet.connection is None:
                    self.endpoint.send(packet.content)
                else:
                    descriptors = [packet.connection.fileno()]
                    socket.send_fds(self.endpoint, [packet.content], descriptors)
            except BlockingIOError:
                return
            except OSError:  # it is gone, or cannot be reached any more
                self.ended = True
                return
            self._queue.popleft()
            if packet.connection is not None:
                packet.connection.close()

    def receive(self) -> list[tuple[Message, socket.socket | None]]:
        """What has come, each with its connection; sets `ended` at the end.

        A connection is missing where this process had no descriptor left for it.
        """
        received: list[tuple[Message, socket.socket | None]] = []
        for _ in range(_AT_ONCE):
            try:
                packet, descriptors, _, _ = socket.recv_fds(self.endpoint, PIECE + 1, 1)
            except BlockingIOError:
                break
            except ConnectionResetError:
                continue  # it left without reading all; what it had said can still be read
            if not packet:
                self.ended = True
                break
            connection = None
            if descriptors:
                connection = socket.socket(fileno=descriptors[0])
                connection.set_inheritable(False)  # recv_fds heeds no MSG_CMSG_CLOEXEC
            try:
                message = self._reader.message(packet)
            except (ValueError, LookupError, TypeError):  # it is out of its mind
                self.ended = True
                break
            if message is not None:
                received.append((message, connection))
        return received

    def last_words(self) -> list[Message]:
        """What the other side, whose process is gone, had said and nobody has heard."""
        found: list[Message] = []
        self.ended = False
        while not self.ended:
            for message, connection in self.receive():
                found.append(message)
                if connection is not None:
                    connection.close()
        return found

    def close(self) -> list[tuple[Message, socket.socket]]:
        """Close this end; the connections that were not taken, with their messages."""
        left = [(each.message, each.connection) for each in self._queue if each.connection]
        self._queue.clear()
        self.endpoint.close()
        return left
