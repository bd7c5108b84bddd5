"""Judges whether a caption answers a question with yes: by the model, or by words."""

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from keepsight.errors import PromptTooLongError
from keepsight.hub.standing.wording import content_words
from keepsight.journal import CaptionRecord, Journal
from keepsight.journal.standing_records import CheckMethod
from keepsight.method.prompts import caption_line, captions_context
from keepsight.method.protocol import AnsweringModel, AnswerRequest
from keepsight.models.judging import judging_prompt

MOST_REPLY_TOKENS = 8
"""Enough for yes or no; a longer reply is neither."""

MOST_REMEMBERED = 4096
"""Size of the verdict cache; several callers may ask the same of one caption."""

_YES = re.compile(r"\W*yes\b", re.IGNORECASE)
_BUT_NO = re.compile(r"\b(?:no|not)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Condition:
    """What a caption is judged by.

    Attributes:
        question: as written by the user.
        method: how it is judged.
    """

    question: str
    method: CheckMethod = CheckMethod.MODEL


class _Asked(NamedTuple):
    """Cache key: all that a prompt holds."""

    context: str
    question: str


@runtime_checkable
class AnswersTogether(Protocol):
    """A model that answers several questions in one call; see `BatchedModel.answer_together`."""

    def answer_together(self, context: str, questions: Sequence[str], *, max_new_tokens: int = 256) -> list[str]:
        """Replies to several questions over the same captions."""


def is_yes(reply: str) -> bool:
    """Whether a reply starts with yes and does not retract it; anything unclear is no."""
    return _YES.match(reply) is not None and _BUT_NO.search(reply) is None


class Judge:
    """Judges captions; not thread-safe.

    Args:
        model: judges captions.
        journal: holds the word index.
    """

    def __init__(self, model: AnsweringModel, journal: Journal) -> None:
        self._model = model
        self._journal = journal
        self._verdicts: OrderedDict[_Asked, bool] = OrderedDict()

    def prompt_of(self, question: str) -> str:
        """Prompt for a user's question, in this model's judging style."""
        return judging_prompt(self._model.info.judging_style, question)

    def says_yes(self, condition: Condition, clip: CaptionRecord) -> bool:
        """Whether the condition holds in a clip.

        Raises:
            KeepsightError: the model or the journal failed.
        """
        return self.say_yes([condition], clip)[0]

    def say_yes(self, conditions: Sequence[Condition], clip: CaptionRecord) -> list[bool]:
        """Whether each of several conditions holds in a clip.

        The model judges each prompt that is not cached, once. Prompts contain the clip's times, so a repeated caption
        is judged again.

        Raises:
            KeepsightError: the model or the journal failed.
        """
        context = captions_context([caption_line(clip.span, clip.caption)])
        asked = dict.fromkeys(self.prompt_of(one.question) for one in conditions if one.method is CheckMethod.MODEL)
        unknown = [question for question in asked if _Asked(context, question) not in self._verdicts]
        for question, verdict in zip(unknown, self._ask(context, unknown), strict=True):
            self._verdicts[_Asked(context, question)] = verdict
        verdicts = [self._verdict(condition, clip, context) for condition in conditions]
        while len(self._verdicts) > MOST_REMEMBERED:
            self._verdicts.popitem(last=False)
        return verdicts

    def _verdict(self, condition: Condition, clip: CaptionRecord, context: str) -> bool:
        if condition.method is CheckMethod.WORDS:
            words = " ".join(content_words(condition.question))
            return self._journal.clips.has_words(clip.stream_id, clip.clip_index, words)
        key = _Asked(context, self.prompt_of(condition.question))
        self._verdicts.move_to_end(key)
        return self._verdicts[key]

    def _ask(self, context: str, asked: Sequence[str]) -> list[bool]:
        """Captions enter the prompt as data, and a reply can do no more than say yes."""
        if len(asked) > 1 and isinstance(self._model, AnswersTogether):
            try:
                replies = self._model.answer_together(context, asked, max_new_tokens=MOST_REPLY_TOKENS)
            except PromptTooLongError:  # only one of them is too long: ask them one by one
                return [self._reply_is_yes(context, question) for question in asked]
            return [is_yes(reply) for reply in replies]
        return [self._reply_is_yes(context, question) for question in asked]

    def _reply_is_yes(self, context: str, asked: str) -> bool:
        try:
            return is_yes("".join(self._model.answer(AnswerRequest(context, asked, max_new_tokens=MOST_REPLY_TOKENS))))
        except PromptTooLongError:
            return False
