"""Whether a caption says yes to a question: by the model, or by its words."""

import re
from typing import TYPE_CHECKING

from keepsight.errors import PromptTooLongError
from keepsight.journal import CaptionRecord, Journal
from keepsight.journal.standing_records import CheckMethod, StandingQuestion
from keepsight.prompts import caption_line, captions_context
from keepsight.server.standing.wording import asked_of_model, content_words

if TYPE_CHECKING:
    from keepsight.models.protocol import VideoModel

MOST_REPLY_TOKENS = 8
"""A yes or a no is shorter; what is longer is neither."""

_YES = re.compile(r"\W*yes\b", re.IGNORECASE)
_BUT_NO = re.compile(r"\b(?:no|not)\b", re.IGNORECASE)


def is_yes(reply: str) -> bool:
    """Whether a reply begins with yes and takes nothing of it back; whatever is unclear is no."""
    return _YES.match(reply) is not None and _BUT_NO.search(reply) is None


class Judge:
    """Judges captions.

    Args:
        model: is asked.
        journal: has the index of words.
    """

    def __init__(self, model: "VideoModel", journal: Journal) -> None:
        self._model = model
        self._journal = journal

    def says_yes(self, question: StandingQuestion, clip: CaptionRecord) -> bool:
        """Whether it is so in a clip.

        Raises:
            KeepsightError: the model or the journal failed.
        """
        if question.method is CheckMethod.WORDS:
            words = " ".join(content_words(question.question))
            return self._journal.clips.has_words(clip.stream_id, clip.clip_index, words)
        return self._ask(question.question, clip)

    def _ask(self, question: str, clip: CaptionRecord) -> bool:
        """The caption stands before the model as data (promise S8), and all that its reply can do is this yes."""
        context = captions_context([caption_line(clip.span, clip.caption)])
        try:
            reply = "".join(self._model.answer(context, asked_of_model(question), max_new_tokens=MOST_REPLY_TOKENS))
        except PromptTooLongError:
            return False
        return is_yes(reply)
