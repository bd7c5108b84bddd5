"""A journal keeps which model watched, where it lies, and in which format it ran, for `ask`, `mcp` and `serve`."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from keepsight.asking.candidates import JournalCaptions
from keepsight.cli.remembered import FoundModel, ModelChoice, model_for, pinned_model, served_model
from keepsight.cli.settings import SERVE
from keepsight.errors import SettingError, UnknownModelError
from keepsight.journal import Journal, StreamRecord
from keepsight.models import loading
from keepsight.models.naming import fingerprint_of, identity_of, pinned
from keepsight.models.text_only.model import TextModel
from keepsight.schema.sources import load_settings
from tests.cli.ended import Keepsight, MakeVideo
from tests.models.random_model import RandomShape, write_random_model

COMMIT = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
HUB = "llava-hf/llava-onevision-qwen2-0.5b-ov-hf"
WATCH = ("--model", "models/small", "--sample-fps", 2, "--journal")


@pytest.fixture
def loaded(keepsight: Keepsight, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What models are really loaded with, in order."""
    seen: list[dict[str, object]] = []
    load_really = loading.load_model

    def load(name: str, **options: object) -> object:
        model = load_really(name, **options)  # type: ignore[arg-type]
        seen.append({"checkpoint": model.info.checkpoint, "dtype": model.info.dtype, "bits": model.info.quantization})
        return model

    def load_text_model(cls: type[TextModel], name: str, folder: Path) -> TextModel:
        model = load_text_really(name, folder)
        seen.append({"checkpoint": model.info.identity.checkpoint, "dtype": model.info.dtype, "bits": None})
        return model

    load_text_really = TextModel.load
    monkeypatch.setattr(loading, "load_model", load)
    monkeypatch.setattr(TextModel, "load", classmethod(load_text_model))
    return seen


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object, **__: object) -> None:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr("keepsight.models.huggingface.snapshot.find_snapshot", asked)


@pytest.fixture
def watched(keepsight: Keepsight, make_video: MakeVideo, tmp_path: Path, loaded: list[dict[str, object]]) -> Path:
    """A journal of a relative folder's model, watched in bfloat16."""
    write_random_model(tmp_path / "models" / "small")
    ended = keepsight("watch", make_video(seconds=8), *WATCH, "a.db", "--dtype", "bfloat16")
    assert (ended.code, len(ended.of("clip"))) == (0, 1)
    loaded.clear()
    return tmp_path / "a.db"


@contextmanager
def changed(journal: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(journal, isolation_level=None)) as connection:
        yield connection


def newest(journal: Path) -> StreamRecord:
    with Journal.open(journal, read_only=True) as opened:
        stream = opened.streams.latest()
    assert stream is not None
    return stream


def test_a_question_from_another_folder_finds_the_model_and_its_format(
    keepsight: Keepsight, watched: Path, loaded: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch, no_hub: None
) -> None:
    (watched.parent / "elsewhere").mkdir()
    monkeypatch.chdir(watched.parent / "elsewhere")
    assert keepsight("ask", watched, "Where is the dog?").code == 0
    assert keepsight("ask", watched, "Where is the dog?", "--dtype", "float32").code == 0
    small = str(watched.parent / "models" / "small")
    assert loaded == [
        {"checkpoint": small, "dtype": "bfloat16", "bits": None},
        {"checkpoint": small, "dtype": "float32", "bits": None},
    ]


def test_another_model_runs_in_its_own_format(
    keepsight: Keepsight, watched: Path, loaded: list[dict[str, object]]
) -> None:
    assert keepsight("ask", watched, "Where is the dog?", "--model", "tiny").code == 0
    assert loaded == [{"checkpoint": "tiny", "dtype": "float32", "bits": None}]


def test_a_folder_of_the_same_relative_name_is_another_model(
    keepsight: Keepsight, watched: Path, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its captions would join the memory of the first without a word otherwise."""
    other = watched.parent / "other"
    write_random_model(other / "models" / "small", RandomShape(seed=5))
    monkeypatch.chdir(other)
    first = newest(watched).id
    ended = keepsight("watch", make_video(seconds=8), *WATCH, watched)
    small = watched.parent / "models" / "small"
    (note,) = ended.of("note")
    assert note["text"].endswith(f"was watched with the model {small} as stream {first}: watching it as a new stream")
    version = newest(watched).version
    assert version is not None
    assert (version.checkpoint, version.dtype) == (str(other / "models" / "small"), "float32")


def test_the_same_folder_by_another_path_is_the_same_model(
    keepsight: Keepsight, watched: Path, make_video: MakeVideo, loaded: list[dict[str, object]]
) -> None:
    absolute = watched.parent / "models" / "small"
    ended = keepsight(
        "watch", make_video(seconds=8), "--model", absolute, "--sample-fps", 2, "--journal", watched, "--ask", "Where?"
    )
    assert (ended.code, ended.of("clip"), ended.err) == (0, [], "")
    with Journal.open(watched) as journal:
        assert len(journal.streams.all()) == 1


def test_a_stream_that_is_resumed_in_another_format_keeps_the_new_one(
    keepsight: Keepsight, watched: Path, make_video: MakeVideo
) -> None:
    with changed(watched) as connection:
        connection.execute("UPDATE streams SET end_reason = NULL, end_seconds = NULL")
    before = newest(watched).version
    assert before is not None
    ended = keepsight("watch", make_video(seconds=8), *WATCH, watched, "--dtype", "float32")
    assert newest(watched).version == replace(before, dtype="float32")
    (note,) = ended.of("note")
    assert note["text"].endswith("was watched in bfloat16, now in float32")


def test_a_folder_that_is_gone_is_said(keepsight: Keepsight, watched: Path, no_hub: None) -> None:
    small = watched.parent / "models" / "small"
    small.rename(small.with_name("moved"))
    ended = keepsight("ask", watched, "Where is the dog?")
    assert (ended.code, ended.out) == (2, "")
    assert ended.complaint == (
        f"the stream was watched with the model folder {small}, which is not there now; give its place with --model"
    )
    assert keepsight("ask", watched, "Where is the dog?", "--model", small.with_name("moved")).code == 0


def test_a_relative_folder_of_an_older_journal_is_not_asked_from_the_hub(
    keepsight: Keepsight, watched: Path, monkeypatch: pytest.MonkeyPatch, no_hub: None
) -> None:
    with changed(watched) as connection:
        connection.execute("UPDATE streams SET checkpoint = NULL, dtype = NULL")
    assert keepsight("ask", watched, "Where is the dog?").code == 0  # from where it was watched
    (watched.parent / "elsewhere").mkdir()
    monkeypatch.chdir(watched.parent / "elsewhere")
    ended = keepsight("ask", watched, "Where is the dog?")
    assert ended.code == 2
    assert ended.complaint == (
        "the stream was watched with the model models/small, which is not in this folder; "
        "give its folder or Hugging Face id with --model"
    )


def test_quantization_is_remembered_and_can_be_taken_back(
    keepsight: Keepsight, watched: Path, loaded: list[dict[str, object]]
) -> None:
    with changed(watched) as connection:
        connection.execute("UPDATE streams SET quantization = 'int8', dtype = 'float32'")
    for flags in ((), ("--quantization", "none")):
        assert keepsight("ask", watched, "Where is the dog?", *flags).code == 0
    assert [(one["bits"], one["dtype"]) for one in loaded] == [
        ("int8", "float32"),
        (None, "float32"),
    ]


def test_a_quantization_that_is_none_is_refused(keepsight: Keepsight, watched: Path) -> None:
    ended = keepsight("ask", watched, "Where is the dog?", "--quantization", "int3")
    assert ended.code == 2
    assert ended.complaint == "--quantization must be one of int8, int4, none, got 'int3'; did you mean int8?"


def test_float16_of_a_gpu_is_not_taken_up_on_a_cpu(watched: Path) -> None:
    with changed(watched) as connection:
        connection.execute("UPDATE streams SET dtype = 'float16'")
    assert model_for(newest(watched), ModelChoice(device="cpu")).dtype is None
    assert model_for(newest(watched), ModelChoice(device="cpu", dtype="float16")).dtype == "float16"


def test_a_server_takes_the_model_of_its_journal(watched: Path, tmp_path: Path) -> None:
    small = str(tmp_path / "models" / "small")
    assert served_model(watched, load_settings(SERVE, {})) == FoundModel(small, None, "bfloat16", None)
    told = load_settings(SERVE, {"dtype": "float32", "compile": True})
    assert served_model(watched, told) == FoundModel(small, None, "float32", None, compile_passes=True)
    assert served_model(watched, load_settings(SERVE, {"model": "tiny"})) == FoundModel("tiny", None, None, None)
    assert served_model(tmp_path / "new.db", load_settings(SERVE, {})) == FoundModel("tiny", None, None, None)


def test_a_server_can_be_told_not_to_round(watched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with changed(watched) as connection:
        connection.execute("UPDATE streams SET quantization = 'int8'")
    assert served_model(watched, load_settings(SERVE, {})).quantization == "int8"
    monkeypatch.setenv("KEEPSIGHT_QUANTIZATION", "none")
    assert served_model(watched, load_settings(SERVE, {})).quantization is None


def test_a_hub_id_means_the_commit_it_was_used_with(watched: Path) -> None:
    with changed(watched) as connection:
        connection.execute("UPDATE streams SET model = ?, checkpoint = ?", (HUB, f"{HUB}@{COMMIT}"))
    assert model_for(newest(watched), ModelChoice(device="cpu")).model == f"{HUB}@{COMMIT}"
    assert model_for(newest(watched), ModelChoice(model=HUB)) == FoundModel(f"{HUB}@{COMMIT}", None, "bfloat16", None)
    assert model_for(newest(watched), ModelChoice(model=f"{HUB}@main")) == FoundModel(f"{HUB}@main", None, None, None)
    assert pinned_model(watched, HUB) == f"{HUB}@{COMMIT}"
    assert pinned_model(watched.with_name("new.db"), HUB) == HUB
    assert identity_of(f"{HUB}@{COMMIT}").checkpoint == f"{HUB}@{COMMIT}"


def test_only_hub_ids_get_a_commit(tmp_path: Path) -> None:
    assert pinned("tiny", [f"tiny@{COMMIT}"]) == "tiny"
    assert pinned("/models/x", [f"/models/x@{COMMIT}"]) == "/models/x"  # a folder whose name has such an ending
    assert pinned(HUB, [f"other/model@{COMMIT}"]) == HUB
    assert pinned(HUB, [f"{HUB}@main"]) == HUB


def test_a_choice_is_checked_before_the_journal_is_read() -> None:
    with pytest.raises(SettingError, match="must be one of int8, int4, none, got ''"):
        ModelChoice(quantization="")


def test_an_older_hub_id_is_used_if_it_is_cached(
    watched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with changed(watched) as connection:
        connection.execute("UPDATE streams SET model = ?, checkpoint = NULL", (HUB,))
    with pytest.raises(UnknownModelError, match=f"the model {HUB}, which is not in this folder"):
        model_for(newest(watched), ModelChoice())
    snapshot = tmp_path / "cache" / f"models--{HUB.replace('/', '--')}"
    (snapshot / "snapshots" / COMMIT).mkdir(parents=True)
    (snapshot / "refs").mkdir()
    (snapshot / "refs" / "main").write_text(COMMIT)
    (snapshot / "snapshots" / COMMIT / "config.json").write_text("{}")
    monkeypatch.setattr("huggingface_hub.file_download.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    assert model_for(newest(watched), ModelChoice()).model == HUB


@pytest.mark.parametrize("way", ["moved", "link", "dots"])
def test_the_same_weights_elsewhere_are_the_same_model(
    keepsight: Keepsight, watched: Path, make_video: MakeVideo, loaded: list[dict[str, object]], way: str
) -> None:
    small = watched.parent / "models" / "small"
    place = {"moved": small.with_name("moved"), "link": small.with_name("link"), "dots": small / ".." / "small"}[way]
    if way == "moved":
        small.rename(place)
    elif way == "link":
        place.symlink_to(small)
    assert keepsight("ask", watched, "Where is the dog?", "--model", place).code == 0
    assert [(one["checkpoint"], one["dtype"]) for one in loaded] == [(str(place.resolve()), "bfloat16")]
    ended = keepsight("watch", make_video(seconds=8), "--model", place, "--sample-fps", 2, "--journal", watched)
    assert (ended.of("clip"), ended.of("note")) == ([], [])


def test_other_weights_in_the_same_folder_are_another_model(
    keepsight: Keepsight, watched: Path, make_video: MakeVideo, loaded: list[dict[str, object]]
) -> None:
    """Memory and captions of two models would be mixed, and embeddings of one compared with those of the other."""
    small = watched.parent / "models" / "small"
    stream = newest(watched)
    shutil.rmtree(small)
    write_random_model(small, RandomShape(seed=5))
    ended = keepsight("ask", watched, "Where is the dog?")
    assert ended.complaint == f"{small} has other weights now than those that watched the stream; answering with them"
    assert loaded == [{"checkpoint": str(small), "dtype": "float32", "bits": None}]
    model = loading.load_model(small)
    with Journal.open(watched) as journal:
        candidates = JournalCaptions(journal, stream, None).candidates(model)
        first = journal.clips.get(stream.id, 0)
    assert first is not None
    assert candidates.embeddings[0] == pytest.approx(model.embed(first.caption).numpy())
    ended = keepsight("watch", make_video(seconds=8), *WATCH, watched)
    assert [note["text"] for note in ended.of("note")] == [
        f"{make_video(seconds=8)} was watched with other weights in {small} as stream {stream.id}: "
        "watching it as a new stream"
    ]


def test_settings_that_captions_depend_on_belong_to_the_stream(
    keepsight: Keepsight, watched: Path, make_video: MakeVideo
) -> None:
    first = newest(watched).id
    video = make_video(seconds=8)
    ended = keepsight("watch", video, *WATCH, watched, "--repetition-penalty", 1.5)
    assert [note["text"] for note in ended.of("note")] == [
        f"{video} was watched with other settings (repetition_penalty) as stream {first}: watching it as a new stream"
    ]
    assert newest(watched).choices == (("repetition_penalty", 1.5),)
    again = keepsight("watch", video, *WATCH, watched, "--repetition-penalty", 1.5)
    assert (again.of("clip"), again.of("note")) == ([], [])
    found = model_for(newest(watched), ModelChoice())
    assert (found.repetition_penalty, found.tokens_per_frame) == (1.5, None)
    assert served_model(watched, load_settings(SERVE, {})).repetition_penalty == 1.5
    told = served_model(watched, load_settings(SERVE, {"repetition_penalty": 2.0, "tokens_per_frame": 8}))
    assert (told.repetition_penalty, told.tokens_per_frame) == (2.0, 8)


def test_a_fingerprint_changes_with_any_part_that_it_samples(tmp_path: Path) -> None:
    folder = write_random_model(tmp_path / "model")
    before = fingerprint_of(folder)
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "README.md").write_text("no part of it")
    assert fingerprint_of(copy) == before
    weights = copy / "model.safetensors"
    content = weights.read_bytes()
    for place in (len(content) - 1, len(content) // 2):
        weights.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert fingerprint_of(copy) != before
    weights.write_bytes(content)
    assert fingerprint_of(copy) == before
    config = copy / "config.json"
    config.write_text(config.read_text() + " ")
    assert fingerprint_of(copy) != before
