"""What the settings of methods have in common."""

from keepsight.errors import SettingError


def check_count(name: str, value: object, *, minimum: int = 1) -> None:
    """Refuse what is no number of frames.

    Raises:
        SettingError: the value is no whole number, or below the minimum.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise SettingError(f"{name} must be a whole number of at least {minimum}, not {value!r}")
