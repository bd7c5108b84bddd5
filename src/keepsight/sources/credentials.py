"""Users and passwords of cameras and servers, given separately from addresses, by environment or file.

Command lines are visible to all users of the machine, and addresses are typed, copied and logged. Credentials read here
stay in memory: they enter the address to open, never its name.
"""

import netrc
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from keepsight.errors import AddressRefusedError, SettingError
from keepsight.sources.network.urls import Credentials, parse_url, with_credentials

USER_VARIABLE, PASSWORD_VARIABLE = "KEEPSIGHT_SOURCE_USER", "KEEPSIGHT_SOURCE_PASSWORD"

_LARGEST_FILE_BYTES = 1 << 20


@dataclass(frozen=True, repr=False)
class SourceCredentials:
    """Credentials by host.

    Attributes:
        by_host: host, or host:port, in lower case.
        others: for all other hosts; None for none.
    """

    by_host: Mapping[str, Credentials] = field(default_factory=dict)
    others: Credentials | None = None

    def __repr__(self) -> str:
        return f"SourceCredentials(of {len(self.by_host)} hosts)"

    def attached(self, source: str) -> str:
        """Source with its host's credentials; unchanged if it has its own, or is not a network address."""
        try:
            url = parse_url(source.strip())
        except AddressRefusedError:  # reported when the source is opened
            return source
        found = self.by_host.get(f"{url.host}:{url.port}") or self.by_host.get(url.host) or self.others
        return source if found is None else with_credentials(source.strip(), found)


def read_credentials(
    hosts_file: Path | None = None,
    user: str | None = None,
    password_file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> SourceCredentials:
    """Read credentials from all places.

    Args:
        hosts_file: in `.netrc` format: `machine camera.local login admin password ...`, one line per host; `default`
            for all others.
        user: user for other hosts; None for that of the variable.
        password_file: file whose first line is that user's password; None for that of the variable.
        environment: environment variables.

    Raises:
        SettingError: a file is unreadable or malformed, or a user has no password. The message does not quote the file.
    """
    user = user if user is not None else environment.get(USER_VARIABLE)
    password = first_line(password_file) if password_file is not None else environment.get(PASSWORD_VARIABLE)
    if user is not None and password is None:
        raise SettingError(f"a user needs a password: give --password-file or {PASSWORD_VARIABLE}")
    by_host = {} if hosts_file is None else _hosts_of(hosts_file)
    others = by_host.pop("default", None) if password is None else Credentials(user or "", password)
    return SourceCredentials(by_host, others)


def _hosts_of(path: Path) -> dict[str, Credentials]:
    _check_readable(path)
    try:
        machines = netrc.netrc(str(path)).hosts
    except netrc.NetrcParseError as error:  # its message quotes the file
        raise SettingError(
            f"{path}, line {error.lineno}, must be 'machine HOST login USER password PASSWORD'"
        ) from None
    except (OSError, UnicodeError) as error:
        raise _unreadable(path, error) from None
    return {host.lower(): Credentials(login, password) for host, (login, _, password) in machines.items()}


def first_line(path: Path, secret: str = "a password") -> str:
    """First line of a file with a secret.

    Args:
        path: the file.
        secret: what the line is, for errors.

    Raises:
        SettingError: the file is unreadable, too large, or starts with an empty line. The message does not quote it.
    """
    _check_readable(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise _unreadable(path, error) from None
    if not lines or not lines[0]:
        raise SettingError(f"the first line of {path} must be {secret}, got an empty line")
    return lines[0]


def _check_readable(path: Path) -> None:
    try:
        if path.stat().st_size > _LARGEST_FILE_BYTES:
            raise SettingError(f"the credentials file {path} must be at most {_LARGEST_FILE_BYTES} bytes")
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> SettingError:
    return SettingError(f"cannot read {path}: {getattr(error, 'strerror', None) or 'it is not UTF-8'}")
