"""A uvicorn server around the application: its socket, and an end that leaves nobody hanging."""

import asyncio
import socket

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from keepsight.errors import SettingError
from keepsight.server.settings import ServerSettings
from keepsight.server.streams.service import StreamService

LAST_ANSWERS_SECONDS = 30
"""At its end a server waits so long for requests that are being answered, then cuts them off."""

SILENT_SECONDS, LOOK_SECONDS = 30.0, 5.0
"""Who has connected and not asked anything for so long is cut off; looked for every so often."""

NOT_READING_SECONDS = 2.0
"""Of those, clients that take nothing of what is sent for so long are cut off sooner: above all players that pause."""


class HttpServer(uvicorn.Server):
    """Ends event streams before it waits for open connections to end.

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

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin as uvicorn does, and look out for clients that never finish their request's head."""
        await super().startup(sockets)
        self._looking_out = asyncio.create_task(self._cut_off_who_asks_nothing())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let event streams go, then end as uvicorn does."""
        self._service.end_event_streams()
        if self._looking_out is not None:
            self._looking_out.cancel()
        cutting = asyncio.create_task(self._cut_off_who_stopped_reading())
        try:
            await super().shutdown(sockets)
        finally:
            cutting.cancel()

    async def _cut_off_who_asks_nothing(self) -> None:
        """End connections on which no request is being answered for long; uvicorn times those alone that are idle."""
        silent_since: dict[asyncio.Transport, float] = {}
        while True:
            now = asyncio.get_running_loop().time()
            connections = [one for one in self.server_state.connections if isinstance(one, H11Protocol)]
            silent = [one.transport for one in connections if one.cycle is None or one.cycle.response_complete]
            silent_since = {transport: silent_since.get(transport, now) for transport in silent}
            for transport, since in silent_since.items():
                if now - since > SILENT_SECONDS:
                    transport.abort()
            await asyncio.sleep(LOOK_SECONDS)

    async def _cut_off_who_stopped_reading(self) -> None:
        """End connections whose waiting bytes stay as many as they are. Goes on until it is cancelled."""
        waiting: dict[asyncio.Transport, int] = {}
        while True:
            transports = [connection.transport for connection in self.server_state.connections]
            sizes = {transport: transport.get_write_buffer_size() for transport in transports}
            for transport, num_bytes in sizes.items():
                if num_bytes and waiting.get(transport) == num_bytes:
                    transport.abort()
            waiting = sizes
            await asyncio.sleep(NOT_READING_SECONDS)


def listen(settings: ServerSettings) -> socket.socket:
    """A listening socket.

    Raises:
        SettingError: the address is none of this machine's, or the port is taken.
    """
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((settings.host, settings.port), family=family, backlog=128)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingError(f"cannot listen on {settings.host} port {settings.port}: {reason}") from error


def address_of(listening: socket.socket, host: str) -> str:
    """The address of the server, as a browser takes it."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}"
