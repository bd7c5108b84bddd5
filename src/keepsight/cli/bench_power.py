"""`keepsight bench power`: how many videos a comparison needs, before it is run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keepsight.cli.options import JsonOption
from keepsight.cli.output import emit, make_console, wants_json
from keepsight.errors import SettingError

if TYPE_CHECKING:
    from keepsight.bench.results import Results
    from keepsight.bench.statistics.power import Pilot

DIFFERENCES = (2.0, 5.0, 10.0, 20.0)
"""Differences in points that are planned for unless others are asked for."""


def power(
    results: Annotated[
        Path | None, typer.Argument(metavar="RESULTS", help="Results file of a pilot, results.json of a run.")
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(help="The two methods of the pilot to compare; not needed if it has two only."),
    ] = None,
    spread: Annotated[
        float | None,
        typer.Option(
            help="Without a pilot: standard deviation between videos of the difference, in points.", metavar="POINTS"
        ),
    ] = None,
    difference: Annotated[
        list[float] | None,
        typer.Option(help="Difference to show, in points; repeatable. Default: 2, 5, 10 and 20.", metavar="POINTS"),
    ] = None,
    chance: Annotated[
        float, typer.Option("--power", help="Chance to show a true difference, in per cent.", metavar="PERCENT")
    ] = 80.0,
    comparisons: Annotated[int, typer.Option(help="Comparisons of the table, over which p is corrected.")] = 1,
    json: JsonOption = None,
) -> None:
    """Number of videos that shows a difference, by simulating the test that the tables use."""
    from keepsight.bench.statistics.power import videos_needed

    pilot = _pilot(results, method, spread)
    found = [
        videos_needed(pilot, points / 100, power=chance / 100, num_comparisons=comparisons)
        for points in difference or DIFFERENCES
    ]
    if wants_json(json):
        emit("pilot", num_videos=pilot.num_videos, difference=pilot.difference, spread=pilot.spread)
        for one in found:
            emit(
                "needed",
                difference=one.difference,
                num_videos=one.num_videos,
                closed_form=one.closed_form,
                power=one.power,
                is_simulated=one.is_simulated,
            )
        return
    console = make_console()
    said = f"pilot of {pilot.num_videos} videos, difference {100 * pilot.difference:+.1f}" if results else "assumed"
    console.print(f"{said}; spread between videos {100 * pilot.spread:.1f} points", markup=False)
    console.print(f"{'difference':>10}{'videos':>10}{'closed form':>14}{'power':>9}", markup=False)
    for one in found:
        points, reached = f"{100 * one.difference:.1f}", f"{100 * one.power:.0f} %"
        console.print(f"{points:>10}{one.num_videos:>10,}{one.closed_form:>14,}{reached:>9}", markup=False)


def _pilot(path: Path | None, methods: list[str] | None, spread: float | None) -> "Pilot":
    """The pilot of a results file, or one with an assumed spread.

    Raises:
        SettingError: both or neither are given, or the methods are not two of the file.
        DataError: the file is no results file, or has no common scored questions.
    """
    from keepsight.bench.results import Results
    from keepsight.bench.statistics.power import Pilot

    if (path is None) == (spread is None):
        raise SettingError("give either the results file of a pilot or --spread")
    if path is None:
        if methods:
            raise SettingError("--method needs the results file of a pilot")
        return Pilot.of_spread((spread or 0.0) / 100)
    results = Results.load(path)
    first, second = _two_methods(results, methods)
    theirs = {one.question_id: one.score for one in results.of(second)}
    pairs = [
        (one.score, other, one.video_id)
        for one in results.of(first)
        if one.score is not None and (other := theirs.get(one.question_id)) is not None
    ]
    return Pilot.of_scores([a for a, _, _ in pairs], [b for _, b, _ in pairs], [video for _, _, video in pairs])


def _two_methods(results: "Results", methods: list[str] | None) -> tuple[str, str]:
    wanted = methods or list(results.methods)
    if len(wanted) != 2 or not set(wanted) <= set(results.methods) or len(set(wanted)) < 2:
        names = ", ".join(results.methods)
        raise SettingError(f"--method must name two methods of {names}, got {', '.join(methods or ()) or 'none'}")
    return wanted[0], wanted[1]
