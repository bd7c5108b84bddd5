"""Plots, looked at as pixels and as the shapes in an SVG."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from PIL import Image

from keepsight.bench.output import Cell, Curve, Row, Table, bar_plot, line_plot
from keepsight.bench.output.figures import STYLES
from keepsight.bench.output.scales import tick_labels, ticks_at
from keepsight.errors import SettingError

RETENTIONS = (1 / 100, 1 / 32, 1 / 16, 1 / 8, 1 / 4)


def flat(label: str, height: float, x: tuple[float, ...] = (1, 2, 4), half: float = 0.05) -> Curve:
    return Curve(label, x, (height,) * len(x), (height - half,) * len(x), (height + half,) * len(x))


def draw(path: Path, curves: list[Curve], **settings: Any) -> Path:
    line_plot(path, "Title", "x", "y", curves, **settings)
    return path


def table(num_methods: int = 2, columns: tuple[str, ...] = ("where", "colour")) -> Table:
    cells = {column: Cell(0.5, 0.4, 0.6) for column in columns}
    return Table("By task", "Tiny model.", columns, tuple(Row(f"m{number}", cells, 8) for number in range(num_methods)))


def texts(path: Path) -> list[str]:
    """Everything that is written in a plot; matplotlib notes each text beside its outlines."""
    return re.findall(r"<!-- (.*?) -->", path.read_text(encoding="utf-8"))


def lines_of_curves(path: Path) -> dict[str, tuple[str | None, list[tuple[float, float]]]]:
    """Colour -> dashes and corners of the long lines inside the axes."""
    found: dict[str, tuple[str | None, list[tuple[float, float]]]] = {}
    for group in axes_groups(path, "line2d_"):
        for child in group.findall("{*}path"):
            style = dict(part.split(": ") for part in child.get("style", "").split("; "))
            corners = [(float(x), float(y)) for x, y in re.findall(r"[ML] (\S+) (\S+)", child.get("d", ""))]
            found.setdefault(style["stroke"], (style.get("stroke-dasharray"), corners))
    return found


def axes_groups(path: Path, prefix: str) -> list[ElementTree.Element]:
    root = ElementTree.parse(path).getroot()
    (axes,) = [group for group in root.findall(".//{*}g") if group.get("id") == "axes_1"] or [root]
    return [group for group in axes.findall("{*}g") if group.get("id", "").startswith(prefix)]


@pytest.mark.parametrize("name", ["plot.png", "plot.PNG"])
def test_a_line_plot_is_a_picture_of_a_fixed_size_with_something_on_it(tmp_path: Path, name: str) -> None:
    picture = Image.open(draw(tmp_path / name, [flat("ours", 0.8), flat("theirs", 0.4)]))
    assert picture.format == "PNG"
    assert picture.size == (1400, 779)
    grey = np.asarray(picture.convert("L"))
    assert 0.005 < (grey < 200).mean() < 0.2
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_nothing_touches_the_border_even_with_long_texts(tmp_path: Path) -> None:
    path = tmp_path / "plot.png"
    long = "a long text of many words " * 8
    curves = [flat(f"{number} {long}"[:60], 0.1 * number) for number in range(1, 9)]
    line_plot(path, long[:120], long[:70], long[:38], curves, caption=long)
    grey = np.asarray(Image.open(path).convert("L"))
    assert min(grey[0].min(), grey[-1].min(), grey[:, 0].min(), grey[:, -1].min()) == 255


def test_eight_curves_differ_without_colour(tmp_path: Path) -> None:
    path = draw(tmp_path / "plot.svg", [flat(f"m{number}", 0.1 * number) for number in range(8)])
    drawn = lines_of_curves(path)
    dashes = [drawn[style.colour.lower()][0] for style in STYLES]
    assert len(set(dashes)) == 8
    for different in ("dash", "marker", "hatch", "colour"):
        assert len({getattr(style, different) for style in STYLES}) == 8
    assert {f"m{number}" for number in range(8)} <= set(texts(path))


def test_any_two_styles_differ_in_a_grey_picture(tmp_path: Path) -> None:
    """The same curve is drawn in each style in turn, the other styles far below: its dark pixels are others."""
    masks = []
    for place in range(8):
        curves = [Curve("", (1, 2, 4), (-5,) * 3)] * place + [Curve("", (1, 2, 4), (5,) * 3)]
        curves += [Curve("", (1, 2, 4), (-5,) * 3)] * (7 - place)
        grey = np.asarray(Image.open(draw(tmp_path / "plot.png", curves)).convert("L"))
        masks.append(grey[60:200, 100:1000] < 180)
    frame = np.logical_and.reduce(masks)
    dark = [mask & ~frame for mask in masks]
    shared = [(dark[a] & dark[b]).sum() / (dark[a] | dark[b]).sum() for a in range(8) for b in range(a)]
    assert all(mask.sum() > 500 for mask in dark)
    assert max(shared) < 0.8, shared


def test_legend_follows_the_ends_of_the_curves(tmp_path: Path) -> None:
    curves = [flat("low", 0.1), flat("high", 0.9), flat("middle", 0.5)]
    named = [text for text in texts(draw(tmp_path / "plot.svg", curves)) if text in ("low", "middle", "high")]
    assert named == ["high", "middle", "low"]


def test_log_axis_has_human_ticks_at_the_points(tmp_path: Path) -> None:
    path = draw(tmp_path / "plot.svg", [flat("ours", 0.5, RETENTIONS)], x_log=True, x_percent=True, y_percent=True)
    assert texts(path)[:5] == ["1 %", "3 %", "6 %", "12 %", "25 %"]
    assert {"40 %", "50 %"} <= set(texts(path))
    path = draw(tmp_path / "plot.svg", [flat("ours", 0.5, (1, 2, 32))], x_log=True, x_ticks=(1, 4, 32))
    assert texts(path)[:3] == ["1", "4", "32"]


@pytest.mark.parametrize(
    ("ticks", "percent", "labels"),
    [
        ([0.005, 0.015625, 0.025, 0.5, 1], True, ["0.5 %", "1.6 %", "2.5 %", "50 %", "100 %"]),
        ([0.12, 0.121], True, ["12 %", "12.1 %"]),
        ([0, 12.5, 3600], False, ["0", "12.5", "3600"]),
    ],
)
def test_tick_labels_are_short_as_long_as_they_differ(ticks: list[float], percent: bool, labels: list[str]) -> None:
    assert tick_labels(ticks, percent=percent) == labels


def test_ticks_keep_apart() -> None:
    assert ticks_at([1, 1.01, 10, 100, 99]) == [1, 10, 99]
    assert ticks_at([5, 5]) == [5]


def test_curves_at_the_same_x_are_dodged_and_others_are_not(tmp_path: Path) -> None:
    def starts(*curves: Curve) -> list[float]:
        drawn = lines_of_curves(draw(tmp_path / "plot.svg", list(curves)))
        return [drawn[style.colour.lower()][1][0][0] for style in STYLES[: len(curves)]]

    together = starts(flat("a", 0.5), flat("b", 0.5), flat("c", 0.5))
    assert np.diff(together) == pytest.approx([5, 5])  # SVG counts in points
    apart = starts(flat("a", 0.5, (1, 3, 5)), flat("b", 0.5, (2, 4, 6)))
    (alone,) = starts(flat("a", 0.5, (1, 3, 6)))
    assert np.diff(apart)[0] > 20
    assert apart[0] == pytest.approx(alone, abs=1)


def test_many_points_have_a_band_instead_of_whiskers(tmp_path: Path) -> None:
    few, many = tuple(range(12)), tuple(range(13))
    whiskers = draw(tmp_path / "few.svg", [flat("a", 0.5, few)])
    band = draw(tmp_path / "many.svg", [flat("a", 0.5, many)])
    assert axes_groups(whiskers, "LineCollection")
    assert not axes_groups(whiskers, "FillBetween")
    assert axes_groups(band, "FillBetween")
    assert not axes_groups(band, "LineCollection")


@pytest.mark.parametrize("height", [0.02, 0.5, 0.98, 1.0, 40.0, -3.0])
def test_whole_intervals_are_inside_the_axes(tmp_path: Path, height: float) -> None:
    """Neither end of a whisker lies beyond the frame of the axes."""
    path = draw(tmp_path / "plot.svg", [flat("a", height, half=0.02)], y_percent=True)
    (whisker, *_) = axes_groups(path, "LineCollection")
    ends = [float(y) for d in whisker.findall(".//{*}path") for y in re.findall(r"[ML] \S+ (\S+)", d.get("d", ""))]
    (background,) = axes_groups(path, "patch_2")
    frame = [float(y) for d in background.findall(".//{*}path") for y in re.findall(r"[ML] \S+ (\S+)", d.get("d", ""))]
    assert min(frame) - 0.01 <= min(ends) < max(ends) <= max(frame) + 0.01


def test_interval_need_not_hold_the_value(tmp_path: Path) -> None:
    draw(tmp_path / "plot.png", [Curve("a", (1.0,), (0.5,), (0.6,), (0.7,))])


def test_text_with_dollars_and_underscores_is_shown_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "plot.svg"
    line_plot(path, "costs $5 or $6", "x_1", "y", [flat("_hidden $x$", 0.5)], caption="\x1b[1m two\nlines")
    assert {"costs $5 or $6", "x_1", " _hidden $x$", "[1m two lines"} <= set(texts(path))


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_the_same_plot_has_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    first, second = (draw(tmp_path / f"{name}{suffix}", [flat("a", 0.5)]).read_bytes() for name in "ab")
    assert first == second


def test_plots_leave_no_state(tmp_path: Path) -> None:
    before = matplotlib.rcParams.copy()
    draw(tmp_path / "plot.png", [flat("a", 0.5)])
    bar_plot(tmp_path / "bars.png", table(), "right")
    assert matplotlib.rcParams.copy() == before
    assert "matplotlib.pyplot" not in sys.modules


def test_bars_end_at_their_values(tmp_path: Path) -> None:
    path = tmp_path / "bars.svg"
    cells = {"where": Cell(0.25, 0.2, 0.3), "colour": Cell(1.0, 0.9, 1.0)}
    bar_plot(path, Table("By task", "", ("where", "colour"), (Row("ours", cells, 8),)), "right answers")
    bars = [group for number in (3, 4) for group in axes_groups(path, f"patch_{number}")]
    outlines = [path.get("d", "") for bar in bars for path in bar.findall("{*}path")[:1]]
    spans = [[float(x) for x in re.findall(r"[ML] (\S+) \S+", outline)] for outline in outlines]
    short, long = (max(span) - min(span) for span in spans)
    assert short / long == pytest.approx(0.25)
    assert {"where", "colour", "ours", "right answers", "0 %", "100 %", "By task"} <= set(texts(path))


def test_bars_grow_with_methods_and_name_what_was_not_asked(tmp_path: Path) -> None:
    heights = []
    for num_methods in (1, 2, 8):
        bar_plot(tmp_path / "bars.png", table(num_methods, ("a", "b", "c", "d", "e", "f")), "right")
        picture = Image.open(tmp_path / "bars.png")
        assert (np.asarray(picture.convert("L")) < 200).mean() > 0.02
        heights.append(picture.size[1])
    assert heights == sorted(set(heights))
    rows = (Row("ours", {"a": Cell(0.5)}, 1), Row("theirs", {}, 0))
    bar_plot(tmp_path / "bars.svg", Table("t", "", ("a", "b"), rows), "right")
    assert [text.strip() for text in texts(tmp_path / "bars.svg")].count("no questions") == 3


def test_bars_differ_by_hatch(tmp_path: Path) -> None:
    bar_plot(tmp_path / "bars.svg", table(8), "right")
    root = ElementTree.parse(tmp_path / "bars.svg").getroot()
    hatches = {
        ElementTree.tostring(path)
        for pattern in root.findall(".//{*}pattern")
        for path in pattern.findall(".//{*}path")
    }
    assert len(hatches) == 7  # the first style is solid


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for attempt in (
        lambda: draw(tmp_path / "plot.png", [flat("a", 0.5)]),
        lambda: bar_plot(tmp_path / "plot.png", table(), "right"),
    ):
        with pytest.raises(SettingError, match=r'needs matplotlib: pip install "keepsight\[bench\]"') as caught:
            attempt()
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "wrong",
    [
        lambda path: draw(path / "plot.pdf", [flat("a", 0.5)]),
        lambda path: draw(path / "plot", [flat("a", 0.5)]),
        lambda path: draw(path / "plot.png", []),
        lambda path: draw(path / "plot.png", [flat("a", 0.5)] * 9),
        lambda path: draw(path / "plot.png", [flat("a", 0.5, (0, 1))], x_log=True),
        lambda path: draw(path / "plot.png", [flat("a", 0.5, (1, 2))], x_log=True, x_ticks=(0, 1)),
        lambda path: bar_plot(path / "plot.gif", table(), "right"),
        lambda path: bar_plot(path / "plot.png", table(9), "right"),
        lambda path: bar_plot(path / "plot.png", table(0), "right"),
        lambda path: Curve("a", (), ()),
        lambda path: Curve("a", (1,), (1, 2)),
        lambda path: Curve("a", (1,), (1,), (0,)),
        lambda path: Curve("a", (1, 2), (1, 2), (0,), (3,)),
        lambda path: Curve("a", (2, 1), (1, 2)),
        lambda path: Curve("a", (1, 1), (1, 2)),
        lambda path: Curve("a", (1,), (float("nan"),)),
        lambda path: Curve("a", (float("inf"),), (1,)),
        lambda path: Curve("a", (1,), (1,), (2,), (0,)),
    ],
)
def test_what_cannot_be_drawn_is_refused(tmp_path: Path, wrong: Callable[[Path], object]) -> None:
    with pytest.raises(SettingError) as caught:
        wrong(tmp_path)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_plot_that_cannot_be_written_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        draw(tmp_path / "nowhere" / "plot.png", [flat("a", 0.5)])
