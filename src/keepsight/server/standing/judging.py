"""Whether a caption says yes to a question: by the model, or by its words."""

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from keepsight.errors import PromptTooLongError
from keepsight.journal import CaptionRecord, Journal
from keepsight.journal.standing_records import CheckMethod
from keepsight.models.protocol import VideoModel
from keepsight.prompts import caption_line, captions_context
from keepsight.server.standing.wording import asked_of_model, content_words

MOST_REPLY_TOKENS = 8
"""A yes or a no is shorter; what is longer is neither."""

MOST_REMEMBERED = 4096
"""Verdicts of the model that are remembered: where nothing happens, captions repeat."""

_YES = re.compile(r"\W*yes\b", re.IGNORECASE)
_BUT_NO = re.compile(r"\b(?:no|not)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Condition:
    """What a caption is judged by.

    Attributes:
        question: as the user wrote it.
        method: how it is judged.
    """

    question: str
    method: CheckMethod = CheckMethod.MODEL


@runtime_checkable
class AnswersTogether(Protocol):
    """A model that is asked several questions in one turn; see `BatchedModel.answer_together`."""

    def answer_together(self, context: str, questions: Sequence[str], *, max_new_tokens: int = 256) -> list[str]:
        """What it says to each of some questions over the same captions."""


def is_yes(reply: str) -> bool:
    """Whether a reply begins with yes and takes nothing of it back; whatever is unclear is no."""
    return _YES.match(reply) is not None and _BUT_NO.search(reply) is None


class Judge:
    """Judges captions; used by one thread at a time.

    Args:
        model: is asked.
        journal: has the index of words.
    """

    def __init__(self, model: VideoModel, journal: Journal) -> None:
        self._model = model
        self._journal = journal
        self._verdicts: OrderedDict[tuple[str, str], bool] = OrderedDict()

    def says_yes(self, condition: Condition, clip: CaptionRecord) -> bool:
        """Whether it is so in a clip.

        Raises:
            KeepsightError: the model or the journal failed.
        """
        return self.say_yes([condition], clip)[0]

    def say_yes(self, conditions: Sequence[Condition], clip: CaptionRecord) -> list[bool]:
        """Whether each of several is so in a clip.

        The model is asked once for each question and caption that it has not judged lately: the same words get the
        same verdict, whenever they are said.

        Raises:
            KeepsightError: the model or the journal failed.
        """
        asked = dict.fromkeys(one.question for one in conditions if one.method is CheckMethod.MODEL)
        unknown = [question for question in asked if (question, clip.caption) not in self._verdicts]
        for question, verdict in zip(unknown, self._ask(unknown, clip), strict=True):
            self._verdicts[question, clip.caption] = verdict
        verdicts = [self._verdict(condition, clip) for condition in conditions]
        while len(self._verdicts) > MOST_REMEMBERED:
            self._verdicts.popitem(last=False)
        return verdicts

    def _verdict(self, condition: Condition, clip: CaptionRecord) -> bool:
        if condition.method is CheckMethod.WORDS:
            words = " ".join(content_words(condition.question))
            return self._journal.clips.has_words(clip.stream_id, clip.clip_index, words)
        key = (condition.question, clip.caption)
        self._verdicts.move_to_end(key)
        return self._verdicts[key]

    def _ask(self, questions: Sequence[str], clip: CaptionRecord) -> list[bool]:
        """The caption stands before the model as data (promise S8), and all that its reply can do is this yes."""
        context = captions_context([caption_line(clip.span, clip.caption)])
        asked = [asked_of_model(question) for question in questions]
        if len(asked) > 1 and isinstance(self._model, AnswersTogether):
            try:
                replies = self._model.answer_together(context, asked, max_new_tokens=MOST_REPLY_TOKENS)
            except PromptTooLongError:  # one of them is; the others are answered alone
                return [self._reply_is_yes(context, question) for question in asked]
            return [is_yes(reply) for reply in replies]
        return [self._reply_is_yes(context, question) for question in asked]

    def _reply_is_yes(self, context: str, asked: str) -> bool:
        try:
            return is_yes("".join(self._model.answer(context, asked, max_new_tokens=MOST_REPLY_TOKENS)))
        except PromptTooLongError:
            return False
