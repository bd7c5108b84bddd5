"""A uvicorn server around the application: its socket, and an end that leaves nobody hanging."""

import asyncio
import errno
import os
import socket

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from keepsight.errors import SettingError
from keepsight.hub.service import StreamService
from keepsight.server.http.access.players import Address
from keepsight.server.http.access.standstill import Standstill
from keepsight.server.settings import ServerSettings

LAST_ANSWERS_SECONDS = 30
"""At its end a server waits so long for requests that are being answered, then cuts them off."""

SILENT_SECONDS, NOT_READING_SECONDS, LOOK_SECONDS = 30.0, 60.0, 5.0
"""Close connections on which nothing was asked for SILENT_SECONDS, and those whose client has read nothing of what is
sent for NOT_READING_SECONDS, such as a player that pauses; checked every LOOK_SECONDS."""

LAST_NOT_READING_SECONDS, LAST_LOOK_SECONDS = 1.5, 1.0
"""The same for clients that read nothing while the server ends."""


class HttpServer(uvicorn.Server):
    """Ends event streams before it waits for open connections to end, and closes connections that stand still.

    Args:
        app: what is served.
        service: has the event streams.
    """

    def __init__(self, app: FastAPI, service: StreamService) -> None:
        self._service = service
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,  # questions and words that are searched for stand in addresses
            server_header=False,
            proxy_headers=False,
            http="h11",
            ws="none",
            lifespan="off",
            timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
        )
        super().__init__(config)
        self._looking_out: asyncio.Task[None] | None = None
        app.state.players.cut_off_by(self._cut_off)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin as uvicorn does, and look out for clients that neither ask nor read."""
        await super().startup(sockets)
        self._looking_out = asyncio.create_task(self._cut_off_who_stands_still())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End event streams, then end as uvicorn does, with no connection left open.

        A program that goes on after its server has ended would otherwise keep such connections, and their clients
        would wait for an answer that never comes.
        """
        self._service.end_event_streams()
        if self._looking_out is not None:
            self._looking_out.cancel()
        closing = asyncio.create_task(self._close_connections())
        try:
            await super().shutdown(sockets)
        finally:
            closing.cancel()
            for connection in self._connections():
                connection.transport.abort()

    async def _cut_off_who_stands_still(self) -> None:
        """End connections that ask or read nothing for long; uvicorn times those alone that are idle."""
        silent_since: dict[asyncio.Transport, float] = {}
        standstill = Standstill()
        while True:
            now = asyncio.get_running_loop().time()
            connections = self._connections()
            silent = [one.transport for one in connections if one.cycle is None or one.cycle.response_complete]
            silent_since = {transport: silent_since.get(transport, now) for transport in silent}
            for transport, since in silent_since.items():
                if now - since > SILENT_SECONDS:
                    transport.abort()
            for transport in standstill.longer_than(NOT_READING_SECONDS, [one.transport for one in connections], now):
                transport.abort()
            await asyncio.sleep(LOOK_SECONDS)

    async def _close_connections(self) -> None:
        """Close idle connections and those whose client stopped reading, while the server ends. Runs until cancelled.

        uvicorn closes the idle connections that it has when the end begins. One that was accepted a moment before is
        announced to it a moment later, and would hold up the end.
        """
        standstill = Standstill()
        while True:
            transports, now = [one.transport for one in self._connections()], asyncio.get_running_loop().time()
            for connection in self._connections():
                if not connection.transport.is_closing():
                    connection.shutdown()
            for transport in standstill.longer_than(LAST_NOT_READING_SECONDS, transports, now):
                transport.abort()
            await asyncio.sleep(LAST_LOOK_SECONDS)

    def _cut_off(self, client: Address) -> None:
        """End the connection of a client at once, whatever still waits to be sent on it."""
        for connection in self._connections():
            if connection.client == client:
                connection.transport.abort()

    def _connections(self) -> list[H11Protocol]:
        return [one for one in self.server_state.connections if isinstance(one, H11Protocol)]


def listen(settings: ServerSettings) -> socket.socket:
    """A listening socket.

    Raises:
        SettingError: the address is none of this machine's, or the port is taken.
    """
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
    except (OSError, UnicodeError) as error:  # a name that does not resolve, or cannot be one
        raise _no_address_here(settings.host) from error
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=128)
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise _no_address_here(settings.host) from error
        reason = str(error) if error.errno is None else os.strerror(error.errno)  # its own text repeats the address
        raise SettingError(
            f"cannot listen on {settings.host} port {settings.port}: {reason}; choose another port"
        ) from error


def _no_address_here(host: str) -> SettingError:
    return SettingError(
        f"must be an address of this machine, got {host!r}: listen on 127.0.0.1, or on 0.0.0.0 for all of them", "host"
    )


def address_of(listening: socket.socket, host: str) -> str:
    """The address of the server, as a browser takes it."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}"
