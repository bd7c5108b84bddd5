"""Packages that `pip install keepsight` leaves out, and the command that installs them."""

from importlib.util import find_spec
from types import MappingProxyType

from keepsight.errors import SettingError

EXTRAS = MappingProxyType(
    {
        "serve": ("fastapi", "mcp", "prometheus_client", "pydantic", "uvicorn"),
        "bench": ("matplotlib",),
        "quantization": ("torchao",),
        "opentelemetry": ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http", "requests"),
    }
)
"""What each extra brings, as modules; the extras that users choose from in `pyproject.toml`."""


def require_extra(extra: str, purpose: str) -> None:
    """Refuse work for which an extra is missing, before it begins; nothing is imported but parents of modules.

    Args:
        extra: a key of `EXTRAS`.
        purpose: what needs it, as users call it.

    Raises:
        SettingError: a module is missing; the message has the command that installs it.
    """
    missing = next((name for name in EXTRAS[extra] if not _is_there(name)), None)
    if missing is not None:
        raise SettingError(f'{purpose} needs {missing.partition(".")[0]}: pip install "keepsight[{extra}]"')


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # its parent is missing, or it was taken out of `sys.modules`
        return False
