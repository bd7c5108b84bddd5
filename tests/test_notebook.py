"""What a notebook is given: HTML of moments and answers, tables, progress, and a journal that leaves nothing behind."""

import base64
import gc
import io
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import keepsight
from keepsight.asking.answering import Answer, Citation
from keepsight.asking.notebook import MAX_CITATIONS_SHOWN
from keepsight.engine.watcher import Watcher
from keepsight.errors import EmptyJournalError, KeepsightError
from keepsight.journal import GapRecord, Journal, contact_sheet
from keepsight.journal.notebook import kept_picture
from keepsight.settings import Settings
from keepsight.spans import Span
from tests.fake_model import FakeModel
from tests.journal.clip_records import make_clip

MakeVideo = Callable[..., Path]
QUICK = Settings(frames_per_clip=4, sample_fps=2.0, retention=0.25, memory_clips=3, max_caption_tokens=32)
HOSTILE = '<script>alert("1")</script><img src=x onerror=alert(2)> & </div>\'"'


class Read(HTMLParser):
    """The elements and the text of a fragment, as a browser's parser finds them."""

    def __init__(self, fragment: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(fragment)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def pictures(self) -> list[Image.Image]:
        sources = [values["src"] or "" for tag, values in self.elements if tag == "img"]
        heads = {source.partition(",")[0] for source in sources}
        assert heads <= {"data:image/jpeg;base64"}
        return [Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) for source in sources]


def answer_of(num_captions: int, caption: str = "a dog") -> Answer:
    citations = tuple(Citation(index, Span(index, index + 1), f"{caption} {index}") for index in range(num_captions))
    return Answer("yes", citations, num_captions, 0, 60.0, "Is there a dog?")


def test_a_clip_shows_its_span_caption_and_frames() -> None:
    clip = replace(make_clip("s", 2), num_frames_expected=16, num_frames_dropped=3)
    read = Read(clip._repr_html_())
    assert (read.open, len(read.pictures())) == ([], 1)
    assert read.text == "01:04-01:36 caption number 23 of 16 visual tokens kept; 4 of 16 frames, 3 dropped"
    assert Read(replace(clip, thumbnail=b"")._repr_html_()).pictures() == []


def test_what_was_kept_is_bright_and_the_rest_dark() -> None:
    frames = [np.full((64, 64, 3), 200, np.uint8) for _ in range(10)]
    clip = replace(
        make_clip("s", 0),
        thumbnail=contact_sheet(frames, width_pixels=64),
        frame_seconds=tuple(range(10)),
        num_visual_tokens=5 * 6,
        token_grid=(2, 3),
        kept_indices=np.array([0, 5, 4 * 6 + 1], np.int32),  # two frames a step: frames 0 and 1, 0 and 1, 8 and 9
    )
    picture = kept_picture(clip)
    assert picture is not None
    assert picture.size == (8 * 64, 2 * 64)  # ten frames, eight in a row
    pixels = np.asarray(picture.convert("L")).astype(int)
    bright = {(0, 0, 0), (1, 0, 0), (0, 1, 2), (1, 1, 2), (8, 0, 1), (9, 0, 1)}
    for frame in range(10):
        for row in range(2):
            for column in range(3):
                top, left = frame // 8 * 64 + row * 32 + 16, frame % 8 * 64 + round((column + 0.5) * 64 / 3)
                expected = 200 if (frame, row, column) in bright else 70
                assert abs(pixels[top, left] - expected) < 4, (frame, row, column)


def test_hostile_words_are_text() -> None:
    clip = make_clip("s", 0, caption=HOSTILE)
    assert HOSTILE in (read := Read(clip._repr_html_())).text
    assert [tag for tag, _ in read.elements] == ["div", "p", "b", "img", "br", "small"]
    hostile = replace(
        answer_of(8, HOSTILE),
        text=HOSTILE,
        question=HOSTILE,
        gaps=(GapRecord("s", Span(0, 1), HOSTILE),),
        not_stored=HOSTILE,
        clips=(clip,),
    )
    read = Read(hostile._repr_html_())
    assert read.text.count(HOSTILE) == 12  # eight captions, question, answer, gap, and why it is not stored
    assert (read.open, len(read.pictures())) == ([], 1 if 0 in shown_of(hostile) else 0)
    assert {tag for tag, _ in read.elements} <= {"div", "p", "b", "i", "img", "br", "small", "details", "summary"}


def shown_of(answer: Answer) -> list[int]:
    from keepsight.asking.notebook import closest_citations

    return [citation.clip_index for citation in closest_citations(answer)]


def test_an_answer_folds_away_what_is_not_closest() -> None:
    answer = answer_of(9)
    shown = [tag for tag, _ in Read(answer._repr_html_()).elements]
    assert shown.index("details") == 1 + 4 + MAX_CITATIONS_SHOWN  # div, question and answer with their marks
    assert "4 more captions" in Read(answer._repr_html_()).text
    assert "details" not in [tag for tag, _ in Read(answer_of(2)._repr_html_()).elements]


def test_a_watcher_without_a_journal_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_model: FakeModel, make_video: MakeVideo
) -> None:
    room = tmp_path / "room"
    room.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(room))
    video = make_video(12)
    with Watcher(fake_model, settings=QUICK) as watcher:
        with pytest.raises(EmptyJournalError):
            watcher.ask("What is there?")
        moments = watcher.watch(video)
        first = next(moments)
        assert [path.stat().st_mode & 0o777 for path in room.iterdir()] == [0o700]
        assert watcher.ask("What is there?").clips[0].caption == first.caption  # read while it is written
        rest = list(moments)
        assert list(watcher.watch(video)) == []  # watched to its end
        answer = watcher.ask("What is there?")
        assert [clip.clip_index for clip in answer.clips] == shown_of(answer)
        assert len(Read(answer._repr_html_()).pictures()) == min(len([first, *rest]), MAX_CITATIONS_SHOWN)
    assert list(room.iterdir()) == []
    assert len(list(watcher.watch(video))) == 1 + len(rest)  # a new journal, since the old one is gone
    watcher.close()
    assert list(room.iterdir()) == []


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_temporary_journal_that_is_forgotten_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    journal = Journal.temporary()
    with Journal.open(journal.path, read_only=True) as other:
        assert other.streams.all() == []
    assert journal.path.is_file()
    del journal
    gc.collect()
    assert list(tmp_path.iterdir()) == []
    code = "from keepsight import Journal; journal = Journal.temporary(); print(journal.path.is_file())"
    environment = {"TMPDIR": str(tmp_path), "PYTHONPATH": ":".join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
    assert list(tmp_path.iterdir()) == []


def test_clips_become_a_table() -> None:
    pytest.importorskip("pandas")
    clips = [make_clip("s", index) for index in range(3)]
    table = keepsight.to_pandas(iter(clips))
    assert table["start_seconds"].tolist() == [0.0, 32.0, 64.0]
    assert table["end_seconds"].tolist() == [32.0, 64.0, 96.0]
    assert table["caption"].tolist() == [clip.caption for clip in clips]
    assert table["num_kept_tokens"].tolist() == [3, 3, 3]
    assert keepsight.to_pandas([]).columns.tolist() == table.columns.tolist()


def test_without_pandas_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    clips = iter([make_clip("s", 0)])
    with pytest.raises(KeepsightError, match=r"^to_pandas needs pandas: pip install pandas$"):
        keepsight.to_pandas(clips)
    assert next(clips).clip_index == 0  # nothing was watched for naught


def test_progress_is_drawn_below_the_cell(
    monkeypatch: pytest.MonkeyPatch, fake_model: FakeModel, make_video: MakeVideo
) -> None:
    shown: list[str] = []

    class Handle:
        def update(self, html: str) -> None:
            shown.append(html)

    def display(html: str, *, display_id: bool) -> Handle:
        shown.append(html)
        return Handle()

    shell = types.SimpleNamespace(kernel=object())
    fake: Any = types.ModuleType("IPython")
    fake.get_ipython = lambda: shell
    drawing: Any = types.ModuleType("IPython.display")
    drawing.HTML, drawing.display = str, display
    monkeypatch.setitem(sys.modules, "IPython", fake)
    monkeypatch.setitem(sys.modules, "IPython.display", drawing)
    with Watcher(fake_model, settings=QUICK) as watcher:
        moments = list(watcher.watch(make_video(12), progress=True))
    assert len(shown) == 1 + len(moments)
    ended = Read(shown[-1])
    assert (ended.elements, ended.text.strip()) == (
        [("progress", {"value": "12.000", "max": "12.000"})],
        "00:12 of 00:12",
    )


def test_progress_without_a_terminal_writes_nothing(
    capfd: pytest.CaptureFixture[str], fake_model: FakeModel, make_video: MakeVideo
) -> None:
    with Watcher(fake_model, settings=QUICK) as watcher:
        assert len(list(watcher.watch(make_video(4), progress=True))) == 2
    assert capfd.readouterr() == ("", "")
