"""Between FFmpeg and an RTSP server: a connection that leads to the checked address and nowhere else.

FFmpeg resolves names itself and follows redirects to any host. So it is given an address on loopback, and this relay
carries the conversation to the one address that was checked. Until the pictures flow, each answer of the server is
read here and written anew with the headers that playing needs: a redirect never reaches FFmpeg, nor does anything that
the two could understand differently. From then on bytes pass as they are, for FFmpeg no longer follows redirects.

With TLS the relay is the client, and the certificate is checked against the server's name (FFmpeg would take any).
"""

import selectors
import socket
import ssl
from threading import Thread

from keepsight.errors import SourceUnreachableError
from keepsight.sources.network.guard import ResolvedAddress
from keepsight.sources.readers.rtsp_messages import MalformedRtspError, RtspConversation, checked_reply

_CHUNK_BYTES = 65_536
_JOIN_SECONDS = 5.0


class RtspRelay:
    """A listening port on loopback that takes one connection and carries it to a server.

    Attributes:
        port: on 127.0.0.1.
        complaint: why the relay ended the conversation, or None; final once the relay is closed.
        is_broken: whether the server's side ended before FFmpeg's, while pictures flowed.
    """

    def __init__(self, address: ResolvedAddress, *, timeout_seconds: float, tls: ssl.SSLContext | None = None) -> None:
        """Connect to the server, and listen.

        Args:
            address: where to, checked.
            timeout_seconds: for connecting, and for each message until the pictures flow.
            tls: for an encrypted connection.

        Raises:
            SourceUnreachableError: the server doesn't answer, or its certificate is not good.
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
        """End both connections. A second call does nothing."""
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
        """FFmpeg's connection; the next one would find nobody listening."""
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
        """Question and answer, until the server has agreed to play; False where one side gives up."""
        try:
            return self._converse(client)
        except MalformedRtspError as error:
            complaint = str(error)
        except TimeoutError:
            complaint = f"the server does not answer for {self._timeout_seconds:g} s"
        except OSError as error:
            complaint = f"the connection broke: {error.strerror or error}"
        if not self._is_closing:
            self.complaint = complaint
        return False

    def _converse(self, client: socket.socket) -> bool:
        questions, answers = RtspConversation(client.recv), RtspConversation(self._server.recv)
        while (request := questions.message()) is not None:
            self._server.sendall(request.raw)
            reply = answers.reply()
            client.sendall(checked_reply(reply))
            if request.first_word == "PLAY" and reply.status == 200:
                client.sendall(answers.take_rest())
                return True
        return False  # FFmpeg has a reason of its own

    def _carry(self, client: socket.socket) -> None:
        """Bytes in both directions until one side ends."""
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
    """Pass on what is there; False at the end."""
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
    except OSError as error:  # also ssl.SSLError, of which a bad certificate is one
        plain.close()
        raise SourceUnreachableError(f"{where} is not encrypted as it should be: {_reason(error)}") from error


def _reason(error: OSError) -> str:
    return error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else error.strerror or str(error)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has ended already
