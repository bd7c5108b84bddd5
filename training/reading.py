"""Training items of reading: a journal as text, with questions about it."""

import random
from collections.abc import Sequence
from dataclasses import replace

from transformers import PreTrainedTokenizerFast

from keepsight.method import prompts
from keepsight.settings import DESCRIBE_PROMPT
from keepsight.spans import Span
from keepsight.toyworld.captions import TrueCaption, clip_spans, true_captions
from keepsight.toyworld.questions import QUESTION_KINDS, ask
from keepsight.toyworld.simulate import make_story
from keepsight.toyworld.story import DIFFICULTIES, Difficulty
from keepsight.toyworld.tokenizer import build_tokenizer
from training.inner_labels import InnerLabel
from training.packing import Branch, Packed
from training.text_labels import caption_labels, journal_labels, question_labels, reply_labels

FIRST_SEED = 2**32
"""Training stories have seeds from here on; smaller ones are held out."""
ASKED_OFTEN = {"order": 6, "what hid": 2, "now": 2}
"""Relative frequency of the harder kinds of questions."""
_TURN_END = "<|im_end|><|im_start|>assistant\n"


def random_difficulty(rng: random.Random) -> Difficulty:
    """Mostly the default difficulty."""
    return DIFFICULTIES[rng.choices(("easy", "default", "hard"), (0.2, 0.6, 0.2))[0]]


class Reader:
    """Turns true captions and questions into packed token sequences, in the exact wording used for answering."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast | None = None) -> None:
        self.tokenizer = build_tokenizer() if tokenizer is None else tokenizer

    def ids(self, text: str) -> tuple[int, ...]:
        """Token ids of a text, recognising special tokens."""
        return tuple(self.tokenizer(text, add_special_tokens=False).input_ids)

    def branch(self, asked: str, reply: str) -> Branch:
        """The end of a user's turn and the assistant's reply."""
        return Branch(self.ids(asked + _TURN_END), self.ids(reply + "<|im_end|>"))

    def question_branch(
        self, question: str, answer: str, captions: Sequence[TrueCaption] = (), *, before: str = ""
    ) -> Branch:
        """A question worded by `prompts.question_text`; the captions determine its nouns' labels."""
        branch = self.branch(before + prompts.question_text("", question), answer)
        prompt, reply = self._tokens(branch.prompt_ids), self._tokens(branch.reply_ids)
        known = question_labels(captions, [*prompt, *reply]) if captions else []
        labels = [*known, *reply_labels(prompt, reply)]
        return replace(branch, labels=tuple(labels))

    def caption_branch(self, truth: TrueCaption) -> Branch:
        """The captioning request and its caption, with the caption's labels."""
        branch = self.branch(f"\n{DESCRIBE_PROMPT}", truth.text)
        prompt, reply = self._tokens(branch.prompt_ids), self._tokens(branch.reply_ids)
        labels = [*question_labels([truth], [*prompt, *reply]), *caption_labels(truth, reply, len(prompt))]
        return replace(branch, labels=tuple(labels))

    def _tokens(self, ids: Sequence[int]) -> list[str]:
        return list(self.tokenizer.convert_ids_to_tokens(list(ids)))

    def context_prefix(self, lines: Sequence[str]) -> tuple[int, ...]:
        """The start of a user's turn with a block of captions, up to the question's line."""
        return self.ids(f"<|im_start|>user \n{prompts.captions_context(lines)}\n")

    def labels(
        self, captions: Sequence[TrueCaption], lines: Sequence[str], prefix_ids: Sequence[int]
    ) -> tuple[InnerLabel, ...]:
        """Labels at the tokens of the lines, which are the last block of a prefix."""
        tokens = [self._tokens(self.ids(f"{line}\n")) for line in lines]
        closing = self.ids(prompts.CAPTIONS_END)
        starts = range(len(prefix_ids) - len(closing), 0, -1)
        end = next(start for start in starts if tuple(prefix_ids[start : start + len(closing)]) == closing)
        return tuple(journal_labels(captions, tokens, end - sum(map(len, tokens))))


def journal_item(
    reader: Reader, rng: random.Random, max_lines: int, num_questions: int, *, fewest: int = 1
) -> tuple[Packed, list[str]]:
    """A random journal of `fewest` to `max_lines` captions with questions of random kinds; returns each branch's kind
    as well.
    """
    num_lines = rng.randint(fewest, max_lines)
    difficulty = random_difficulty(rng)
    skipped = rng.choice((0, 0, rng.randint(0, 8)))
    story = make_story(FIRST_SEED + rng.getrandbits(48), num_lines + skipped, difficulty)
    captions = true_captions(story, clip_spans(story.duration_seconds, difficulty.beat_seconds))[skipped:]
    spans = _shown_spans(rng, len(captions))
    lines = [prompts.caption_line(span, caption.text) for span, caption in zip(spans, captions, strict=True)]
    tasks, branches = _branches(reader, rng, captions, num_questions)
    prefix = reader.context_prefix(lines)
    return Packed(prefix, tuple(branches), labels=reader.labels(captions, lines, prefix)), tasks


def _shown_spans(rng: random.Random, count: int) -> list[Span]:
    """Spans as at another frame rate or later in a long video: the wording must not depend on them."""
    length = rng.choice((32.0, 32.0, 32.0, 16.0, 8.0, 64.0))
    first = rng.choice((0, 0, rng.randint(0, 90)))
    return [Span((first + number) * length, (first + number + 1) * length) for number in range(count)]


def _branches(
    reader: Reader, rng: random.Random, captions: Sequence[TrueCaption], num_questions: int
) -> tuple[list[str], list[Branch]]:
    asked: dict[str, tuple[str, str]] = {}
    often = [ASKED_OFTEN.get(task, 1) for task in QUESTION_KINDS]
    while not asked:  # not every kind of question fits every journal
        for task in rng.choices(list(QUESTION_KINDS), often, k=num_questions):
            made = ask(captions, task, rng)
            if made is not None:
                asked[made.question] = (task, made.answer)
    tasks = [task for task, _ in asked.values()]
    return tasks, [reader.question_branch(question, answer, captions) for question, (_, answer) in asked.items()]
