"""Still clips as the server shows them: counted, marked, not asked about."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from keepsight.engine.session import StreamSession
from keepsight.hub.signals import Signal
from keepsight.hub.standing.checker import Checker
from keepsight.hub.standing.judging import Judge
from keepsight.journal import Journal
from keepsight.journal.standing_records import CheckMethod
from keepsight.report import collect_report, render_report
from keepsight.server.settings import ServerSettings
from keepsight.settings import Settings
from keepsight.video import Frame
from tests.fake_model import FakeModel
from tests.patience import wait_for
from tests.server.served import QUICK, Client, Served
from tests.server.standing_model import YesModel
from tests.small_videos import write_pictures

STILL = replace(QUICK, skip_still=True)
PICTURES = [np.full((48, 64, 3), 80 * number, np.uint8) for number in range(4)]


def watched(journal: Journal, script: list[int], settings: Settings = STILL) -> str:
    stream = journal.streams.begin("/videos/door.mp4", "fake", settings.to_json())
    session = StreamSession(FakeModel(), journal, stream, settings)
    for place, number in enumerate(number for number in script for _ in range(4)):
        session.push(Frame(PICTURES[number], place / 2))
    return stream.id


@pytest.fixture
def server_settings(server_settings: ServerSettings, tmp_path: Path) -> ServerSettings:
    """The test's own videos may be watched."""
    return replace(server_settings, roots=(tmp_path,))


def test_a_request_may_ask_for_it_and_each_view_counts_and_marks(client: Client, tmp_path: Path) -> None:
    video = tmp_path / "door.mp4"
    write_pictures(video, [PICTURES[number] for number in (0, 0, 0, 1, 1) for _ in range(4)], 2)
    stream_id = client.begin(video, skip_still=True)
    view = client.wait_for_state(stream_id, "complete")
    assert (view["num_clips"], view["num_still_clips"]) == (5, 3)
    clips = client("GET", f"/v1/streams/{stream_id}/clips").data["clips"]
    assert [clip["is_still"] for clip in clips] == [False, True, True, False, True]
    assert clips[2]["caption"] == "nothing changed since 00:01"
    whole = client("GET", f"/v1/streams/{stream_id}/clips/2").data
    assert (whole["still_since"], whole["num_visual_tokens"], whole["kept_indices"]) == (0, 0, [])
    assert client("GET", f"/v1/streams/{stream_id}/clips/3").data["still_since"] is None
    metrics = client("GET", "/metrics").content.decode()
    assert "keepsight_clips_total 5.0" in metrics
    assert "keepsight_still_clips_total 3.0" in metrics
    assert "keepsight_clip_seconds_count 2.0" in metrics
    other = client.begin(video, still_threshold=255, skip_still=True)  # other captions: another stream
    assert other != stream_id
    assert client.wait_for_state(other, "complete")["num_still_clips"] == 4


def test_a_standing_question_is_not_asked_of_a_still_clip(tmp_path: Path) -> None:
    """Its verdict stays, so nothing becomes so after it that was so before, and no clip counts as skipped."""
    model = YesModel()
    with Journal.create(tmp_path / "journal.db") as journal:
        question = journal.standing.add("Is there a dog?", method=CheckMethod.MODEL)
        news = Signal()
        checker = Checker(journal, Judge(model, journal), news, lambda stream_id: None, share_of_time=1)
        checker.start()
        try:
            watched(journal, [0, 0, 0, 1, 1, 2])
            news.notify()
            wait_for(lambda: not journal.standing.due(), "all is checked")
        finally:
            checker.stop()
        assert len(model.asked) == 3
        assert not any("nothing changed" in context for context, _ in model.asked)
        tally = journal.standing.tally(question.id)
        assert (tally.num_checked, tally.num_skipped) == (3, 0)


def test_a_report_counts_and_marks_still_clips(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "journal.db") as journal:
        watched(journal, [0, 0, 0, 1])
        report = collect_report(journal)
        assert [clip.is_still for clip in report.clips] == [False, True, True, False]
        page = render_report(report)
        assert "<dt>clips in which nothing changed</dt><dd>2</dd>" in page
        assert page.count('class="still"') == 3  # two blocks and the legend
        watched(journal, [0, 1, 2])
        moving = render_report(collect_report(journal))
        assert "nothing changed" not in moving.partition("<body>")[2]
        assert 'class="still"' not in moving


@pytest.mark.parametrize("method", ["words", "meaning"])
def test_a_search_finds_captions_alone(served: Served, method: str) -> None:
    stream_id = watched(served.service.journal, [0, 0, 1, 1, 2])
    found = served.client("GET", f"/v1/streams/{stream_id}/moments?query=nothing+changed&method={method}").data
    assert sorted(clip["clip_index"] for clip in found) == ([] if method == "words" else [0, 2, 4])
