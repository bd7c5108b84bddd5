"""Common parts of all plots: the optional library, styles that work in black and white, and saving.

Figures are made without pyplot, so a plot leaves no window, backend or state behind.
"""

import io
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from keepsight.bench.output.wording import one_line
from keepsight.errors import SettingError
from keepsight.extras import require_extra
from keepsight.whole_file import write_whole

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Dash = str | tuple[float, tuple[float, ...]]
"""A matplotlib line style: a name, or an offset and dash lengths in line widths."""


@dataclass(frozen=True)
class Style:
    """Look of one method; any two differ in dash, marker and hatch, independent of colour.

    Attributes:
        colour: from the palette for colour-blind readers of Okabe and Ito (Color Universal Design, 2008), without its
            yellow, which is too light for lines.
        dash: of the line.
        marker: of the points.
        marker_points: its size, so that all look alike big.
        hatch: of the bars.
    """

    colour: str
    dash: Dash
    marker: str
    marker_points: float
    hatch: str


STYLES: Final = (
    Style("#0072B2", "-", "o", 5.5, ""),
    Style("#D55E00", (0, (5, 1.6)), "s", 5.2, "////"),
    Style("#009E73", (0, (1.2, 1.2)), "^", 6.5, "...."),
    Style("#000000", (0, (6, 1.5, 1.2, 1.5)), "D", 5.0, "xxxx"),
    Style("#CC79A7", (0, (9, 2.5)), "v", 6.5, "\\\\\\\\"),
    Style("#E69F00", (0, (6, 1.5, 1.2, 1.5, 1.2, 1.5)), "P", 7.0, "----"),
    Style("#56B4E9", (0, (2.4, 2.4)), "X", 7.0, "++++"),
    Style("#777777", (0, (3, 1.2, 3, 1.2, 1.2, 1.2)), "*", 9.5, "oooo"),
)
"""By order of methods, which limits the methods per plot."""

_LOOK: Final[dict[Any, Any]] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "text.usetex": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "keepsight",
}
_WIDTH_INCHES = 7.0
_PIXELS_AN_INCH = 200
_CAPTION_CHARACTERS = 112
_TITLE_CHARACTERS = 66
_LABEL_CHARACTERS = 24
_LINE_INCHES = 0.15
_ENTRY_INCHES = 0.12
_FRAME_INCHES = 0.7


@contextmanager
def drawing() -> Iterator[None]:
    """Style of all plots, within the block only.

    Raises:
        SettingError: matplotlib is not installed.
    """
    require_extra("bench", "plots")
    import matplotlib

    with matplotlib.rc_context(_LOOK):
        yield


def new_axes(title: str, caption: str, labels: Sequence[str], axes_inches: float) -> tuple["Figure", "Axes"]:
    """A figure with one set of axes, title at the top and measurement notes at the bottom.

    Args:
        title: at the top.
        caption: at the bottom; may be empty.
        labels: labels of the later legend (`add_legend`), for which the figure is made high enough.
        axes_inches: minimum height inside the axes.
    """
    from matplotlib.figure import Figure

    heading, note = plain(title, _TITLE_CHARACTERS), plain(caption, _CAPTION_CHARACTERS)
    legend_inches = sum(_ENTRY_INCHES + _LINE_INCHES * _num_lines(plain(label, _LABEL_CHARACTERS)) for label in labels)
    text_inches = _FRAME_INCHES + _LINE_INCHES * (1.3 * _num_lines(heading) + _num_lines(note))
    figure = Figure(figsize=(_WIDTH_INCHES, max(axes_inches, legend_inches) + text_inches), layout="constrained")
    figure.suptitle(heading, x=0.01, ha="left", fontsize=11, fontweight="bold")
    if note:
        figure.supxlabel(note, x=0.01, ha="left", fontsize=8, color="#444444")
    return figure, figure.subplots()


def add_legend(axes: "Axes", handles: Sequence["Artist"], labels: Sequence[str]) -> None:
    """Legend to the right of the axes, in the given order."""
    texts = [plain(label, _LABEL_CHARACTERS) for label in labels]
    # matplotlib omits labels that start with an underscore; a leading blank prevents that.
    texts = [f" {text}" if text.startswith("_") else text for text in texts]
    axes.legend(handles, texts, loc="upper left", bbox_to_anchor=(1.01, 1.0), handlelength=3.6, labelspacing=0.9)


def save(figure: "Figure", path: Path) -> None:
    """Write a figure atomically; equal figures give equal bytes.

    Raises:
        OSError: writing failed.
    """
    content = io.BytesIO()
    form = path.suffix.lower().removeprefix(".")
    unstamped = {"Date": None} if form == "svg" else {"Software": None}
    figure.savefig(content, format=form, dpi=_PIXELS_AN_INCH, metadata=unstamped)
    write_whole(path, content.getvalue())


def check_plot(path: Path, num_methods: int) -> None:
    """Check a plot's file and size before any work.

    Raises:
        SettingError: the suffix is not `.png` or `.svg`, or there are no methods, or too many.
    """
    if path.suffix.lower() not in (".png", ".svg"):
        raise SettingError(f"plot file must end in .png or .svg, got {path.name}")
    if not 1 <= num_methods <= len(STYLES):
        raise SettingError(f"a plot must have 1 to {len(STYLES)} methods, got {num_methods}")


def plain(text: str, characters_a_line: int) -> str:
    """Text wrapped to moderate length, with dollar signs escaped from math mode."""
    return "\n".join(textwrap.wrap(one_line(text), characters_a_line)).replace("$", r"\$")


def _num_lines(text: str) -> int:
    return len(text.splitlines())
