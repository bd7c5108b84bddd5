"""CPU time of sampling a video, against the ffmpeg program doing the same.

    python -m benchmarks.decode [--minutes 2] [--file FILE]
    python -m benchmarks.decode --quick     # a few seconds of video, to see that it runs; no bar is held

Both read the same file, take a picture every so often and convert it to RGB of full size, each in a process of its
own; what is counted is user plus system time of the whole process, interpreter and imports included in ours, since
wall time depends on what else the machine does. The ffmpeg program runs as a user would run it (`-vf fps=N`, its own
choice of threads) with audio off and the raw pictures thrown away.

Without `--file` the video is made on the spot: test pattern with noise, 1280x720, 25 pictures a second, H.264 with a
key frame every 2 s, once with key frames on the sampled instants and once beside them.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rig.machine import heading, table
from benchmarks.rig.ratios import Ratio, add_ratios_option, write_ratios

BAR = 1.1
RATES_FPS = (0.5, 1.0)
_GROUP_SECONDS = 2

_OURS = """
import sys
from keepsight.video import open_video
with open_video(sys.argv[1]) as video:
    print(sum(1 for _ in video.sampled_frames(float(sys.argv[2]))))
"""


@dataclass(frozen=True)
class Measured:
    """One way of sampling a file: CPU seconds of its process and what it printed."""

    cpu_seconds: float
    output: bytes


def measure(command: Sequence[str]) -> Measured:
    """Run a command and count the CPU time of its process and threads.

    Raises:
        subprocess.CalledProcessError: it fails.
    """
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        output.seek(0)
        return Measured(usage.ru_utime + usage.ru_stime, output.read())


def make_video(path: Path, seconds: int, *, first_group_pictures: int) -> Path:
    """A noisy test pattern whose first group of pictures may be shorter than the others."""
    source = f"testsrc2=size=1280x720:rate=25:duration={seconds},noise=alls=8:allf=t"
    frames = range(first_group_pictures, seconds * 25, _GROUP_SECONDS * 25)
    forced = ",".join(f"{number / 25:.2f}" for number in frames)
    groups = ["-g", "250", "-sc_threshold", "0", "-force_key_frames", forced]
    coding = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "28", "-pix_fmt", "yuv420p", *groups]
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source, *coding, str(path)]
    subprocess.run(command, check=True)
    return path


def compare(path: Path, sample_fps: float) -> tuple[list[str], float]:
    """Sample a file both ways: cells of the table, and our CPU time as a part of the ffmpeg program's."""
    ours = measure([sys.executable, "-c", _OURS, str(path), str(sample_fps)])
    sampling = ["-an", "-vf", f"fps={sample_fps}", "-pix_fmt", "rgb24", "-f", "rawvideo", "-y", os.devnull]
    theirs = measure(["ffmpeg", "-v", "error", "-nostdin", "-i", str(path), *sampling])
    ratio = ours.cpu_seconds / theirs.cpu_seconds
    times = [f"{ours.cpu_seconds:.2f}", f"{theirs.cpu_seconds:.2f}", f"{ratio:.2f}"]
    return [f"{sample_fps}", f"{int(ours.output)}", *times], ratio


def main() -> int:
    """Make or take the videos, compare at each rate, and fail above the bar."""
    parser = argparse.ArgumentParser(description="CPU time of sampled decoding, ours against the ffmpeg program.")
    parser.add_argument("--minutes", type=float, default=2.0, help="length of the video that is made (default: 2)")
    parser.add_argument("--file", type=Path, help="sample this file instead")
    parser.add_argument("--quick", action="store_true", help="a few seconds of video, and no bar")
    add_ratios_option(parser)
    arguments = parser.parse_args()
    if shutil.which("ffmpeg") is None:
        print("the ffmpeg program is needed (Debian: apt install ffmpeg)", file=sys.stderr)
        return 2
    rows: list[list[str]] = []
    ratios: list[Ratio] = []
    with tempfile.TemporaryDirectory() as folder:
        videos = {str(arguments.file): arguments.file} if arguments.file else {}
        if not videos:
            seconds = 8 if arguments.quick else max(4, round(arguments.minutes * 60))
            for label, offset in (("on sampled instants", 50), ("beside them", 17)):
                videos[label] = make_video(Path(folder) / f"{offset}.mp4", seconds, first_group_pictures=offset)
        for label, path in videos.items():
            for sample_fps in RATES_FPS:
                cells, ratio = compare(path, sample_fps)
                rows.append([label, *cells])
                ratios.append(Ratio(f"Keepsight / ffmpeg, key frames {label}, {sample_fps} fps", (ratio,)))
    write_ratios(arguments.ratios, ratios)
    worst = max(value for ratio in ratios for value in ratio.values)
    note = f"CPU seconds of whole processes; worst ratio {worst:.2f}, bar {BAR}."
    columns = ("key frames", "samples a second", "pictures", "Keepsight", "ffmpeg", "ratio")
    print("\n".join([*heading("cpu", note), *table(columns, rows)]))
    return 0 if arguments.quick or worst <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
