"""Malformed and odd media files, made on the spot, each with what reading it should give.

python -m tests.hostile.corpus FOLDER    # write them all, and print the table of docs/hostile-input.md
"""

import argparse
import sys
from pathlib import Path

from keepsight.incoming import one_line
from tests.hostile import corpus_broken, corpus_codecs, corpus_odd, corpus_posing
from tests.hostile.outcomes import Sample


def samples() -> list[Sample]:
    """All files of the corpus."""
    return [*corpus_odd.samples(), *corpus_codecs.samples(), *corpus_broken.samples(), *corpus_posing.samples()]


def write_corpus(folder: Path) -> list[tuple[Sample, Path]]:
    """Write all files; a folder that holds some of them already is not written to again."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for sample in samples():
        path = folder / sample.name
        sample.make(path)
        written.append((sample, path))
    return written


def table(found: list[Sample]) -> list[str]:
    """The corpus as a Markdown table."""
    rows = [(one_line(s.name)[:40].replace("|", "\\|"), s.what.replace("|", "\\|"), str(s.expected)) for s in found]
    lines = [("file", "what it is", "what comes of it"), ("---", "---", "---"), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def main() -> None:
    """Write the corpus, and print its table."""
    parser = argparse.ArgumentParser(description="Write the corpus of malformed and odd files.")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    sys.stdout.write("\n".join(table([sample for sample, _ in write_corpus(options.folder)])) + "\n")


if __name__ == "__main__":
    main()
