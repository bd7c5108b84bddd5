"""Settings of the server: listening address, tokens, client limits and telemetry."""

import ipaddress
from dataclasses import dataclass
from typing import Literal

from keepsight.errors import SettingError
from keepsight.hub.settings import HubSettings
from keepsight.schema import Choice, Flag, Many, Maybe, Number, Text, WebAddress, Whole, check_fields, setting
from keepsight.server.tokens import ScopedToken, ScopedTokens, TokenKind


@dataclass(frozen=True)
class ServerSettings(HubSettings):
    """Settings of `keepsight serve`: the hub's, and those of its interface to clients.

    Raises:
        SettingError: a value is not allowed, or other machines could connect without a token.
    """

    host: str = setting(
        "127.0.0.1",
        Text("ADDRESS", may_be_blank=True),
        "Listen on this address; any but loopback needs a token.",
        "server",
    )
    port: int = setting(8765, Whole(0, 65_535), "Listen on this port; 0 picks a free one.", "server", unit="port")
    token: str | None = setting(
        None,
        Maybe(TokenKind(), word=None),
        "Token that every request must send. Prefer KEEPSIGHT_TOKEN: other users can see command lines.",
        "server",
        is_secret=True,
    )
    tokens: tuple[ScopedToken, ...] = setting(
        (),
        ScopedTokens(),
        "Token limited to reading or asking, such as ask:TOKEN; repeatable. Prefer KEEPSIGHT_TOKENS=read:A,ask:B.",
        "server",
        flag="scoped_token",
        is_secret=True,
    )
    allowed_hosts: tuple[str, ...] = setting(
        (),
        Many(Text("HOST")),
        "Host name that requests may use, such as that of a proxy; repeatable.",
        "server",
        flag="allowed_host",
    )
    max_viewers: int = setting(100, Whole(1), "Limit the event streams open at a time.", "server", unit="viewers")
    max_players: int = setting(
        64,
        Whole(1),
        "Limit the videos being sent at a time; a quarter of them to one client.",
        "server",
        unit="players",
    )
    max_body_bytes: int = setting(1 << 16, Whole(1), "Limit the size of a request's body.", "server", unit="bytes")
    body_seconds: float = setting(
        20.0, Number(0, is_above=True), "Limit the time that a request's body may take.", "server", unit="seconds"
    )
    heartbeat_seconds: float = setting(
        15.0, Number(0, is_above=True), "Limit the silence of an event stream.", "server", unit="seconds"
    )
    mcp_may_watch: bool = setting(
        False, Flag(), "Offer agents whose token may manage an MCP tool that begins to watch a source.", "server"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        known = [self.token, *(one.token for one in self.tokens)]
        if len(set(known)) < len(known):
            raise SettingError("must not have a token twice; each has one scope", "tokens")
        if self.token is None and not self.tokens and not is_loopback(self.host):
            raise SettingError(
                f"must be loopback, such as 127.0.0.1, unless there is a token, got {self.host!r}: listen on "
                "127.0.0.1, or give a token and an address of this machine",
                "host",
            )


@dataclass(frozen=True)
class TelemetrySettings:
    """Logs and traces of a server.

    Raises:
        SettingError: a value is not allowed.
    """

    log_format: Literal["text", "json"] = setting(
        "text", Choice(("text", "json")), "Write the log to stderr in this format.", "server"
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "warning", Choice(("debug", "info", "warning", "error")), "Minimum log level.", "server"
    )
    otlp_endpoint: str | None = setting(
        None,
        Maybe(
            WebAddress(
                example="http://127.0.0.1:4318",
                hint="what a collector asks for goes into OTEL_EXPORTER_OTLP_HEADERS",
            )
        ),
        "Send traces to an OpenTelemetry collector, such as http://127.0.0.1:4318.",
        "server",
    )

    def __post_init__(self) -> None:
        check_fields(self)


def is_loopback(host: str) -> bool:
    """Whether a server listening on a host is reachable from this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
