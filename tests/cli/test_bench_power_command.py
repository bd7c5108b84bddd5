"""`keepsight bench power`: from a results file or an assumed spread to numbers of videos."""

import json
import math
from dataclasses import asdict
from pathlib import Path

import pytest

from keepsight.bench.results import Prediction, Results
from tests.cli.ended import Keepsight


def pilot_file(path: Path, methods: tuple[str, ...] = ("captions", "blind")) -> None:
    """Results of 12 videos with 10 questions, of which the second method misses 0 to 3 more."""
    answers = [
        asdict(Prediction(method, f"v{video}", f"{video}/{q}", "t", "?", "yes", "!", float(q >= place * (video % 4))))
        for place, method in enumerate(methods)
        for video in range(12)
        for q in range(10)
    ]
    whole = Results("toys", "", "ExactScorer()", dict.fromkeys(methods, ""), {"model": "tiny"}, ())
    path.write_text(json.dumps({"format": 1, **asdict(whole), "predictions": answers}), encoding="utf-8")


def test_the_command_reads_a_pilot(keepsight: Keepsight) -> None:
    pilot_file(Path("results.json"))
    ended = keepsight("bench", "power", "results.json", "--difference", 10, "--difference", 5)
    assert (ended.code, ended.err) == (0, "")
    spread = math.sqrt(12 / 11 * (1.5**2 + 0.5**2) / 2) / 10  # of 0, 1, 2 and 3 questions in ten
    (pilot,) = ended.of("pilot")
    assert (pilot["num_videos"], pilot["difference"], pilot["spread"]) == pytest.approx((12, 0.15, spread))
    ten, five = ended.of("needed")
    assert (ten["difference"], five["difference"]) == (0.1, 0.05)
    assert 12 < ten["num_videos"] < five["num_videos"] == pytest.approx(five["closed_form"], abs=3)
    text = keepsight("bench", "power", "results.json", "--difference", 10, "--no-json").out
    assert "pilot of 12 videos, difference +15.0; spread between videos 11.7 points" in text
    assert text.splitlines()[-1].split()[:3] == ["10.0", str(ten["num_videos"]), str(ten["closed_form"])]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "give either the results file of a pilot or --spread"),
        (("results.json", "--spread", 20), "give either the results file of a pilot or --spread"),
        (("none.json",), "none.json"),
        (("three.json",), "--method must name two methods of a, b, c, got none"),
        (("three.json", "--method", "a", "--method", "d"), "a, b, c, got a, d"),
        (("three.json", "--method", "a", "--method", "a"), "a, b, c, got a, a"),
        (("--spread", 20, "--method", "a"), "--method needs the results file"),
        (("--spread", 0), "spread must be above 0 and at most 100 points, got 0"),
        (("--spread", 20, "--difference", -5), "difference must be above 0 and at most 100 points, got -5"),
        (("--spread", 20, "--power", 100), "power must be above 5 and below 100 per cent, got 100"),
        (("--spread", 20, "--comparisons", 0), "comparisons must be between 1 and 100, got 0"),
    ],
    ids=str,
)
def test_nonsense_is_one_line(keepsight: Keepsight, words: tuple[object, ...], says: str) -> None:
    pilot_file(Path("results.json"))
    pilot_file(Path("three.json"), ("a", "b", "c"))
    ended = keepsight("bench", "power", *words)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.complaint
