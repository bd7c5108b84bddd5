"""A uvicorn server around the application: its socket, and an end that leaves nobody hanging."""

import socket

import uvicorn
from fastapi import FastAPI

from keepsight.errors import SettingError
from keepsight.server.settings import ServerSettings
from keepsight.server.streams.service import StreamService

LAST_ANSWERS_SECONDS = 30
"""At its end a server waits so long for requests that are being answered, then cuts them off."""


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
            ws="none",
            lifespan="off",
            timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
        )
        super().__init__(config)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let event streams go, then end as uvicorn does."""
        self._service.end_event_streams()
        await super().shutdown(sockets)


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
