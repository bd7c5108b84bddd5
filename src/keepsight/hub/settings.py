"""Hub settings: limits, and where sources may be."""

from dataclasses import MISSING, dataclass
from pathlib import Path

from keepsight.errors import SettingError
from keepsight.schema import Flag, Many, Maybe, Number, PathKind, Whole, check_fields, setting


@dataclass(frozen=True)
class HubSettings:
    """Settings of a hub; each field describes itself.

    Raises:
        SettingError: a value is out of range.
    """

    journal: Path = setting(
        MISSING, PathKind("FILE"), "Write all streams to this journal.", "storage", start=Path("keepsight.db")
    )
    roots: tuple[Path, ...] = setting(
        MISSING,
        Many(PathKind("FOLDER")),
        "Folder whose files, folders, pipes and devices may be watched; repeatable.",
        "server",
        flag="root",
        start=(Path(),),
    )
    credentials: Path | None = setting(
        None,
        Maybe(PathKind("FILE"), word=None),
        "File with users and passwords of cameras by host, in .netrc format.",
        "live",
    )
    allow_private: bool = setting(False, Flag(), "Allow sources in private networks, this machine included.", "live")
    max_streams: int = setting(8, Whole(1), "Limit the active streams.", "server", unit="streams")
    max_openings: int = setting(4, Whole(1), "Limit the sources being opened.", "server", unit="sources")
    max_questions_in_flight: int = setting(4, Whole(1), "Limit the concurrent questions.", "server", unit="questions")
    max_standing_questions: int = setting(
        32, Whole(1), "Limit the questions checked against each new caption.", "server", unit="questions"
    )
    max_file_hours: float = setting(
        168.0,
        Number(0, is_above=True),
        "Limit the duration of files, uploads and remote files; live sources have none.",
        "server",
        unit="hours",
    )
    max_frame_pixels: int = setting(1 << 23, Whole(1), "Limit the size of a pushed frame.", "server", unit="pixels")
    max_upload_bytes: int = setting(8 << 30, Whole(1), "Limit the size of an upload.", "server", unit="bytes")
    max_uploads: int = setting(32, Whole(1), "Limit the uploads without a stream.", "server", unit="files")
    max_uploads_total_bytes: int = setting(
        64 << 30, Whole(1), "Limit all uploads together; they are removed with their streams.", "server", unit="bytes"
    )

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.roots:
            raise SettingError("must name at least one folder, got none", "roots")
