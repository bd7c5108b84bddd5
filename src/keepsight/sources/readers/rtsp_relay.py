"""Relay between FFmpeg and an RTSP server, which connects only to the checked address.

FFmpeg resolves names itself and follows redirects to any host. It therefore gets a loopback address, and this relay
carries the conversation to the one checked address. Until media flows, each server response is parsed and rewritten
with the headers needed for playing: no redirect reaches FFmpeg, nor anything that the two could parse differently.
After that bytes pass unchanged, since FFmpeg no longer follows redirects.

With TLS the relay is the client, and verifies the certificate against the server's name (FFmpeg would accept any).
"""

import selectors
import socket
import ssl
from threading import Thread

from keepsight.errors import SourceUnreachableError
from keepsight.sources.network.guard import ResolvedAddress
from keepsight.sources.readers.rtsp_messages import MalformedRtspError, RtspConversation, check_transport, checked_reply

_CHUNK_BYTES = 65_536
_JOIN_SECONDS = 5.0


class RtspRelay:
    """Loopback port that accepts one connection and carries it to a server.

    Attributes:
        port: on 127.0.0.1.
        complaint: why the relay ended the conversation, or None; final once closed.
        is_broken: whether the server closed before FFmpeg, while media flowed.
    """

    def __init__(self, address: ResolvedAddress, *, timeout_seconds: float, tls: ssl.SSLContext | None = None) -> None:
        """Connect to the server, and listen.

        Args:
            address: checked address.
            timeout_seconds: timeout of connecting, and of each message until media flows.
            tls: context of an encrypted connection.

        Raises:
            SourceUnreachableError: the server does not respond, or its certificate is invalid.
        """
        self.complaint: str | None = None
        self.is_broken = False
        self._is_closing = False
        self._server = _connect(address, timeout_seconds, tls)
        self._client: socket.socket | None = None
        self._timeout_seconds = timeout_seconds
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        self.port: int = self._listener.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._thread = Thread(target=self._run, name="rtsp-relay", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Close both connections. Idempotent."""
        if not self._is_closing:
            self._is_closing = True
            self._wake.close()  # readable at the other end, wherever the thread waits
            _shut(self._server)
            if self._client is not None:
                _shut(self._client)
            self._thread.join(_JOIN_SECONDS)

    def _run(self) -> None:
        with self._woken, self._server, self._listener:
            client = self._accept()
            if client is None:
                return
            with client:
                self._client = client
                if self._arrange(client):
                    self._carry(client)

    def _accept(self) -> socket.socket | None:
        """FFmpeg's connection; listening ends after it."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            ready = [key.fileobj for key, _ in selector.select(self._timeout_seconds)]
        if self._listener not in ready:
            return None
        client, _ = self._listener.accept()
        self._listener.close()
        client.settimeout(self._timeout_seconds)
        return client

    def _arrange(self, client: socket.socket) -> bool:
        """Relay requests and responses until the server agrees to play; False if either side gives up."""
        try:
            return self._converse(client)
        except MalformedRtspError as error:
            complaint = str(error)
        except TimeoutError:
            complaint = f"the server did not respond for {self._timeout_seconds:g} s"
        except OSError as error:
            complaint = f"the connection was lost: {error.strerror or error}"
        if not self._is_closing:
            self.complaint = complaint
        return False

    def _converse(self, client: socket.socket) -> bool:
        questions, answers = RtspConversation(client.recv), RtspConversation(self._server.recv)
        while (request := questions.message()) is not None:
            self._server.sendall(request.raw)
            reply = answers.reply()
            if request.first_word == "SETUP":
                check_transport(reply)
            client.sendall(checked_reply(reply))
            if request.first_word == "PLAY" and reply.status == 200:
                client.sendall(answers.take_rest())
                return True
        return False  # FFmpeg has its own reason

    def _carry(self, client: socket.socket) -> None:
        """Relay bytes in both directions until one side ends."""
        self._server.settimeout(None)
        client.settimeout(None)
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            selector.register(client, selectors.EVENT_READ, self._server)
            selector.register(self._server, selectors.EVENT_READ, client)
            while True:
                for key, _ in selector.select():
                    if key.data is None:
                        return
                    if not _pass_on(key.fileobj, key.data):
                        self.is_broken = key.fileobj is self._server
                        return


def _pass_on(source: object, target: socket.socket) -> bool:
    """Forward available bytes; False at the end."""
    if not isinstance(source, socket.socket):
        return False
    try:
        while True:
            data = source.recv(_CHUNK_BYTES)
            target.sendall(data)
            if not (isinstance(source, ssl.SSLSocket) and source.pending()):
                return bool(data)
    except OSError:
        return False


def _connect(address: ResolvedAddress, timeout_seconds: float, tls: ssl.SSLContext | None) -> socket.socket:
    where = f"{address.host}:{address.port}"
    try:
        plain = socket.create_connection((address.ip, address.port), timeout_seconds)
    except OSError as error:
        raise SourceUnreachableError(f"{where} can't be reached: {error.strerror or error}") from error
    if tls is None:
        return plain
    try:
        return tls.wrap_socket(plain, server_hostname=address.host)
    except OSError as error:  # includes ssl.SSLError, such as a bad certificate
        plain.close()
        raise SourceUnreachableError(f"TLS handshake with {where} failed: {_reason(error)}") from error


def _reason(error: OSError) -> str:
    return error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else error.strerror or str(error)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # already closed
