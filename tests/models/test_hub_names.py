"""Which names can be a model of the hub."""

import pytest
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HFValidationError

from keepsight.models.huggingface.names import HubName, closest_id, known_ids

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("name", "repo_id", "revision"),
    [
        ("owner/name", "owner/name", None),
        ("Owner-1/name_2.5", "Owner-1/name_2.5", None),
        ("owner/name@main", "owner/name", "main"),
        ("owner/name@refs/pr/7", "owner/name", "refs/pr/7"),
        ("owner/name@v1.0+cu", "owner/name", "v1.0+cu"),
        (f"owner/name@{COMMIT}", "owner/name", COMMIT),
    ],
)
def test_an_id_may_have_a_revision(name: str, repo_id: str, revision: str | None) -> None:
    parsed = HubName.parse(name)
    assert parsed == HubName(repo_id, revision)
    assert str(parsed) == name
    assert parsed.is_commit == (revision == COMMIT)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "name",
            "a/b/c",
            "/a/b",
            "./a",
            "../a",
            "~/a",
            "a/",
            "/a",
            "a b/c",
            "a/b c",
            "ä/b",
            "a/b\n",
            "-a/b",
            "a/b-",
        ),
        *("a/b--c", "a/b..c", "a/b.git", "a\\b", "a/" + "b" * 97, "a/b\x00", "a" * 5000, "tiny@main"),
    ],
)
def test_what_is_no_id_is_left_to_others(name: str) -> None:
    assert HubName.parse(name) is None


@pytest.mark.parametrize("name", ["a/b", "a/b--c", "a/b..c", "a/b.git", "a/.b", "a/b.", "_a/b_", "a/" + "b" * 96])
def test_ids_are_those_of_the_hubs_library(name: str) -> None:
    try:
        try_to_load_from_cache(name, "config.json")
    except HFValidationError:
        assert HubName.parse(name) is None
    else:
        assert HubName.parse(name) == HubName(name)


def test_the_closest_known_id_is_found_whatever_its_case() -> None:
    assert closest_id("opengvlab/internvl3-1b") == "OpenGVLab/InternVL3-1B-hf"
    assert closest_id("Qwen2.5-VL-7B-Instruct") == "Qwen/Qwen2.5-VL-7B-Instruct"
    assert closest_id("owner/of-something-else") is None
    assert all(closest_id(one) is None for one in known_ids())
