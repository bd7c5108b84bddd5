"""The threat model in docs/serving.md: every promise names tests that there are."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
SERVING = TESTS.parent / "docs" / "serving.md"


def promises() -> list[list[str]]:
    """The cells of each row of the table."""
    section = SERVING.read_text(encoding="utf-8").partition("## Threat model\n")[2].partition("\n## ")[0]
    return [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")][2:]


def test_each_promise_names_tests_that_there_are() -> None:
    assert len(promises()) >= 12
    for promised, _, shown in promises():
        named = re.findall(r"`([\w/.]+\.py)`", shown)
        assert named, promised
        assert [name for name in named if not (TESTS / name).is_file()] == [], promised
