"""One source is the case n = 1 of several: the same events, the same journal, failures as events."""

import os
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from keepsight.engine.stream_pipeline import Moment
from keepsight.engine.watch_together import Failure, WatchTogether
from keepsight.engine.watcher import Watcher
from keepsight.errors import SourceNotFoundError
from keepsight.journal import Journal
from keepsight.method.protocol import DescribeRequest, Description, VisualInput
from keepsight.settings import Settings
from keepsight.sources.address import SourceAddress
from keepsight.sources.isolated import connect
from keepsight.sources.settings import SourceSettings
from tests.fake_model import FakeModel
from tests.small_videos import MakeVideo

QUICK = Settings(frames_per_clip=4, sample_fps=2.0, retention=0.25, memory_clips=3, max_caption_tokens=32)


class Batching(FakeModel):
    """Describes clips side by side by describing one after the other."""

    def describe_batch(
        self, clips: Sequence[VisualInput], request: DescribeRequest = DescribeRequest()
    ) -> list[Description]:
        return [self.describe(clip, request) for clip in clips]

    def describing(
        self, clips: Sequence[VisualInput], request: DescribeRequest = DescribeRequest()
    ) -> Generator[None, None, list[Description]]:
        yield
        return self.describe_batch(clips, request)


@pytest.mark.parametrize("num_sources", [1, 2])
def test_each_source_is_watched_as_alone(tmp_path: Path, make_video: MakeVideo, num_sources: int) -> None:
    videos = [make_video(7 + place) for place in range(num_sources)]
    with Journal.create(tmp_path / "together.db") as journal:
        together = WatchTogether(Batching(), journal, QUICK)
        opened = connect(SourceAddress.of(videos[0]), SourceSettings())
        events = list(together.events(videos, connection=opened))
        assert [watcher.stream.is_finished for watcher in together.watchers if watcher.stream] == [True] * num_sources
    with pytest.raises(ProcessLookupError):  # it was used, and is closed
        os.kill(opened.process_id, 0)
    for place, video in enumerate(videos):
        with Watcher(FakeModel(), tmp_path / f"{place}.db", QUICK) as watcher:
            alone = [(moment.span, moment.caption) for moment in watcher.watch(video)]
        moments = [one.event for one in events if one.source == place]
        assert [(one.span, one.caption) for one in moments if isinstance(one, Moment)] == alone


@pytest.mark.parametrize("num_sources", [1, 2])
def test_what_cannot_be_watched_is_an_event(tmp_path: Path, num_sources: int) -> None:
    missing = [tmp_path / f"{place}.mp4" for place in range(num_sources)]
    with Journal.create(tmp_path / "a.db") as journal:
        events = list(WatchTogether(Batching(), journal, QUICK).events(missing))
    assert sorted(one.source for one in events) == list(range(num_sources))
    for one in events:
        assert isinstance(one.event, Failure)
        assert isinstance(one.event.error, SourceNotFoundError)
