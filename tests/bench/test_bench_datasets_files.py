"""Finding videos, reading fields, clocks and letters: what all loaders are made of."""

import math
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepsight.bench.datasets.annotation import Annotation, annotation
from keepsight.bench.datasets.choices import index_within, letter_index, without_letters
from keepsight.bench.datasets.folder import VIDEO_SUFFIXES, DataFolder, VideoFolder, read_csv, read_json, read_lines
from keepsight.errors import DataError
from keepsight.spans import Span


def field(value: object) -> Annotation:
    return Annotation({"x": value}, "item 3 of a.json")


def folder_with(path: Path, *names: str) -> VideoFolder:
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).touch()
    return VideoFolder(path, VIDEO_SUFFIXES, "a folder holds videos")


# Clocks


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59), st.booleans())
def test_clock_with_hours(hours: int, minutes: int, seconds: int, padded: bool) -> None:
    written = f"{hours:02d}:{minutes:02d}:{seconds:02d}" if padded else f"{hours}:{minutes}:{seconds}"
    assert field(written).clock_seconds("x") == hours * 3600 + minutes * 60 + seconds


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("07:40", 460), ("40", 40), ("0:00:31.5", 31.5), (" 00:00:31 ", 31), (12, 12), (1.25, 1.25)],
)
def test_other_clocks(written: object, seconds: float) -> None:
    assert field(written).clock_seconds("x") == seconds


@pytest.mark.parametrize("written", ["", "now", "1:2:3:4", "1::3", "-0:10", "0:10:", ":10", "1h", "٣x"])
def test_no_clock(written: str) -> None:
    with pytest.raises(DataError, match=r"'x' of item 3 of a.json must be a time such as 0:07:40, got"):
        field(written).clock_seconds("x")


# Fields


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53))
def test_numbers_and_numbers_written_as_text(number: float) -> None:
    assert field(number).number("x") == number
    assert field(repr(number)).number("x") == number


@pytest.mark.parametrize("value", [True, "", "one", [1], {}, math.nan, math.inf, "inf", 10**400, "1e999"])
def test_no_number(value: object) -> None:
    with pytest.raises(DataError, match=r"'x' of item 3 of a.json must be a number, got"):
        field(value).number("x")


def test_whole_numbers() -> None:
    assert [field(value).whole("x") for value in (3, 3.0, "3", -1)] == [3, 3, 3, -1]
    with pytest.raises(DataError, match=r"must be a whole number, got '2\.5'"):
        field(2.5).whole("x")


def test_texts() -> None:
    assert [field(value).text("x") for value in (" a b ", 7, 2.5, "")] == ["a b", "7", "2.5", ""]
    assert field(["a", 1]).texts("x") == ("a", "1")
    wrongs: tuple[object, ...] = (True, [], {})
    for wrong in wrongs:
        with pytest.raises(DataError, match="must be a string, got"):
            field(wrong).text("x")
    with pytest.raises(DataError, match="must be a list, got 'abc'"):
        field("abc").texts("x")


@pytest.mark.parametrize("read", ["text", "texts", "number", "whole", "clock_seconds", "inner", "spans"])
def test_missing_field(read: str) -> None:
    for absent in (Annotation({}, "item 3 of a.json"), field(None)):
        assert not absent.has("x")
        with pytest.raises(DataError, match=r"^item 3 of a\.json has no field 'x'$"):
            getattr(absent, read)("x")


def test_objects_inside_say_where_they_are() -> None:
    inner = field([{"y": 1}, {}]).objects("x", "turn")
    assert inner[0].whole("y") == 1
    with pytest.raises(DataError, match=r"^turn 1 of item 3 of a\.json has no field 'y'$"):
        inner[1].whole("y")
    with pytest.raises(DataError, match=r"^'x' in item 3 of a\.json must be an object with named fields, got '7'$"):
        field(7).inner("x")
    with pytest.raises(DataError, match=r"^film must be an object"):
        annotation([], "film")


def test_long_values_are_cut_in_errors() -> None:
    with pytest.raises(DataError) as caught:
        field("long " * 1000).number("x")
    assert len(str(caught.value)) < 200


pairs_of_numbers = st.tuples(st.floats(-10, 10), st.floats(-10, 10))


@given(st.lists(pairs_of_numbers))
def test_spans_that_do_not_run_forward_are_left_out(pairs: list[tuple[float, float]]) -> None:
    valid = [Span(start, end) for start, end in pairs if start >= 0 and end >= start]
    assert field([list(pair) for pair in pairs]).spans("x") == tuple(valid)
    for start, end in pairs:
        alone = Annotation({"s": start, "e": end}, "item").span("s", "e")
        assert alone == ((Span(start, end),) if 0 <= start <= end else ())


@pytest.mark.parametrize("wrong", [[1, 2], [[1]], [[1, 2, 3]], [["a", 2]], "1-2"])
def test_no_spans(wrong: object) -> None:
    with pytest.raises(DataError, match=r"'x' of item 3 of a.json must be"):
        field(wrong).spans("x")


# Letters


@pytest.mark.parametrize(
    ("written", "index"), [("A", 0), ("d", 3), (" B ", 1), ("C.", 2), ("D) red", 3), ("A. a car", 0), ("B:", 1)]
)
def test_letters(written: str, index: int) -> None:
    assert letter_index(field(written), "x", 4) == index


@pytest.mark.parametrize("written", ["E", "", "1", "Because", "Ä", "-", "option A"])
def test_no_letter(written: str) -> None:
    with pytest.raises(DataError, match=r"'x' of item 3 of a.json must be one of the first 4 letters, got"):
        letter_index(field(written), "x", 4)


@pytest.mark.parametrize("wrong", [-1, 4, 0.5, "A"])
def test_no_index(wrong: object) -> None:
    with pytest.raises(DataError):
        index_within(field(wrong), "x", 4)


plain = st.text("xyz,. 12", min_size=1).map(str.strip).filter(bool).filter(lambda text: text[0] not in ".):")


@given(st.lists(plain, min_size=1, max_size=8), st.sampled_from([". ", ".", ") ", ": ", " . "]))
def test_letters_are_taken_off_and_nothing_else(choices: list[str], mark: str) -> None:
    lettered = tuple("ABCDEFGH"[index] + mark + choice for index, choice in enumerate(choices))
    assert without_letters(lettered) == tuple(choices)
    assert without_letters(tuple(choices)) == tuple(choices)


@pytest.mark.parametrize(
    "choices", [("A. Smith", "Jones"), ("B. one", "A. two"), ("A.", "B."), ("Apple", "Banana"), ("2.", "6."), ()]
)
def test_choices_that_only_look_lettered(choices: tuple[str, ...]) -> None:
    assert without_letters(choices) == choices


# Videos


@pytest.mark.parametrize(
    "written",
    [
        "clips/a.mp4",
        "/mnt/disk/Ego4D/clips/a.mp4",
        "./clips/a.mp4",
        "D:\\data\\clips\\a.mp4",
        "clips/a",
        "clips/a.avi",
        "clips/a.MP4",
        "../../clips/a.mp4",
    ],
)
def test_a_video_is_found_under_the_last_parts_of_its_published_path(written: str, tmp_path: Path) -> None:
    videos = folder_with(tmp_path, "clips/a.mp4", "a.mp4", "other/a.mp4")
    assert videos.find(written) == tmp_path / "clips/a.mp4"


@given(st.lists(st.sampled_from(["a", "b", "c.d"]), min_size=1, max_size=4), st.sets(st.integers(0, 3)))
def test_the_longest_path_that_is_there_wins(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], kept: set[int]
) -> None:
    """Against the definition: of all endings of the path, the longest that exists."""
    folder = tmp_path_factory.mktemp("videos")
    endings = [str(PurePosixPath(*parts[start:])) + ".mp4" for start in range(len(parts))]
    there = [ending for start, ending in enumerate(endings) if start in kept]
    videos = folder_with(folder, *there)
    longest = max(there, key=len, default=None)
    assert videos.find("/root/" + endings[0]) == (folder / longest if longest else None)


def test_endings_and_dots(tmp_path: Path) -> None:
    videos = folder_with(tmp_path, "take.2.mkv", "b.webm", "b.mp4", "-x_9.mp4")
    assert videos.find("take.2") == tmp_path / "take.2.mkv"
    assert videos.find("take.2.mp4") == tmp_path / "take.2.mkv"
    assert videos.find("b") == tmp_path / "b.mp4"
    assert videos.find("b.webm") == tmp_path / "b.webm"
    assert videos.find("-x_9") == tmp_path / "-x_9.mp4"


@pytest.mark.parametrize("written", ["", "/", "..", "none.mp4", "x" * 5000, "a\0b", "clips"])
def test_no_video(written: str, tmp_path: Path) -> None:
    assert folder_with(tmp_path, "clips/a.mp4").find(written) is None


def test_a_path_never_leads_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.mp4").touch()
    videos = folder_with(tmp_path / "inside", "a.mp4")
    assert videos.find("../secret.mp4") is None
    assert videos.find(str(tmp_path / "secret.mp4")) is None


def test_missing_videos_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    videos = folder_with(tmp_path, "a.mp4")
    with pytest.raises(DataError) as caught:
        videos.find_all(["a.mp4", "p/b.mp4", "c.mp4"])
    assert str(caught.value) == f"2 of 3 videos are missing from {tmp_path}, first 'p/b.mp4'; a folder holds videos"


def test_two_videos_that_lead_to_one_file(tmp_path: Path) -> None:
    videos = folder_with(tmp_path, "a.mp4")
    assert len(videos.find_all(["a.mp4", "./a.mp4"])) == 2, "the same video, written in two ways"
    with pytest.raises(DataError, match=r"'p/a.mp4' and 'q/a.mp4' must be different videos, got .*a.mp4 for both"):
        videos.find_all(["p/a.mp4", "q/a.mp4"])


def test_first_file_and_folder_that_are_there(tmp_path: Path) -> None:
    folder_with(tmp_path, "new.json", "old.json", "clips/a.mp4")
    home = DataFolder(tmp_path, "a folder holds this")
    assert home.file("none.json", "new.json", "old.json") == tmp_path / "new.json"
    assert home.subfolder("new.json", "clips") == tmp_path / "clips"
    with pytest.raises(DataError, match="has no clips or none; a folder holds this"):
        home.file("clips", "none")


# Files


@pytest.mark.parametrize(
    "read",
    [read_json, lambda path: read_lines(path, "row"), lambda path: read_csv(path, ["a"], "row")],
    ids=["json", "lines", "csv"],
)
def test_a_file_that_cannot_be_read(read: Callable[[Path], object], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*none"):
        read(tmp_path / "none")
    with pytest.raises(DataError, match="cannot read"):
        read(tmp_path)
    (tmp_path / "latin").write_bytes("a\né\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"latin must be UTF-8 text: .* position 2"):
        read(tmp_path / "latin")


def test_lines_within_quotes_of_csv_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'a,b\r\n1,"two\r\nthree\nfour"\r\n')
    assert [row.fields for row in read_csv(path, ["a"], "row")] == [{"a": "1", "b": "two\r\nthree\nfour"}]


def test_byte_order_marks_are_read_over(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("\ufeff[1]", encoding="utf-8")
    assert read_json(path) == [1]
    path.write_text("\ufeffa,b\n1,é\n", encoding="utf-8")
    assert read_csv(path, ["a", "b"], "row")[0].text("b") == "é"


def test_csv_without_rows_and_with_an_open_quote(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n")
    with pytest.raises(DataError, match=r"a.csv has no rows below its header"):
        read_csv(path, ["a"], "row")
    path.write_text('a,b\n1,"two')
    with pytest.raises(DataError, match=r"a.csv must be CSV"):
        read_csv(path, ["a"], "row")
