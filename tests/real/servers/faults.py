"""Servers that misbehave, each a few lines over a loopback socket: silent, slow, truncated, endless, not HTTP.

nginx cannot be made to do these. Each behaviour is a function of the accepted connection and an `over` event that
says that the test is done; `far_end` runs it for every connection and records what it received.
"""

import contextlib
import socket
import struct
import threading

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class FarEnd:
    """A listening server: its URL, the requests that it received (the first bytes of each) and the number of body bytes
    that it sent.
    """

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
    """Receives the request and never responds; with https it never responds to the handshake."""
    _request(far, connection)
    over.wait(60)


def drip_headers(far, connection, over):
    """Sends a header line that never ends, byte by byte: each read succeeds, but the head never ends."""
    _request(far, connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not over.wait(0.1):
        connection.sendall(b"x")


def drip_body(far, connection, over):
    """Sends a body of a thousand bytes, ten per second."""
    _request(far, connection)
    connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
    while not over.wait(0.1):
        connection.sendall(b"x")


def reset(far, connection, over):
    """Receives the request and responds with RST."""
    _request(far, connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def truncated(far, connection, over):
    """Announces more bytes than it sends; those that it sends would be a valid token."""
    _request(far, connection)
    connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\naaaa.bbbb.cccc")


def truncated_chunks(far, connection, over):
    """Sends a chunked body without the last chunk."""
    _request(far, connection)
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\ne\r\naaaa.bbbb.cccc\r\n")


def endless(far, connection, over):
    """Sends a body without end, as fast as it is read."""
    _request(far, connection)
    connection.sendall(HEAD + b"\r\n")
    while not over.is_set():
        far.given += connection.send(b"a" * 65536)


def endless_headers(far, connection, over):
    """Sends header lines without end, as fast as they are read."""
    _request(far, connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not over.is_set():
        far.given += connection.send(b"X-More: " + b"a" * 1000 + b"\r\n")


def not_http(far, connection, over):
    """Sends the greeting of another protocol."""
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    _request(far, connection)


def empty(far, connection, over):
    """Sends status 200 with an empty body."""
    _request(far, connection)
    connection.sendall(HEAD + b"Content-Length: 0\r\n\r\n")
