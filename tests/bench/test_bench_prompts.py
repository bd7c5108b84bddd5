"""What a model is asked in the bench, read back from its token ids: choices keep their lines, one instruction only."""

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from keepsight.bench.baselines.kv_stream import KeyValueModel
from keepsight.bench.datasets.ovobench import COUNT_INSTRUCTION, ENOUGH_INSTRUCTION, STEP_INSTRUCTION
from keepsight.bench.methods import METHODS, make_method
from keepsight.bench.records import Question, Video
from keepsight.bench.scoring.choice import wording_of
from keepsight.method.prompts import question_text
from keepsight.models.loading import load_model
from keepsight.models.prompting.chat import ChatPrompts, PromptIds
from keepsight.models.registry import BUNDLED
from keepsight.settings import Settings
from tests.bench.bench_videos import PictureSource, watch

CHOICES = ("in the kitchen", "in the garden", "on\nthe street")
CHOICE = Question("choice", "Where is  the dog\nnow?", CHOICES[0], 5.0, choices=CHOICES, answer_index=0)
OPEN = Question("open", "Where is\nthe dog  now?", "in the kitchen", 5.0)
YES_NO = Question("yes-no", "Is there a dog now?", "Yes", 5.0, instruction="Answer yes or no.")

CHOICE_LINES = [
    "Question: Where is the dog now?",
    "(A) in the kitchen",
    "(B) in the garden",
    "(C) on the street",
    "Answer with the letter of the right choice only.",
]
OPEN_LINES = ["Question: Where is the dog now?", "Answer in a few words."]
YES_NO_LINES = ["Question: Is there a dog now?", "Answer yes or no."]
CASES = [(CHOICE, CHOICE_LINES), (OPEN, OPEN_LINES), (YES_NO, YES_NO_LINES)]


@pytest.mark.parametrize(("question", "lines"), CASES, ids=lambda case: getattr(case, "question_id", ""))
def test_a_prompt_has_its_lines_and_one_instruction(question: Question, lines: list[str]) -> None:
    assert question_text("", wording_of(question)) == "\n".join(lines)
    assert question_text("<captions>\n[00:00-00:32] a dog\n</captions>", wording_of(question)).splitlines()[3:] == lines


@pytest.mark.parametrize("instruction", [COUNT_INSTRUCTION, STEP_INSTRUCTION, ENOUGH_INSTRUCTION])
def test_an_instruction_of_ovobench_is_the_only_one(instruction: str) -> None:
    asked = Question("1_0", "How often has someone jumped?", "2", instruction=instruction)
    assert question_text("", wording_of(asked)) == f"Question: How often has someone jumped?\n{instruction}"


@pytest.mark.parametrize("bundled", BUNDLED, ids=lambda bundled: bundled.name)
def test_models_get_these_lines_with_every_method(bundled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ids of every prompt that is counted or asked are decoded."""
    tokenizer = AutoTokenizer.from_pretrained(Path(bundled.folder))
    asked: list[str] = []

    def decoded(ids: list[int]) -> str:
        return "".join(tokenizer.decode(ids))

    ids_of = ChatPrompts.ids

    def recorded(prompts: ChatPrompts, text: str, *, with_video: bool) -> PromptIds:
        made = ids_of(prompts, text, with_video=with_video)
        asked.append(decoded([*made.before, *made.after]))
        return made

    monkeypatch.setattr(ChatPrompts, "ids", recorded)
    model = load_model(bundled.name)
    settings = Settings(frames_per_clip=4, sample_fps=1.0, memory_clips=2, max_caption_tokens=8, max_answer_tokens=3)
    possible = [name for name in METHODS if name != "kv-retrieval" or isinstance(model, KeyValueModel)]
    methods = {name: make_method(name, settings) for name in possible}
    for question, lines in CASES:
        asked.clear()
        predictions, _ = watch(model, Video("kitchen", PictureSource(6.0), (question,)), methods)
        assert len(predictions) == len(methods)
        wanted = decoded(tokenizer.encode("\n".join(lines)))
        turns = [text.partition("<|im_end|>")[0] for text in asked if "dog" in text]
        assert len(turns) >= len(methods)
        for turn in turns:
            _, found, rest = turn.rpartition(wanted)
            assert (found, rest) == (wanted, "")
            assert ("few words" in turn) == (question is OPEN)
        assert any("</captions>\n" + wanted in turn for turn in turns)
        assert any("captions" not in turn for turn in turns)
