"""A server on loopback whose every byte is written by the test: silence, resets, halves of answers, nonsense."""

import contextlib
import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Thread


@dataclass(frozen=True)
class Received:
    """A request as it came over the wire; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Peer:
    """One connection, from the server's side."""

    def __init__(self, connection: socket.socket, received: list[Received]) -> None:
        self._connection = connection
        self._received = received
        self._reader = connection.makefile("rb")

    def request(self) -> Received | None:
        """The next complete request, or None when the client has gone."""
        first = self._reader.readline().decode().split()
        if not first:
            return None
        headers = {}
        while line := self._reader.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = self._reader.read(int(headers.get("content-length", "0")))
        self._received.append(Received(first[0], first[1], headers, body))
        return self._received[-1]

    def send(self, content: bytes) -> None:
        self._connection.sendall(content)

    def wait_until_gone(self) -> None:
        while self._reader.read(4096):
            pass

    def reset(self) -> None:
        """Cut the connection so that the client's kernel says "reset" and not "end"."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.hang_up()

    def hang_up(self) -> None:
        self._reader.close()
        self._connection.close()


Script = Callable[[Peer], None]


@dataclass
class SocketServer:
    """Runs `script` once for each connection, each in a thread of its own."""

    script: Script
    tls: ssl.SSLContext | None = None
    received: list[Received] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> "SocketServer":
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._threads = [Thread(target=self._accept)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        # Closing alone does not wake a thread that waits in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    @property
    def url(self) -> str:
        scheme = "https" if self.tls else "http"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                thread = Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        # The client may leave at any moment: that is what half of the tests are about.
        with contextlib.suppress(OSError, ValueError), connection:
            stream = self.tls.wrap_socket(connection, server_side=True) if self.tls else connection
            with stream:
                peer = Peer(stream, self.received)
                self.script(peer)
                peer.hang_up()


def answer(status: str = "200 OK", body: bytes = b"", *headers: str) -> bytes:
    """A whole answer, its length declared."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def always(content: bytes) -> Script:
    """Answer every request of a connection with these bytes."""

    def script(peer: Peer) -> None:
        while peer.request():
            peer.send(content)

    return script


def silence(peer: Peer) -> None:
    peer.request()
    peer.wait_until_gone()


def reset(peer: Peer) -> None:
    peer.request()
    peer.reset()
