"""What the server listens on, whom it answers, and how much it lets one client ask of it."""

import ipaddress
import math
from dataclasses import dataclass, field
from pathlib import Path

from keepsight.errors import SettingError
from keepsight.server.access.tokens import ScopedToken, check_token

_COUNTS = (
    "max_streams",
    "max_openings",
    "max_questions_in_flight",
    "max_viewers",
    "max_body_bytes",
    "max_upload_bytes",
    "max_uploads",
    "max_uploads_total_bytes",
    "max_frame_pixels",
    "max_standing_questions",
)


@dataclass(frozen=True)
class ServerSettings:
    """How `keepsight serve` runs.

    Attributes:
        journal: the file that all streams are written to.
        roots: folders in which files, folders, pipes and devices must lie to be watched; at least one.
        host: address to listen on; one that other machines reach needs a token.
        port: 0 for any that is free.
        token: what every request must carry; None for none, on loopback only.
        tokens: others that are good for less.
        allowed_hosts: names that the server may be called by beside the address itself, such as a proxy's.
        allow_private: sources in this machine's own and other private networks may be watched.
        max_streams: streams watched at a time.
        max_openings: sources that are being opened at a time.
        max_questions_in_flight: questions being answered at a time.
        max_viewers: event streams open at a time.
        max_body_bytes: largest body of a request.
        body_seconds: longest time in which a request's body must have come.
        max_upload_bytes: largest file that is uploaded.
        max_uploads: uploads at a time of which no stream was made yet.
        max_uploads_total_bytes: all uploads together; they are removed with their streams.
        max_frame_pixels: of a frame that is pushed.
        max_file_hours: longest file, also uploaded or remote, by what it says of itself and by what is seen of it. Live
            sources have no length.
        heartbeat_seconds: an event stream is never silent for longer.
        max_standing_questions: questions that new captions are checked against.
        mcp_may_watch: agents whose token may manage find an MCP tool that begins to watch a source.

    Raises:
        SettingError: a value is outside what is allowed, or other machines could ask without a token.
    """

    journal: Path
    roots: tuple[Path, ...]
    host: str = "127.0.0.1"
    port: int = 8765
    token: str | None = field(default=None, repr=False)
    tokens: tuple[ScopedToken, ...] = field(default=(), repr=False)
    allowed_hosts: tuple[str, ...] = ()
    allow_private: bool = False
    max_streams: int = 8
    max_openings: int = 4
    max_questions_in_flight: int = 4
    max_viewers: int = 100
    max_body_bytes: int = 1 << 16
    body_seconds: float = 20.0
    heartbeat_seconds: float = 15.0
    max_upload_bytes: int = 8 << 30
    max_uploads: int = 32
    max_uploads_total_bytes: int = 64 << 30
    max_frame_pixels: int = 1 << 23
    max_file_hours: float = 168.0
    max_standing_questions: int = 32
    mcp_may_watch: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise SettingError(f"port is {self.port}; allowed are 0 to 65535")
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise SettingError(f"{name} is {getattr(self, name)}; allowed are 1 and more")
        if not (self.body_seconds > 0 and self.heartbeat_seconds > 0):
            raise SettingError("body_seconds and heartbeat_seconds are above 0")
        if not 0 < self.max_file_hours < math.inf:
            raise SettingError(f"max_file_hours is {self.max_file_hours}; allowed is more than 0")
        if not self.roots:
            raise SettingError("roots names at least one folder that sources may lie in")
        _check_tokens(self.token, self.tokens)
        if self.token is None and not self.tokens and not is_loopback(self.host):
            raise SettingError(f"{self.host} can be reached from other machines: give a token, or listen on 127.0.0.1")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens there."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_tokens(token: str | None, tokens: tuple[ScopedToken, ...]) -> None:
    if token is not None:
        check_token(token)
    known = [token, *(one.token for one in tokens)]
    if len(set(known)) < len(known):
        raise SettingError("a token is given twice; each has one scope")
