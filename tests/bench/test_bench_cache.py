"""What a run keeps on disk: answers by all that decides them, and the results file."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from keepsight.bench.cache import Answered, Cache
from keepsight.bench.datasets.sources import FileSource
from keepsight.bench.environment import describe_environment, fingerprint
from keepsight.bench.methods import make_method
from keepsight.bench.records import DataSet, TimeUnit, Video
from keepsight.bench.results import CaptionedClip, Prediction, Results
from keepsight.bench.scoring import choice
from keepsight.errors import DataError
from keepsight.method.protocol import VideoModel
from tests.bench.bench_videos import PictureSource, TellingModel, question, video

VIDEO = video(PictureSource(9), [3.0, 5.0])
DATA = DataSet("kitchens", (VIDEO,), "exact", "two questions")
CAPTIONS = repr(make_method("captions"))
ANSWERED = Answered(
    [Prediction("first name", "kitchen", "kitchen-0", "where", "Where?", "here", "there", answer_seconds=0.5)],
    [CaptionedClip("first name", "kitchen", 0, 0.0, 4.0, "a dog.", 4, 16, (0, 3, 5), 0.25)],
)


def cache(folder: Path) -> Cache:
    return Cache(folder / "cache", "weights", "1.0")


def test_answers_come_back_under_the_name_that_the_method_has_now(tmp_path: Path) -> None:
    kept = cache(tmp_path)
    assert kept.find(DATA, VIDEO, CAPTIONS, "first name") is None
    kept.put(DATA, VIDEO, CAPTIONS, ANSWERED)
    assert kept.find(DATA, VIDEO, CAPTIONS, "first name") == ANSWERED
    assert kept.find(DATA, VIDEO, CAPTIONS, "other name") == Answered(
        [replace(ANSWERED.predictions[0], method="other name")], [replace(ANSWERED.captions[0], method="other name")]
    )


def test_the_other_videos_of_a_data_set_do_not_matter(tmp_path: Path) -> None:
    cache(tmp_path).put(DATA, VIDEO, CAPTIONS, ANSWERED)
    more = replace(DATA, videos=(video(PictureSource(3), [1.0], video_id="bath"), VIDEO), settings="three questions")
    assert cache(tmp_path).find(more, VIDEO, CAPTIONS, "first name") == ANSWERED


def changed_questions(**values: Any) -> Video:
    return replace(VIDEO, questions=(replace(VIDEO.questions[0], **values), VIDEO.questions[1]))


@pytest.mark.parametrize(
    "other",
    [
        replace(VIDEO, video_id="bath"),
        replace(VIDEO, source=PictureSource(10)),
        replace(VIDEO, source=FileSource(Path("kitchen.mp4"))),
        replace(VIDEO, time_unit=TimeUnit.SHOTS),
        replace(VIDEO, questions=VIDEO.questions[:1]),
        replace(VIDEO, questions=(*VIDEO.questions, question(9.0))),
        changed_questions(question="Who?"),
        changed_questions(ask_seconds=3.5),
        changed_questions(choices=("here", "there"), answer_index=0),
        changed_questions(answer="a cat"),
        changed_questions(instruction="Answer yes or no."),
    ],
    ids=str,
)
def test_another_video_or_question_is_asked_again(tmp_path: Path, other: Video) -> None:
    cache(tmp_path).put(DATA, VIDEO, CAPTIONS, ANSWERED)
    assert cache(tmp_path).find(DATA, other, CAPTIONS, "first name") is None


def test_choices_that_are_reworded_are_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = changed_questions(choices=("here", "there"), answer_index=0)
    for video_kept in (chosen, VIDEO):
        cache(tmp_path).put(DATA, video_kept, CAPTIONS, ANSWERED)
    monkeypatch.setattr(choice, "_INSTRUCTION", "Answer with a letter.")
    assert cache(tmp_path).find(DATA, chosen, CAPTIONS, "first name") is None
    assert cache(tmp_path).find(DATA, VIDEO, CAPTIONS, "first name") == ANSWERED


def test_another_model_version_or_method_is_asked_again(tmp_path: Path) -> None:
    kept = cache(tmp_path)
    kept.put(DATA, VIDEO, CAPTIONS, ANSWERED)
    assert replace(kept, model_fingerprint="others").find(DATA, VIDEO, CAPTIONS, "first name") is None
    assert replace(kept, version="1.1").find(DATA, VIDEO, CAPTIONS, "first name") is None
    assert kept.find(replace(DATA, name="toys"), VIDEO, CAPTIONS, "first name") is None
    for text in ("captions:retention=0.0626", "captions:seed=1", "captions-and-live", "blind"):
        assert kept.find(DATA, VIDEO, repr(make_method(text)), "first name") is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: b"\xff" + content,
        lambda content: b"[]",
        lambda content: b"null",
        lambda content: b"{}",
        lambda content: content.replace(b'"predictions"', b'"answers"'),
        lambda content: content.replace(b'"answer"', b'"reply"'),
        lambda content: content.replace(b'"caption"', b'"text"'),
        lambda content: b'{"predictions": 3, "captions": []}',
        lambda content: b'{"predictions": [3], "captions": []}',
        lambda content: b'{"predictions": ["a"], "captions": [null]}',
    ],
)
def test_a_damaged_file_counts_as_none(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    kept = cache(tmp_path)
    kept.put(DATA, VIDEO, CAPTIONS, ANSWERED)
    (path,) = (tmp_path / "cache").iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert kept.find(DATA, VIDEO, CAPTIONS, "first name") is None
    kept.put(DATA, VIDEO, CAPTIONS, ANSWERED)
    assert kept.find(DATA, VIDEO, CAPTIONS, "first name") == ANSWERED


def test_a_model_is_known_by_what_it_computes(random_model: VideoModel) -> None:
    """A change of any part of the network shows, also where the name and the embeddings stay."""
    before = fingerprint(random_model)
    assert fingerprint(random_model) == before
    language = random_model.language_side.language  # type: ignore[attr-defined]
    decoder = random_model.language_side.decoder  # type: ignore[attr-defined]
    parts = {
        "first layer": (decoder.layers[0].mlp.up_proj.weight, 0.01),
        "last layer": (decoder.layers[-1].self_attn.q_proj.weight, 0.01),
        "embeddings": (language.embedding.weight, 0.01),
        "head": (language.head.weight, 0.1),
    }
    for name, (weights, change) in parts.items():
        kept = weights.detach().clone()
        with torch.no_grad():
            weights += torch.randn(weights.shape, generator=torch.Generator().manual_seed(0)) * change
            assert fingerprint(random_model) != before, name
            weights.copy_(kept)
    assert fingerprint(random_model) == before


def test_stand_ins_of_another_shape_are_other_models() -> None:
    assert len({fingerprint(model) for model in (TellingModel(), TellingModel(dim=9), TellingModel(grid=(1, 2)))}) == 3


def test_the_environment_can_be_written_down() -> None:
    environment = describe_environment(TellingModel(), processes=3, seed=5)
    assert json.loads(json.dumps(environment)) == environment
    assert (environment["model"], environment["processes"], environment["seed"]) == ("fake", 3, 5)
    assert environment["versions"]["torch"] == torch.__version__
    assert environment["model_fingerprint"] == fingerprint(TellingModel())
    assert environment["date"].endswith("+00:00")


finite = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=20)
maybe = st.one_of(st.none(), finite)
predictions = st.builds(
    Prediction,
    *[texts] * 7,
    score=maybe,
    f1=maybe,
    rating=st.one_of(st.none(), st.integers(0, 5)),
    age_seconds=maybe,
    answer_seconds=finite,
    num_prompt_tokens=st.integers(),
    ask_seconds=maybe,
)
clips = st.builds(
    CaptionedClip,
    texts,
    texts,
    st.integers(),
    finite,
    finite,
    texts,
    st.integers(),
    st.integers(),
    st.lists(st.integers(), max_size=4).map(tuple),
    finite,
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), finite, texts),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
whole_results = st.builds(
    Results,
    texts,
    texts,
    texts,
    st.dictionaries(texts, texts, max_size=3),
    st.dictionaries(texts, values, max_size=3),
    st.lists(predictions, max_size=3).map(tuple),
    st.lists(clips, max_size=3).map(tuple),
)


@given(results=whole_results)
@examples(max_examples=50)
def test_results_come_back_as_they_were(results: Results, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("results") / "results.json"
    results.save(path)
    loaded = Results.load(path)
    assert loaded == results
    assert list(loaded.methods) == list(results.methods)


SMALL = Results(
    "kitchens",
    "",
    "exact",
    {"a": "A()", "b": "B()"},
    {"model": "fake"},
    (
        replace(ANSWERED.predictions[0], method="a"),
        replace(ANSWERED.predictions[0], method="b"),
        replace(ANSWERED.predictions[0], method="a", question_id="kitchen-1"),
    ),
    (replace(ANSWERED.captions[0], method="b"),),
)


def test_results_by_method() -> None:
    assert [prediction.question_id for prediction in SMALL.of("a")] == ["kitchen-0", "kitchen-1"]
    assert SMALL.captions_of("a") == []
    assert SMALL.captions_of("b") == [*SMALL.captions]
    assert SMALL.of("c") == []


def written(**changes: Any) -> str:
    return json.dumps({"format": 1, **asdict(SMALL), **changes})


def without(name: str) -> str:
    return json.dumps({key: value for key, value in json.loads(written()).items() if key != name})


@pytest.mark.parametrize(
    "content",
    [
        "",
        "hello",
        "[]",
        "3",
        "null",
        "{}",
        written()[:-1],
        without("format"),
        without("predictions"),
        without("captions"),
        without("methods"),
        written(format=999),
        written(extra=1),
        written(predictions=None),
        written(predictions=[3]),
        written(predictions=[{"method": "a"}]),
        written(captions=[{"clip": 3}]),
        written(methods=["a"]),
        written(environment=None),
        json.dumps({"backward": [], "realtime": [], "forward": []}),
    ],
)
def test_a_file_that_holds_no_results(tmp_path: Path, content: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"results\.json") as raised:
        Results.load(path)
    assert "\n" not in str(raised.value)


def test_results_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*none\.json: No such file"):
        Results.load(tmp_path / "none.json")
    with pytest.raises(DataError, match="cannot read"):
        Results.load(tmp_path)
    (tmp_path / "results.json").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="must be results"):
        Results.load(tmp_path / "results.json")
