"""The loop over one stream: every moment durable, resumable, within the model's window, cleanly ended."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from keepsight.asking.answering import Answer
from keepsight.engine.stream_pipeline import Moment
from keepsight.engine.watcher import Watcher
from keepsight.errors import (
    EmptyJournalError,
    JournalNotFoundError,
    JournalWriteError,
    NotAVideoError,
    PromptTooLongError,
    SettingError,
    SourceNotFoundError,
    TruncatedVideoError,
    UnknownStreamError,
)
from keepsight.journal import ClipRecord, EndReason, Journal, Quota, split_sheet
from keepsight.method.protocol import DescribeRequest, Description, VisualInput
from keepsight.settings import Settings
from keepsight.spans import Span
from keepsight.video import Frame, open_video
from tests.fake_model import FakeModel

MakeVideo = Callable[..., Path]
QUICK = Settings(frames_per_clip=4, sample_fps=2.0, retention=0.25, memory_clips=3, max_caption_tokens=32)


@pytest.fixture
def watcher(tmp_path: Path, fake_model: FakeModel) -> Iterator[Watcher]:
    with Watcher(fake_model, tmp_path / "journal.db", QUICK) as opened:
        yield opened


def clips_of(path: Path) -> list[ClipRecord]:
    """The clips of a journal's newest stream."""
    with Journal.open(path) as journal:
        stream = journal.streams.latest()
        assert stream is not None
        return list(journal.clips.of(stream.id))


def content_of(path: Path) -> tuple[list[dict[str, object]], list[tuple[int, bytes]]]:
    """All clips and the memory of the newest stream, without what may differ between two equal runs."""
    with Journal.open(path) as journal:
        stream = journal.streams.latest()
        assert stream is not None
        clips = [
            {
                name: value.tobytes() if isinstance(value, np.ndarray) else value
                for name, value in vars(clip).items()
                if name not in ("stream_id", "seconds_spent")
            }
            for clip in journal.clips.of(stream.id)
        ]
        return clips, journal.memory.of(stream.id)


def test_a_video_is_watched_clip_by_clip(watcher: Watcher, make_video: MakeVideo, fake_model: FakeModel) -> None:
    video = make_video(seconds=9)
    moments = list(watcher.watch(video))
    assert [moment.clip_index for moment in moments] == [0, 1, 2, 3, 4]
    assert [moment.span for moment in moments[:4]] == [Span(2.0 * n, 2.0 * n + 2) for n in range(4)]
    assert moments[4].span == Span(8.0, 9.0)  # the last two frames do not fill a clip
    assert [moment.num_visual_tokens for moment in moments] == [16, 16, 16, 16, 8]
    assert [moment.num_kept_tokens for moment in moments] == [4, 4, 4, 4, 2]
    assert [moment.num_memory_tokens for moment in moments] == [0, 4, 8, 12, 12] == fake_model.memory_lengths
    for moment in moments:
        assert list(moment.kept_indices) == sorted(set(moment.kept_indices.tolist()))
    stream = watcher.stream
    assert stream is not None
    assert (stream.end_reason, stream.end_seconds, stream.source) == (EndReason.COMPLETE, 9.0, str(video.resolve()))
    assert stream.model == "fake"
    assert Settings.from_json(stream.settings_json) == QUICK


def test_what_is_stored_agrees_with_the_moment_and_the_model(
    watcher: Watcher, make_video: MakeVideo, fake_model: FakeModel, tmp_path: Path
) -> None:
    video = make_video(seconds=9)
    moments = list(watcher.watch(video))
    with open_video(video) as opened:
        frames = list(opened.sampled_frames(2.0))
    for moment, clip in zip(moments, clips_of(tmp_path / "journal.db"), strict=True):
        own = frames[4 * clip.clip_index : 4 * clip.clip_index + 4]
        assert (clip.caption, clip.span, clip.clip_index) == (moment.caption, moment.span, moment.clip_index)
        np.testing.assert_array_equal(clip.kept_indices, moment.kept_indices)
        # Attention selection: the kept tokens are those with the highest scores.
        top = np.argsort(-clip.scores, kind="stable")[: len(clip.kept_indices)]
        assert sorted(top.tolist()) == clip.kept_indices.tolist()
        np.testing.assert_array_equal(clip.embedding, fake_model.embed(clip.caption).numpy())
        assert clip.num_line_tokens == fake_model.count_tokens(f"[{clip.span}] {clip.caption}\n")
        assert clip.frame_seconds == tuple(frame.pts_seconds for frame in own)
        assert clip.token_grid == (2, 2)
        tiles = split_sheet(clip.thumbnail, len(own))
        for tile, frame in zip(tiles, own, strict=True):
            assert np.abs(tile.mean(axis=(0, 1)) - frame.image.mean(axis=(0, 1))).max() < 6


def test_each_moment_is_on_disk_before_it_is_handed_out(
    watcher: Watcher, make_video: MakeVideo, tmp_path: Path
) -> None:
    for moment in watcher.watch(make_video(seconds=9)):
        with Journal.open(tmp_path / "journal.db", read_only=True) as other:
            (stream,) = other.streams.all()
            captions = other.clips.captions(stream.id)
            assert captions[-1].clip_index == moment.clip_index
            assert captions[-1].caption == moment.caption
            assert other.memory.held(stream.id)[-1] == moment.clip_index
            assert stream.end_reason is None


def test_the_first_moment_comes_before_the_video_is_read(watcher: Watcher, fake_model: FakeModel) -> None:
    session = watcher.begin("camera", QUICK)
    pushed = 0
    while (moment := session.push(Frame(np.zeros((8, 8, 3), np.uint8), pushed / 2))) is None:
        pushed += 1
        assert len(watcher.pending_frames) == pushed
    assert pushed == 3
    assert moment.span == Span(0.0, 2.0)
    assert watcher.pending_frames == ()


@pytest.mark.parametrize("selector", ["attention", "random"])
@pytest.mark.parametrize("stops", [[1], [2, 3], [4, 5]])
def test_an_interrupted_watch_ends_in_the_same_journal(
    tmp_path: Path, make_video: MakeVideo, selector: str, stops: list[int]
) -> None:
    video, settings = make_video(seconds=12), replace(QUICK, selector=selector, seed=5)
    with Watcher(FakeModel(), tmp_path / "whole.db", settings) as watcher:
        whole = [moment.caption for moment in watcher.watch(video)]
    seen: list[str] = []
    for stop in [*stops, 100]:
        with Watcher(FakeModel(), tmp_path / "parts.db", settings) as watcher:  # as a new process would
            moments = watcher.watch(video)
            for moment in moments:
                seen.append(moment.caption)
                if len(seen) == stop:
                    break
            moments.close()
            assert watcher.stream is not None
            expected = EndReason.COMPLETE if stop == 100 else EndReason.INTERRUPTED
            assert watcher.stream.end_reason == expected
    assert seen == whole
    assert content_of(tmp_path / "parts.db") == content_of(tmp_path / "whole.db")
    with Journal.open(tmp_path / "parts.db") as journal:
        assert len(journal.streams.all()) == 1


def test_a_process_that_died_without_a_word_is_resumed(tmp_path: Path, make_video: MakeVideo) -> None:
    video = make_video(seconds=12)
    with Watcher(FakeModel(), tmp_path / "whole.db", QUICK) as watcher:
        list(watcher.watch(video))
    with Journal.create(tmp_path / "parts.db") as journal:
        first = Watcher(FakeModel(), journal, QUICK)
        moments = first.watch(video)
        next(moments)
        next(moments)
        stream = journal.streams.latest()
        assert stream is not None
        assert stream.end_reason is None  # as `kill -9` leaves it
        first.close()  # as the kernel lets go of a dead process's lock
        list(Watcher(FakeModel(), journal, QUICK).watch(video))
        moments.close()
    assert content_of(tmp_path / "parts.db") == content_of(tmp_path / "whole.db")


def test_ctrl_c_in_the_model_keeps_what_was_handed_out(tmp_path: Path, make_video: MakeVideo) -> None:
    class Interrupted(FakeModel):
        def describe(self, clip: VisualInput, request: DescribeRequest = DescribeRequest()) -> Description:
            if len(self.memory_lengths) == 2:
                raise KeyboardInterrupt
            return super().describe(clip, request)

    with Watcher(Interrupted(), tmp_path / "journal.db", QUICK) as watcher:
        moments: list[Moment] = []
        with pytest.raises(KeyboardInterrupt):
            moments.extend(watcher.watch(make_video(seconds=9)))
        assert watcher.stream is not None
        assert (watcher.stream.end_reason, watcher.stream.end_seconds) == (EndReason.INTERRUPTED, 4.0)
    assert len(clips_of(tmp_path / "journal.db")) == 2


def test_a_finished_video_is_not_watched_twice(watcher: Watcher, make_video: MakeVideo, fake_model: FakeModel) -> None:
    video = make_video(seconds=9)
    captions = [moment.caption for moment in watcher.watch(video)]
    assert list(watcher.watch(video)) == []
    assert watcher.stream is not None
    assert watcher.stream.is_finished
    assert len(fake_model.memory_lengths) == len(captions)
    assert [moment.caption for moment in watcher.watch(video, restart=True)] == captions


def test_other_settings_begin_another_stream(watcher: Watcher, make_video: MakeVideo, tmp_path: Path) -> None:
    video = make_video(seconds=9)
    list(watcher.watch(video))
    assert len(list(watcher.watch(video, sample_fps=1.0))) == 3
    with Watcher(FakeModel(), tmp_path / "journal.db", replace(QUICK, live=True, retriever="recency")) as other:
        assert list(other.watch(video)) == []  # these settings change answers only
    with Watcher(FakeModel(name="other"), tmp_path / "journal.db", QUICK) as other:
        assert len(list(other.watch(video))) == 5
    with Journal.open(tmp_path / "journal.db") as journal:
        assert len(journal.streams.all()) == 3


def test_any_stream_of_a_source_can_be_resumed_with_its_own_settings(tmp_path: Path, make_video: MakeVideo) -> None:
    """An older one, too, by a watcher with other settings; an uninterrupted one is the same."""
    video, whole, parts = make_video(8), tmp_path / "whole.db", tmp_path / "parts.db"
    with Watcher(FakeModel(), whole, QUICK) as watcher:
        list(watcher.watch(video))
    with Watcher(FakeModel(), parts, QUICK) as watcher:
        with closing(watcher.watch(video)) as moments:
            next(moments)
        assert watcher.stream is not None
        older = watcher.stream.id
        list(watcher.watch(video, restart=True))
    with Watcher(FakeModel(), parts, replace(QUICK, frames_per_clip=8)) as watcher:
        with pytest.raises(UnknownStreamError):
            list(watcher.resume("0" * 16))
        assert [moment.clip_index for moment in watcher.resume(older)] == [1, 2, 3]
        assert watcher.stream is not None
        assert (watcher.stream.id, watcher.stream.end_reason) == (older, EndReason.COMPLETE)
        assert list(watcher.resume(older)) == []
    with Journal.open(parts) as journal:
        captions = [caption.caption for caption in journal.clips.captions(older)]
        assert len(journal.streams.all()) == 2
    assert captions == [clip.caption for clip in clips_of(whole)]
    with Watcher(FakeModel(name="another"), parts, QUICK) as watcher, pytest.raises(SettingError, match="got another"):
        list(watcher.resume(older))


def test_the_memory_never_exceeds_the_models_window(tmp_path: Path, make_video: MakeVideo) -> None:
    # 16 tokens a clip, all kept: the window leaves room for two clips and a half, the memory would hold eight.
    probe = FakeModel()
    window = 16 + 40 + (probe.window - probe.max_memory_tokens(0, DescribeRequest(max_new_tokens=32)))
    model = FakeModel(window=window)
    settings = replace(QUICK, selector="all", retention=1.0, memory_clips=8)
    with Watcher(model, tmp_path / "journal.db", settings) as watcher:
        list(watcher.watch(make_video(seconds=12)))
    assert max(model.memory_lengths) <= 40
    assert model.memory_lengths[-1] == 32


def test_a_limit_in_tokens_holds(tmp_path: Path, make_video: MakeVideo) -> None:
    model = FakeModel()
    with Watcher(model, tmp_path / "journal.db", replace(QUICK, memory_tokens=9, memory_clips=16)) as watcher:
        list(watcher.watch(make_video(seconds=12)))
    assert max(model.memory_lengths) == 8


def test_without_memory_every_clip_stands_alone(tmp_path: Path, make_video: MakeVideo) -> None:
    model = FakeModel()
    with Watcher(model, tmp_path / "journal.db", replace(QUICK, memory_clips=0)) as watcher:
        assert len(list(watcher.watch(make_video(seconds=9)))) == 5
    assert model.memory_lengths == [0] * 5


def test_the_papers_preset_leaves_out_a_partial_clip(tmp_path: Path, make_video: MakeVideo) -> None:
    with Watcher(FakeModel(), tmp_path / "journal.db", replace(QUICK, caption_partial_clip=False)) as watcher:
        assert len(list(watcher.watch(make_video(seconds=9)))) == 4
        assert watcher.stream is not None
        assert watcher.stream.end_reason == EndReason.COMPLETE


def test_a_truncated_video_keeps_what_was_captioned_and_marks_the_end(
    watcher: Watcher, make_video: MakeVideo, tmp_path: Path
) -> None:
    whole = make_video(seconds=9)
    remux_and_cut(whole, tmp_path / "whole.mkv", cut := tmp_path / "cut.mkv", share=0.6)
    moments: list[Moment] = []
    with pytest.raises(TruncatedVideoError, match="truncated or damaged"):
        moments.extend(watcher.watch(cut))
    assert watcher.stream is not None
    stored = clips_of(tmp_path / "journal.db")
    assert len(stored) == 3
    assert watcher.stream.end_reason == EndReason.TRUNCATED
    assert watcher.stream.end_detail
    assert watcher.stream.end_seconds == stored[-1].span.end_seconds
    assert 4.0 < stored[-1].span.end_seconds < 7.0
    with Journal.open(tmp_path / "journal.db") as journal:
        (gap,) = journal.gaps.of(watcher.stream.id)
    assert gap.span == Span(stored[-1].span.end_seconds, 9.0)
    assert list(watcher.watch(cut)) == []


def remux_and_cut(source: Path, whole: Path, cut: Path, *, share: float) -> None:
    """The same pictures in Matroska, then the first part of that file's bytes."""
    with av.open(source) as reading, av.open(whole, "w") as writing:
        stream = writing.add_stream_from_template(reading.streams.video[0])
        for packet in reading.demux(reading.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                writing.mux(packet)
    content = whole.read_bytes()
    cut.write_bytes(content[: int(len(content) * share)])


def test_bad_sources_begin_no_stream_and_no_journal(watcher: Watcher, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(SourceNotFoundError):
        list(watcher.watch(tmp_path / "missing.mp4"))
    with pytest.raises(NotAVideoError):
        list(watcher.watch(tmp_path / "text.mp4"))
    assert not (tmp_path / "journal.db").exists()
    assert watcher.stream is None


def test_a_failing_model_marks_the_stream_and_a_later_run_goes_on(tmp_path: Path, make_video: MakeVideo) -> None:
    class Failing(FakeModel):
        def describe(self, clip: VisualInput, request: DescribeRequest = DescribeRequest()) -> Description:
            if len(clip.memory):
                raise PromptTooLongError("too long for a test")
            return super().describe(clip, request)

    video = make_video(seconds=9)
    with Watcher(Failing(), tmp_path / "journal.db", QUICK) as watcher:
        with pytest.raises(PromptTooLongError):
            list(watcher.watch(video))
        assert watcher.stream is not None
        assert (watcher.stream.end_reason, watcher.stream.end_detail) == (EndReason.FAILED, "too long for a test")
    with Watcher(FakeModel(), tmp_path / "journal.db", QUICK) as watcher:
        assert [moment.clip_index for moment in watcher.watch(video)] == [1, 2, 3, 4]


def test_a_full_disk_ends_with_its_own_error_and_keeps_the_rest(tmp_path: Path, make_video: MakeVideo) -> None:
    path, video = tmp_path / "journal.db", make_video(seconds=60)
    with Journal.create(path, max_bytes=170_000) as journal:
        watcher = Watcher(FakeModel(), journal, QUICK)
        moments: list[Moment] = []
        with pytest.raises(JournalWriteError, match="full"):
            moments.extend(watcher.watch(video))
        assert moments
    assert [clip.caption for clip in clips_of(path)] == [moment.caption for moment in moments]
    with Watcher(FakeModel(), path, QUICK) as watcher:  # and goes on when there is room again
        assert next(iter(watcher.watch(video))).clip_index == len(moments)


def test_questions_after_and_about_the_past(watcher: Watcher, make_video: MakeVideo, fake_model: FakeModel) -> None:
    with pytest.raises(JournalNotFoundError):
        watcher.ask("what?")
    list(watcher.watch(make_video(seconds=9)))
    answer = watcher.ask("what is there?")
    assert isinstance(answer, Answer)
    assert [citation.clip_index for citation in answer.citations] == [0, 1, 2, 3, 4]
    assert [citation.clip_index for citation in watcher.ask("what?", at_seconds=5).citations] == [0, 1]
    assert "".join(watcher.ask_streaming("what?")).strip() == answer.text
    with pytest.raises(EmptyJournalError):
        watcher.ask("what?", at_seconds=1)


def test_another_watcher_answers_from_the_journal_alone(
    watcher: Watcher, make_video: MakeVideo, tmp_path: Path
) -> None:
    for moment in watcher.watch(make_video(seconds=9)):
        with Watcher(FakeModel(), tmp_path / "journal.db") as other:  # while the first is still watching
            assert other.ask("what?").num_captions_given == moment.clip_index + 1


def test_live_shows_the_frames_without_a_caption(watcher: Watcher) -> None:
    session = watcher.begin("camera")
    for number in range(6):
        session.push(Frame(np.full((8, 8, 3), number, np.uint8), number / 2))
    answer = watcher.ask("what is happening now?", live=True)
    assert (answer.num_captions_given, answer.num_live_frames) == (1, 2)
    assert watcher.ask("what is happening now?").num_live_frames == 0
    assert watcher.ask("before?", at_seconds=2.2, live=True).num_live_frames == 1
    session.flush()
    assert session.end(EndReason.COMPLETE).end_seconds == 3.0


def test_a_watcher_leaves_a_journal_open_that_it_was_given(journal: Journal, make_video: MakeVideo) -> None:
    with Watcher(FakeModel(), journal, QUICK) as watcher:
        list(watcher.watch(make_video(seconds=9)))
    assert journal.streams.latest() is not None


def test_a_loop_left_after_its_watcher_was_closed_can_be_resumed(tmp_path: Path, make_video: MakeVideo) -> None:
    video = make_video(seconds=9)
    with Watcher(FakeModel(), tmp_path / "journal.db", QUICK) as watcher:
        moments = watcher.watch(video)
        next(moments)
    moments.close()
    with Watcher(FakeModel(), tmp_path / "journal.db", QUICK) as watcher:
        assert [moment.clip_index for moment in watcher.watch(video)] == [1, 2, 3, 4]


def test_frames_of_an_iterator_are_watched_and_resumed_like_a_files(tmp_path: Path, make_video: MakeVideo) -> None:
    video = make_video(seconds=12)
    with open_video(video) as opened:
        frames = list(opened.sampled_frames(QUICK.sample_fps))
    with Watcher(FakeModel(), tmp_path / "file.db", QUICK) as watcher:
        list(watcher.watch(video))
    with Watcher(FakeModel(), tmp_path / "frames.db", QUICK) as watcher:
        moments = watcher.watch_frames(iter(frames), "made here")
        next(moments)
        moments.close()
        assert watcher.stream is not None
        assert watcher.stream.end_reason is EndReason.INTERRUPTED
        rest = list(watcher.watch_frames(iter(frames), "made here"))
        assert rest[0].clip_index == 1
        assert watcher.stream.end_reason is EndReason.COMPLETE
        assert list(watcher.watch_frames(iter(frames), "made here")) == []
    assert content_of(tmp_path / "frames.db") == content_of(tmp_path / "file.db")


def test_a_quota_is_looked_after_while_watching(
    tmp_path: Path, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keepsight.engine.watched_journal._QUOTA_EVERY_SECONDS", 0.0)
    video = make_video(seconds=60)
    with Watcher(FakeModel(), tmp_path / "whole.db", QUICK) as watcher:
        whole = list(watcher.watch(video))
    with Watcher(FakeModel(), tmp_path / "small.db", QUICK, quota=Quota(max_bytes=1)) as watcher:
        small = list(watcher.watch(video))
    # What is removed is never what the next captions depend on.
    assert [moment.caption for moment in small] == [moment.caption for moment in whole]
    left = clips_of(tmp_path / "small.db")
    assert 0 < len(left) < len(whole)
    assert left[-1].caption == whole[-1].caption
