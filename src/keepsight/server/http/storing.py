"""Whether to store a question and its answer: yes, unless the client opts out."""

from typing import Annotated

from fastapi import Depends, Header

from keepsight.errors import SettingError

_YES, _NO = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})


def _may_store(
    x_keepsight_store: Annotated[
        str | None,
        Header(max_length=100, description="`false`: do not store the question and its answer.", examples=["false"]),
    ] = None,
) -> bool:
    """Value of the header `X-Keepsight-Store`; true if absent.

    Raises:
        SettingError: it is neither true nor false.
    """
    word = "true" if x_keepsight_store is None else x_keepsight_store.strip().lower()
    if word not in _YES | _NO:
        raise SettingError(f"the header X-Keepsight-Store must be true or false, got {word[:20]!r}")
    return word in _YES


MayStore = Annotated[bool, Depends(_may_store)]
