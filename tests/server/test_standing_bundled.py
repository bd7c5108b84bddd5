"""`keepsight serve` with the bundled model and toy videos whose story is known: how often is an alert right?

Over more videos this is measured by benchmarks/alerts.py.
"""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from keepsight.toyworld.captions import SEEN_SECONDS, TrueCaption
from keepsight.toyworld.files import ToyTruth, ToyVideoSettings, make_video
from keepsight.toyworld.story import Thing
from keepsight.toyworld.vocabulary import NOUNS, article
from tests.patience import DEADLINE_SECONDS, PROCESS_SECONDS
from tests.server.served import Client
from tests.server.standing_model import plain_alerts

QUESTIONS = "/v1/standing-questions"
SEEDS = (70_000, 70_001)
NUM_ABSENT = 10
PATIENCE_SECONDS = 10 * DEADLINE_SECONDS


@contextmanager
def serving(folder: Path) -> Iterator[Client]:
    """The command, over a folder."""
    words = ["serve", "--port", "0", "--root", str(folder), "--journal", str(folder / "journal.db"), "--device", "cpu"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from keepsight.cli import main; main()", *words], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield Client(int(process.stdout.readline().rpartition(":")[2]))
    finally:
        process.terminate()
        process.communicate(timeout=PROCESS_SECONDS)


def things(truth: ToyTruth) -> dict[str, Thing]:
    return {shown.thing.noun: shown.thing for shown in truth.story.appearances if shown.thing is not None}


def comings(truth: ToyTruth, noun: str) -> set[int]:
    """Clips in which a thing can be seen after one in which it could not, from the story."""
    thing = things(truth).get(noun)

    def is_there(clip: TrueCaption) -> bool:
        spans = (clip.span.start_seconds, clip.span.end_seconds)
        return thing is not None and truth.story.seen_seconds(thing, *spans) >= SEEN_SECONDS

    return set(plain_alerts([(clip.span.start_seconds, is_there(clip)) for clip in truth.captions], 0))


@pytest.mark.slow
def test_alerts_are_what_came_in(tmp_path: Path) -> None:
    truths = {
        seed: make_video(tmp_path / f"{seed}.mp4", ToyVideoSettings(seed=seed, minutes=8.0, fps=2)) for seed in SEEDS
    }
    there = sorted(set().union(*(things(truth) for truth in truths.values())))
    absent = [noun for noun in NOUNS if noun not in there][:NUM_ABSENT]
    with serving(tmp_path) as client:
        ids = {}
        for noun in (*there, *absent):
            reply = client("POST", QUESTIONS, {"question": f"Tell me when {article(noun)} comes in"})
            ids[noun] = reply.data["id"]
        stream_ids = {client.begin(tmp_path / f"{seed}.mp4"): seed for seed in SEEDS}
        num_clips = sum(len(truth.captions) for truth in truths.values())
        ends = time.monotonic() + PATIENCE_SECONDS
        while any(view["num_checked"] < num_clips for view in client("GET", QUESTIONS).data):
            assert time.monotonic() < ends
            time.sleep(0.5)
        told = {noun: alerts_of(client, question_id, stream_ids) for noun, question_id in ids.items()}
    assert not any(told[noun] for noun in absent)
    true = {noun: {(seed, clip) for seed in SEEDS for clip in comings(truths[seed], noun)} for noun in there}
    num_true = sum(len(clips) for clips in true.values())
    num_told = sum(len(told[noun]) for noun in there)
    num_right = sum(len(told[noun] & true[noun]) for noun in there)
    assert num_true >= 12
    assert num_right >= 0.75 * num_told
    assert num_right >= 0.75 * num_true


def alerts_of(client: Client, question_id: str, stream_ids: Mapping[str, int]) -> set[tuple[int, int]]:
    """Video and clip of each alert."""
    alerts = client("GET", f"{QUESTIONS}/{question_id}/alerts?limit=1000").data["alerts"]
    return {(stream_ids[alert["stream_id"]], alert["clip_index"]) for alert in alerts}
