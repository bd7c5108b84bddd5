import random
from typing import Any

import pytest
import torch

from training.blueprint import build_model
from training.packing import Branch, Packed, collate, run_packed
from training.reading import Reader, journal_item


@pytest.fixture(scope="module")
def model() -> Any:
    return build_model(3).eval()


def stock_loss(model: Any, prefix: tuple[int, ...], branch: Branch, visual: torch.Tensor | None) -> torch.Tensor:
    """Sum of token losses when one branch is asked alone, by the model's own forward with plain causal attention."""
    ids = torch.tensor([prefix + branch.prompt_ids + branch.reply_ids])
    embeds = model.get_input_embeddings()(ids)
    if visual is not None:
        embeds[0, 1 : 1 + len(visual)] = visual
    logits = model(inputs_embeds=embeds).logits[0]
    first = len(prefix) + len(branch.prompt_ids)
    return torch.nn.functional.cross_entropy(logits[first - 1 : -1], ids[0, first:], reduction="sum")


@pytest.mark.parametrize("with_visual", [False, True])
def test_packed_branches_cost_what_they_cost_alone(model: torch.nn.Module, with_visual: bool) -> None:
    torch.manual_seed(0)
    rng = random.Random(0)
    words = [tuple(rng.randrange(10, 500) for _ in range(length)) for length in (9, 14, 3, 4, 2, 5, 1, 6)]
    visual = torch.randn(4, 256) if with_visual else None
    sequences = [
        Packed(words[0], (Branch(words[2], words[3]), Branch(words[4], words[5])), visual, 1),
        Packed(words[1], (Branch(words[6], words[7]),), visual, 1),
    ]
    with torch.no_grad():
        packed = run_packed(model, sequences, pad_id=0).loss
        alone = [stock_loss(model, s.prefix_ids, branch, visual) for s in sequences for branch in s.branches]
    targets = sum(len(branch.reply_ids) for sequence in sequences for branch in sequence.branches)
    torch.testing.assert_close(packed, torch.stack(alone).sum() / targets, rtol=1e-4, atol=1e-5)


def test_a_branch_sees_the_prefix_and_itself_only() -> None:
    batch = collate([Packed((1, 2, 3), (Branch((4,), (5, 6)), Branch((7, 8), (9,))))], pad_id=0)
    mask = batch.attention_mask[0, 0]
    assert mask[7].tolist() == [True, True, True, False, False, False, True, True, False]
    assert batch.position_ids[0].tolist() == [0, 1, 2, 3, 4, 5, 3, 4, 5]
    assert batch.targets.tolist() == [5, 6, 9]
    assert batch.predict_from[:, 1].tolist() == [3, 4, 7]


def test_training_prompts_are_the_prompts_that_are_used_when_answering() -> None:
    from keepsight.method import prompts

    reader = Reader()
    packed, tasks = journal_item(reader, random.Random(4), 5, 8)
    assert len(tasks) == len(packed.branches)
    text = str(reader.tokenizer.decode([*packed.prefix_ids, *packed.branches[0].prompt_ids]))
    context = text.split("user \n")[1].split("\nquestion:")[0]
    lines = context.split("<captions>\n")[1].split("\n</captions>")[0].splitlines()
    question = text.split("question: ")[1].split("\n")[0]
    expected = prompts.question_text(prompts.captions_context(lines), question)
    message: list[Any] = [{"role": "user", "content": [{"type": "text", "text": expected}]}]
    rendered = reader.tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
    ids = reader.tokenizer(rendered, add_special_tokens=False).input_ids
    assert tuple(ids) == packed.prefix_ids + packed.branches[0].prompt_ids
