"""How often is a standing question's alert right? Toy videos whose story is known, watched by the bundled model.

    python -m benchmarks.alerts                          # 24 videos of eight minutes: some ten minutes
    python -m benchmarks.alerts --quick                  # one short video, to see that it runs

Two requests are made of each of a video's things, and of as many that never come in it: `Tell me when a dog comes in`
and `Tell me when the dog leaves`. Every clip is judged as `keepsight serve` judges it, by the model and by words. What
is true comes from the story, not from captions: a thing is there in a clip if it can be seen for four seconds of it,
and leaves in the clip in which it goes out of the picture.

A clip is right where the verdict is the truth. An alert is right where it becomes so in that very clip; of two wrong
verdicts in a row there are as many wrong alerts as edges. Captions are those of the watching model; two rows have the
true ones instead, so that they show the judging alone.
"""

import argparse
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.rig.machine import heading, table
from keepsight.engine.watcher import Watcher
from keepsight.hub.standing.judging import Condition, Judge
from keepsight.journal import CaptionRecord, Journal
from keepsight.journal.standing_records import CheckMethod
from keepsight.method.protocol import VideoModel
from keepsight.models.loading import load_model
from keepsight.toyworld.captions import SEEN_SECONDS, TrueCaption
from keepsight.toyworld.files import ToyTruth, ToyVideoSettings, make_video
from keepsight.toyworld.story import Thing
from keepsight.toyworld.vocabulary import NOUNS, article

_FIRST_SEED = 70_000  # held out from training, whose seeds begin at 2^32


@dataclass
class Tally:
    """Verdicts and alerts against what is true."""

    num_clips: int = 0
    num_clips_right: int = 0
    num_alerts: int = 0
    num_true_alerts: int = 0
    num_alerts_right: int = 0
    num_alerts_of_absent: int = 0

    def add(self, said: Sequence[bool], true: Sequence[bool]) -> None:
        """Count the clips of one question about one video."""
        self.num_clips += len(true)
        self.num_clips_right += sum(one == two for one, two in zip(said, true, strict=True))
        told, wanted = set(_rises(said)), set(_rises(true))
        self.num_alerts += len(told)
        self.num_true_alerts += len(wanted)
        self.num_alerts_right += len(told & wanted)
        self.num_alerts_of_absent += len(told) if not any(true) else 0

    def row(self) -> list[str]:
        """As a table shows it."""
        return [
            f"{self.num_clips:,}",
            _share(self.num_clips_right, self.num_clips),
            str(self.num_true_alerts),
            str(self.num_alerts),
            _share(self.num_alerts_right, self.num_alerts),
            _share(self.num_alerts_right, self.num_true_alerts),
            str(self.num_alerts_of_absent),
        ]


@dataclass(frozen=True)
class Request:
    """What is asked about a noun, and what is then true of a clip."""

    name: str
    wording: Callable[[str], str]
    is_true: Callable[[ToyTruth, TrueCaption, str], bool]


def _is_there(truth: ToyTruth, clip: TrueCaption, noun: str) -> bool:
    spans = (clip.span.start_seconds, clip.span.end_seconds)
    return any(
        truth.story.seen_seconds(thing, *spans) >= SEEN_SECONDS for thing in _things(truth) if thing.noun == noun
    )


def _leaves(_: ToyTruth, clip: TrueCaption, noun: str) -> bool:
    return any(one.thing and one.noun == noun and one.verb.endswith("leaves") for one in clip.clauses)


REQUESTS = (
    Request("`Tell me when a dog comes in`", lambda noun: f"Tell me when {article(noun)} comes in", _is_there),
    Request("`Tell me when the dog leaves`", lambda noun: f"Tell me when the {noun} leaves", _leaves),
)


def _things(truth: ToyTruth) -> set[Thing]:
    return {shown.thing for shown in truth.story.appearances if shown.thing is not None}


def _rises(values: Sequence[bool]) -> Iterator[int]:
    before = False
    for place, value in enumerate(values):
        if value and not before:
            yield place
        before = value


def judge_video(model: VideoModel, settings: ToyVideoSettings, tallies: dict[tuple[str, str], Tally]) -> None:
    """Make a video, watch it, and judge its clips."""
    with tempfile.TemporaryDirectory() as folder:
        path, draw = Path(folder) / "video.mp4", random.Random(settings.seed)
        truth = make_video(path, settings)
        with Journal.create(Path(folder) / "journal.db") as journal:
            with Watcher(model, journal) as watcher:
                list(watcher.watch(path))
            (stream,) = journal.streams.all()
            watched = journal.clips.captions(stream.id)
            true = [replace(clip, caption=one.text) for clip, one in zip(watched, truth.captions, strict=True)]
            there = sorted({thing.noun for thing in _things(truth)})
            absent = draw.sample(sorted(set(NOUNS) - set(there)), len(there))
            judge = Judge(model, journal)
            for request in REQUESTS:
                for noun in there + absent:
                    wanted = [request.is_true(truth, clip, noun) for clip in truth.captions]
                    for judged, method, clips in (
                        ("model", CheckMethod.MODEL, watched),
                        ("words", CheckMethod.WORDS, watched),
                        ("model, true captions", CheckMethod.MODEL, true),
                    ):
                        tally = tallies.setdefault((judged, request.name), Tally())
                        tally.add(_verdicts(judge, request.wording(noun), method, clips), wanted)


def _verdicts(judge: Judge, asked: str, method: CheckMethod, clips: Sequence[CaptionRecord]) -> list[bool]:
    return [judge.says_yes(Condition(asked, method), clip) for clip in clips]


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2f}" if whole else "none"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Standing questions against the truth of toy videos, as Markdown.")
    parser.add_argument("--videos", type=int, default=24)
    parser.add_argument("--minutes", type=float, default=8.0, help="of each video")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--quick", action="store_true", help="one short video")
    options = parser.parse_args()
    if options.quick:
        options.videos, options.minutes = 1, 3.0
    model = load_model(options.model)
    tallies: dict[tuple[str, str], Tally] = {}
    for number in range(options.videos):
        judge_video(model, ToyVideoSettings(_FIRST_SEED + number, options.minutes, fps=2), tallies)
    note = f"{options.videos} toy videos of {options.minutes:g} minutes; half of the things asked about never come."
    columns = (
        "judged by",
        "request",
        "clips judged",
        "clips right",
        "true alerts",
        "alerts",
        "alerts right (precision)",
    )
    more = ("true alerts told (recall)", "alerts of things that never come")
    rows = [[judged, name, *tally.row()] for (judged, name), tally in sorted(tallies.items())]
    print("\n".join(heading("cpu", note) + table(columns + more, rows)))


if __name__ == "__main__":
    main()
