"""Watch a video, print a caption for each clip, and answer a question from them.

python examples/watch_and_ask.py                             # a toy video, made first
python examples/watch_and_ask.py kitchen.mp4 "Who came in?" --model llava-hf/llava-onevision-qwen2-0.5b-ov-hf
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import keepsight


def toy_video(folder: Path) -> Path:
    """Ten minutes of the toy world, drawn in seconds; the bundled model knows nothing else."""
    path = folder / "toy.mp4"
    make = ["toyworld", "make", str(path), "--minutes", "10", "--seed", "3", "--json"]
    subprocess.run([sys.executable, "-m", "keepsight", *make], check=True, stdout=subprocess.DEVNULL)
    return path


def main() -> None:
    """Watch, then ask."""
    parser = argparse.ArgumentParser(description="Watch a video and ask about it.")
    parser.add_argument("video", type=Path, nargs="?", help="default: a toy video")
    parser.add_argument("question", nargs="?", default="Where is the yellow apple?")
    parser.add_argument("--model", default="tiny", help="bundled name, folder or Hugging Face id")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, keepsight.Watcher(keepsight.load_model(arguments.model)) as watcher:
        for moment in watcher.watch(arguments.video or toy_video(Path(folder))):
            print(moment.span, moment.caption, flush=True)
        answer = watcher.ask(arguments.question)
        print(f"\n{arguments.question} {answer.text}")
        for citation in answer.citations:
            print(f"  {citation.span} {citation.caption}")


if __name__ == "__main__":
    try:
        main()
    except keepsight.KeepsightError as error:
        sys.exit(str(error))
