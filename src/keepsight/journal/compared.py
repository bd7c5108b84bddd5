"""The picture that the next clip of a stream is compared with, so that a resumed stream skips the same clips."""

from dataclasses import dataclass

from keepsight.journal.database import Database


@dataclass(frozen=True, eq=False)
class ComparedPicture:
    """The last frame of a captioned clip, reduced.

    Attributes:
        clip_index: the clip.
        frame_seconds: time of the frame.
        picture: bytes of uint8 `[64, 64, 3]` (`video.stillness.reduced`).
    """

    clip_index: int
    frame_seconds: float
    picture: bytes


class ComparedTable:
    """One picture a stream: that of its last captioned clip.

    While that clip may be replaced (`LastClipTable`), the one before is kept, too. Empty without `skip_still`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, stream_id: str, *, before_index: int | None = None) -> ComparedPicture | None:
        """Picture of the last captioned clip, or None.

        Args:
            stream_id: the stream.
            before_index: only clips before this one.
        """
        rows = self._database.read(
            "SELECT clip_index, frame_seconds, picture FROM compared_pictures"
            " WHERE stream_id = ? AND clip_index < coalesce(?, clip_index + 1) ORDER BY clip_index DESC LIMIT 1",
            (stream_id, before_index),
        )
        return ComparedPicture(*rows[0]) if rows else None

    def put(self, stream_id: str, compared: ComparedPicture, *, keep_previous: bool = False) -> None:
        """Store the picture of the newest captioned clip in place of the one before.

        Args:
            stream_id: the stream.
            compared: the picture.
            keep_previous: keep the one before, too, since the clip may be replaced.

        Raises:
            JournalWriteError: writing failed.
        """
        write = self._database.write
        with self._database.transaction():
            if not keep_previous:
                write("DELETE FROM compared_pictures WHERE stream_id = ?", (stream_id,))
            write(
                "INSERT INTO compared_pictures (stream_id, clip_index, frame_seconds, picture) VALUES (?, ?, ?, ?)",
                (stream_id, compared.clip_index, compared.frame_seconds, compared.picture),
            )
