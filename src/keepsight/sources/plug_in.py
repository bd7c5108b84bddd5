"""Kinds of sources added by other packages, by entry point or as objects.

Like all sources they are opened in the decoder process, which gets their class and fields. Both must be available
there: the class by import, the fields as JSON.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from keepsight.errors import SettingError, SourceNotFoundError, VideoError
from keepsight.incoming import one_line, short
from keepsight.plugins import Group, Part, Recorded
from keepsight.sources.network.masking import masked, secrets_of_address, secrets_of_fields
from keepsight.sources.network.urls import strip_credentials

if TYPE_CHECKING:
    from dataclasses import Field

    from keepsight.sources.reader import Reader

LONGEST_REASON = 500
"""Length limit of an exception's text in a message, in characters."""

BUILT_IN_SCHEMES = ("http", "https", "rtsp", "rtsps")
"""Schemes that Keepsight reads itself."""

SOURCE_GROUP = Group("keepsight.sources", "source", BUILT_IN_SCHEMES, ("open",))
"""Kinds of sources by scheme."""


class Source(Protocol):
    """A source of a plug-in: a frozen dataclass whose fields are JSON values.

    A class registered as an entry point in `keepsight.sources` also has a class method `from_address(text)`, which
    parses an address such as `npy:///data/frames`. It opens nothing, and raises `ValueError` for an invalid address,
    with a text that says what must be, such as `fps must be above 0, got -1`. Two more members are optional:

    - `path: str`: local file or folder that it reads. A server checks that it is under its roots; without it, a
      server needs `allow_private` to watch the source.
    - `items() -> list[tuple[str, str]]`: name and size of each part, in order. The source is then identified by
      content: other parts make another stream, growth at its end resumes. Without it, the name identifies the
      source.
    """

    __dataclass_fields__: ClassVar[dict[str, "Field[Any]"]]

    @property
    def name(self) -> str:
        """Name in journal, errors and logs, as an address without credentials, such as `npy:///data/frames`.

        If `from_address` makes an equal source of it, a stream can be resumed from the journal.
        """

    def open(self) -> "Reader":
        """Open it in the decoder process.

        Raises:
            VideoError: the source is not readable.
        """


def source_of_address(scheme: str, text: str) -> Source:
    """Source of an address, made by the package that registered its scheme.

    Raises:
        SettingError: no package registered the scheme, or it refuses the address.
        PlugInError: the package raised another exception, or made something else than a source.
    """
    found = SOURCE_GROUP.find(scheme)
    if found is None:
        raise SettingError(f"{scheme}:// is built in")
    part = SOURCE_GROUP.load(found)
    make: Callable[[str], Source] | None = getattr(part, "from_address", None)
    if not callable(make):
        raise SettingError(f"source {scheme!r} of {found.package} must have a class method from_address")
    try:
        with SOURCE_GROUP.calling(part, "from_address", (ValueError,)):
            made = make(text)
    except ValueError as error:
        name = short(strip_credentials(text))
        reason = short(masked(one_line(error), secrets_of_address(text)), LONGEST_REASON)
        raise SettingError(
            f"{name} is not an address of the source kind {scheme} ({found.package}): {reason}"
        ) from error
    with SOURCE_GROUP.calling(part, "from_address"):
        return checked_source(made)


def checked_source(source: object) -> Source:
    """Check that an object is a source.

    Raises:
        SettingError: it is not, its name is not an address, or the decoder process cannot import its class.
    """
    SOURCE_GROUP.check(source)
    made = cast("Source", source)
    name = getattr(made, "name", None)
    scheme, mark, _ = name.partition("://") if isinstance(name, str) else ("", "", "")
    if not mark or not scheme or scheme.lower() in BUILT_IN_SCHEMES or one_line(name) != name:
        raise SettingError(
            f"the name of a source must be an address with a scheme of its own, such as npy:///data, got {name!r}"
        )
    kind = type(made)
    if kind.__module__ == "__main__" or "<locals>" in kind.__qualname__:
        raise SettingError(
            f"{kind.__qualname__} must be in a module, where the process that decodes can import it; "
            "for frames made in a script or notebook use Watcher.watch_frames"
        )
    return made


def to_request(source: Source) -> dict[str, Any]:
    """Source as JSON for the decoder process."""
    return Recorded.of(cast("Part", source)).to_data()


def from_request(data: object) -> Source:
    """Inverse of `to_request`, only for data of the parent process.

    Raises:
        VideoError: importing its class failed, or it refuses the fields.
    """
    record = Recorded.from_data(data)
    if not isinstance(record, Recorded):
        raise VideoError("invalid request: a source is its class and its fields")
    module, _, name = record.name.partition(":")
    try:
        made: Source = attrgetter(name)(import_module(module))(**record.values())
    except (ImportError, AttributeError, TypeError, SettingError) as error:
        raise VideoError(f"the process that decodes could not make {record.name}: {one_line(error)}") from error
    return made


def fault_of_request(error: Exception, data: object) -> str:
    """An exception of a plug-in's source on one line, for data of `to_request`; credentials are masked."""
    record = Recorded.from_data(data)
    secrets = secrets_of_fields(record.values()) if isinstance(record, Recorded) else ()
    return short(masked(one_line(error) or "no reason given", secrets), LONGEST_REASON)


def path_of(source: Source) -> str | None:
    """Local file or folder that a source reads; None if not stated."""
    path: str | None = getattr(source, "path", None)
    return path


def lister_of(source: Source) -> Callable[[], list[tuple[str, str]]] | None:
    """Function that lists a source's parts; None if its name identifies it."""
    items: Callable[[], Sequence[tuple[str, str]]] | None = getattr(source, "items", None)
    if items is None:
        return None
    name = one_line(source.name)

    def listed() -> list[tuple[str, str]]:
        try:
            with SOURCE_GROUP.calling(source, "items", (OSError,)):
                found = [(str(item), str(detail)) for item, detail in items()]
        except OSError as error:
            raise SourceNotFoundError(f"{name} can't be read: {error.strerror or error}") from error
        if not found:
            raise VideoError(f"{name} has no parts")
        return found

    return listed
