"""Common checks of methods' settings."""

from keepsight.errors import SettingError


def check_count(name: str, value: object, *, minimum: int = 1) -> None:
    """Check a number of frames.

    Raises:
        SettingError: the value is not an integer, or below the minimum.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise SettingError(f"{name} must be a whole number of at least {minimum}, got {value!r}")
