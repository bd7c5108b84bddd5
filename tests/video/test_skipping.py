"""What is left out before the decoder: against a model of coded video that knows what each picture needs."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepsight.video.accesspoints import starts_afresh
from keepsight.video.sampling import SampleGrid
from keepsight.video.skipping import PacketQueue
from tests.video.media import Recipe, steady_times, write_video

TIME_BASE = Fraction(1, 100)


@dataclass(frozen=True)
class Coded:
    """A coded picture: an instantaneous refresh, a reference or neither; `needs` are pictures to decode it."""

    pts: int | None
    dts: int | None
    is_afresh: bool = False
    is_reference: bool = True
    needs: tuple["Coded", ...] = field(default=(), repr=False)
    size: int = 1000
    is_discard: bool = False


@st.composite
def streams(draw: st.DrawFn) -> list[Coded]:
    """Groups of pictures with up to two non-reference ones before each reference, in decoding order.

    Decoding times run one reordering delay behind, as encoders write them.
    """
    shown_at = 0
    coded: list[Coded] = []
    latest: Coded | None = None
    for _ in range(draw(st.integers(1, 25))):
        num_between = draw(st.integers(0, 2))
        gaps = [draw(st.integers(1, 40)) for _ in range(num_between + 1)]
        times = [shown_at + sum(gaps[: n + 1]) for n in range(num_between + 1)]
        is_afresh = latest is None or (num_between == 0 and draw(st.integers(0, 4)) == 0)
        before = () if is_afresh or latest is None else (*latest.needs, latest)
        anchor = Coded(times[-1], None, is_afresh, True, before)
        coded.append(anchor)
        coded += [Coded(time, None, False, False, (*before, anchor)) for time in times[:-1]] if before else []
        latest, shown_at = anchor, times[-1]
    shown = sorted(picture.pts or 0 for picture in coded)
    delayed = [shown[0] - 2, shown[0] - 1, *shown]
    stamped: dict[int | None, Coded] = {}
    for picture, dts in zip(coded, delayed, strict=False):
        needs = tuple(stamped[need.pts] for need in picture.needs)
        stamped[picture.pts] = Coded(picture.pts, dts, picture.is_afresh, picture.is_reference, needs)
    return list(stamped.values())


def decode(queue: PacketQueue[Coded], packets: list[Coded], delay: int, grid: SampleGrid) -> list[Coded]:
    """A decoder that gives pictures in order of time and fails if a needed one was left out."""
    decoded: dict[int | None, Coded] = {}
    arrived: list[Coded] = []
    for number, packet in enumerate([*packets, None]):
        if number == delay:
            queue.begin(grid, Fraction(packets[0].pts or 0))
        for order in queue.flush() if packet is None else queue.push(packet):
            arrived.append(order.packet)
            if order.may_skip and not order.packet.is_reference:
                continue
            assert all(need.pts in decoded for need in order.packet.needs)
            decoded[order.packet.pts] = order.packet
    assert arrived == [packet for packet in packets if packet in arrived]
    return sorted(decoded.values(), key=lambda picture: picture.pts or 0)


def on_screen_times(pictures: list[Coded], grid: SampleGrid) -> list[int | None]:
    origin, end = pictures[0].pts or 0, pictures[-1].pts or 0
    index, result = grid.first_index, []
    while (limit := origin + grid.instant(index) / TIME_BASE) <= end:
        result.append([picture.pts for picture in pictures if (picture.pts or 0) <= limit][-1])
        index += 1
    return result


@given(
    packets=streams(),
    sample_fps=st.sampled_from([0.3, 1.0, 2.0, 10.0]),
    start_seconds=st.sampled_from([0.0, 0.0, 3.0]),
    delay=st.integers(1, 6),
)
def test_what_is_shown_stays_the_same_and_can_be_decoded(
    packets: list[Coded], sample_fps: float, start_seconds: float, delay: int
) -> None:
    grid = SampleGrid(sample_fps, start_seconds)
    queue = PacketQueue[Coded](TIME_BASE, lambda packet: packet.is_afresh)
    kept = decode(queue, packets, min(delay, len(packets)), grid)
    whole = sorted(packets, key=lambda picture: picture.pts or 0)
    assert kept[-1] == whole[-1]
    assert on_screen_times(kept, grid) == on_screen_times(whole, grid)


def groups(num_groups: int, group: int, units: int = 4) -> list[Coded]:
    return [Coded(n * units, n * units, n % group == 0) for n in range(num_groups * group)]


def count_handed_on(packets: list[Coded], sample_fps: float) -> int:
    queue = PacketQueue[Coded](TIME_BASE, lambda packet: packet.is_afresh)
    queue.begin(SampleGrid(sample_fps), Fraction(0))
    handed = [order for packet in packets for order in queue.push(packet)]
    return len(handed) + len(list(queue.flush()))


def test_a_sample_at_each_group_costs_its_first_picture_only() -> None:
    assert count_handed_on(groups(20, 50), 0.5) == 19 + 50


def test_two_samples_a_group_cost_half_of_it() -> None:
    assert count_handed_on(groups(20, 50), 1.0) == 19 * 26 + 50


@pytest.mark.parametrize(
    "odd",
    [
        Coded(None, 404),
        Coded(404, None),
        Coded(300, 404),
        Coded(404, 380),
        Coded(396, 404),
    ],
)
def test_odd_timestamps_let_everything_through_from_there(odd: Coded) -> None:
    queue = PacketQueue[Coded](TIME_BASE, lambda packet: packet.is_afresh)
    queue.begin(SampleGrid(0.5), Fraction(0))
    before = [order for packet in groups(2, 50)[:101] for order in queue.push(packet)]
    assert len(before) < 60
    waiting = list(queue.push(odd))
    assert waiting[-1].packet is odd
    assert [order.may_skip for order in waiting] == [False] * len(waiting)
    later = [Coded(n, n, n % 200 == 0) for n in range(5000, 6000, 4)]
    assert [order.packet for packet in later for order in queue.push(packet)] == later


@pytest.mark.parametrize("leap", [1000, 36_000_000, 2**40])
def test_a_leap_forward_is_real_time_and_costs_nothing(leap: int) -> None:
    queue = PacketQueue[Coded](TIME_BASE, lambda packet: packet.is_afresh)
    queue.begin(SampleGrid(0.5), Fraction(0))
    packets = groups(2, 50) + [Coded(leap + n, leap + n, n % 200 == 0) for n in range(400, 1600, 4)]
    handed = [order for packet in packets for order in queue.push(packet)]
    assert len(handed) < 100
    assert max(order.packet.pts or 0 for order in handed) > leap


def test_the_queue_is_bounded_in_packets_and_bytes() -> None:
    endless = [Coded(4 * n, 4 * n, n == 0) for n in range(5000)]
    queue = PacketQueue[Coded](TIME_BASE, lambda packet: packet.is_afresh)
    queue.begin(SampleGrid(0.0001), Fraction(0))
    num_handed = 0
    for number, packet in enumerate(endless):
        num_handed += len(list(queue.push(packet)))
        assert number + 1 - num_handed <= 1024
    heavy = PacketQueue[Coded](TIME_BASE, lambda packet: packet.is_afresh)
    heavy.begin(SampleGrid(0.0001), Fraction(0))
    handed = [order for n in range(20) for order in heavy.push(Coded(4 * n, 4 * n, n == 0, size=2**20))]
    assert len(handed) >= 17


@pytest.mark.parametrize("suffix", ["mp4", "ts"])
@pytest.mark.parametrize(
    ("recipe", "has_more"),
    [
        (Recipe(options={"g": "10", "bf": "2", "x264-params": "scenecut=0"}), True),
        (Recipe(options={"g": "10", "bf": "2", "x264-params": "scenecut=0:open-gop=1"}), False),
        (Recipe("libx265", options={"x265-params": "keyint=10:bframes=2:scenecut=0:open-gop=0:log-level=none"}), True),
        (Recipe("libx265", options={"x265-params": "keyint=10:bframes=2:scenecut=0:open-gop=1:log-level=none"}), False),
    ],
)
def test_only_closed_groups_start_afresh(tmp_path: Path, suffix: str, recipe: Recipe, has_more: bool) -> None:
    path = write_video(tmp_path / f"groups.{suffix}", steady_times(60), recipe)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        packets = [packet for packet in container.demux(stream) if packet.size]
        afresh = [
            starts_afresh(context.codec.canonical_name, context.extradata, bytes(packet))
            for packet in packets
            if packet.is_keyframe
        ]
        others = [
            starts_afresh(context.codec.canonical_name, context.extradata, bytes(packet))
            for packet in packets
            if not packet.is_keyframe
        ]
    assert len(afresh) >= 5
    assert afresh[0]
    assert all(afresh) if has_more else not any(afresh[1:])
    assert not any(others)


@given(
    st.binary(max_size=60),
    st.sampled_from(["h264", "hevc", "vp9"]),
    st.sampled_from([None, b"", b"\1", bytes([1] * 30)]),
)
def test_no_bytes_break_the_look_for_access_points(packet: bytes, codec: str, extradata: bytes | None) -> None:
    assert starts_afresh(codec, extradata, packet) in (True, False)
