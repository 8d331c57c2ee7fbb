"""Servers that misbehave, each a few lines over a loopback socket: silent, slow, broken off, endless, not HTTP.

nginx cannot be made to do these. Each behaviour is a function of the accepted connection and an `over` event that
says the test is done; `far_end` runs it for every connection and remembers what came.
"""

import contextlib
import socket
import struct
import threading

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class FarEnd:
    """A listening server: its URL, the requests it got (first bytes of each) and the bytes of body it gave away."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}/token"
        self.port = port
        self.requests = []
        self.given = 0


@contextlib.contextmanager
def far_end(behave):
    """Runs `behave(far, connection, over)` for each connection until the block ends."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        far = FarEnd(listening.getsockname()[1])

        def serve(connection):
            with connection, contextlib.suppress(OSError):
                behave(far, connection, over)

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield far
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)


def _request(far, connection):
    far.requests.append(connection.recv(65536))


def hang(far, connection, over):
    """Takes the request and never answers; with https it never answers the handshake."""
    _request(far, connection)
    over.wait(60)


def drip_headers(far, connection, over):
    """A header line that never ends, a byte at a time: each read succeeds, the whole never does."""
    _request(far, connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not over.wait(0.1):
        connection.sendall(b"x")


def drip_body(far, connection, over):
    """A body of a thousand bytes, ten a second."""
    _request(far, connection)
    connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
    while not over.wait(0.1):
        connection.sendall(b"x")


def reset(far, connection, over):
    """Takes the request and answers with RST."""
    _request(far, connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def truncated(far, connection, over):
    """Promises more bytes than it sends; what it sends would do as a token."""
    _request(far, connection)
    connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\naaaa.bbbb.cccc")


def truncated_chunks(far, connection, over):
    """A chunked body without its last chunk."""
    _request(far, connection)
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\ne\r\naaaa.bbbb.cccc\r\n")


def endless(far, connection, over):
    """A body without end, as fast as it is read."""
    _request(far, connection)
    connection.sendall(HEAD + b"\r\n")
    while not over.is_set():
        far.given += connection.send(b"a" * 65536)


def endless_headers(far, connection, over):
    """Header lines without end, as fast as they are read."""
    _request(far, connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not over.is_set():
        far.given += connection.send(b"X-More: " + b"a" * 1000 + b"\r\n")


def not_http(far, connection, over):
    """Another protocol's greeting."""
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    _request(far, connection)


def empty(far, connection, over):
    """A good answer with nothing in it."""
    _request(far, connection)
    connection.sendall(HEAD + b"Content-Length: 0\r\n\r\n")
