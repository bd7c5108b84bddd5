"""Chat prompts: the checkpoint's own template, with user text that cannot pose as control tokens.

A template is rendered once around a marker that stands for the user's text, so that what belongs to the template and
what belongs to the user stay apart. Control tokens (`<|im_end|>`, `<video>` ...) are honoured in the template's part
only; the same letters in the user's text are tokenised as plain text (promise S8: text is data).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from keepsight.errors import ModelError

_MARKER = "KeepsightUserText"


class ChatTokenizer(Protocol):
    """The part of a transformers tokenizer that is used here."""

    @property
    def added_tokens_decoder(self) -> dict[int, Any]:
        """Added tokens by id, each with `content`, `special`, `lstrip` and `rstrip`."""

    @property
    def unk_token_id(self) -> int | None:
        """Id of the token that stands for unknown words, if the tokenizer has one."""

    def encode(self, text: str, *, add_special_tokens: bool, split_special_tokens: bool) -> list[int]:
        """Token ids of a text."""

    def apply_chat_template(self, conversation: Any, *, tokenize: bool, add_generation_prompt: bool) -> Any:
        """The conversation as one text."""


@dataclass(frozen=True)
class PromptIds:
    """Token ids of a prompt around the place of its visual tokens.

    Attributes:
        before: ids before the visual tokens; all ids when the prompt has none.
        after: ids after them.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.before) + len(self.after)


class ChatPrompts:
    """Turns a user's text into token ids of a whole chat prompt that ends where the assistant begins.

    Args:
        tokenizer: the checkpoint's tokenizer, its `chat_template` set.
        video_token: the template's placeholder of a video, such as `<video>`.

    Raises:
        ModelError: the template leaves out the user's text, or does not place exactly one video token.
    """

    def __init__(self, tokenizer: ChatTokenizer, video_token: str) -> None:
        self._tokenizer = tokenizer
        self._video_token = video_token
        added = tokenizer.added_tokens_decoder
        self._controls = {
            token.content: (token_id, token)
            for token_id, token in added.items()
            if token.special or token.content == video_token
        }
        self._control_ids = {token_id for token_id, _ in self._controls.values()} - {tokenizer.unk_token_id}
        self._pattern = re.compile("|".join(re.escape(text) for text in sorted(self._controls, key=len, reverse=True)))
        if video_token not in self._controls:
            raise ModelError(f"the tokenizer has no special token {video_token!r} for a video's place")
        self._plain = self._render(with_video=False)
        self._with_video = self._render(with_video=True)

    @property
    def turn_end_ids(self) -> frozenset[int]:
        """The control token that the template puts right after a turn's text, such as `<|im_end|>`, if it puts one."""
        first_text, *controls = self._split(self._plain[1])
        return frozenset({self._controls[controls[0]][0]} if controls and not first_text.strip() else ())

    def ids(self, text: str, *, with_video: bool) -> PromptIds:
        """Token ids of the prompt for a user's text, split at the place of the visual tokens if there are any."""
        opening, closing = self._with_video if with_video else self._plain
        ids = self._encode_template(opening, text, closing)
        if not with_video:
            return PromptIds(before=tuple(ids), after=())
        place = ids.index(self._controls[self._video_token][0])
        return PromptIds(before=tuple(ids[:place]), after=tuple(ids[place + 1 :]))

    def text_ids(self, text: str) -> list[int]:
        """Token ids of a text with every control token in it read as plain letters."""
        ids = self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        return [token_id for token_id in ids if token_id not in self._control_ids]

    def _render(self, *, with_video: bool) -> tuple[str, str]:
        content: list[dict[str, str]] = [{"type": "video"}] if with_video else []
        turn = {"role": "user", "content": [*content, {"type": "text", "text": _MARKER}]}
        rendered: str = self._tokenizer.apply_chat_template([turn], tokenize=False, add_generation_prompt=True)
        opening, marker, closing = rendered.partition(_MARKER)
        if not marker or rendered.count(self._video_token) != int(with_video):
            raise ModelError(f"the chat template is not one of a video model; it renders as {rendered!r}")
        return opening, closing

    def _encode_template(self, opening: str, text: str, closing: str) -> list[int]:
        """Ids of `opening + text + closing`, where only the template's parts can hold control tokens.

        Text between two control tokens is tokenised in one go, across the border between template and user, so that
        an ordinary text gets the same ids as when the whole prompt is tokenised at once.
        """
        head, tail = self._split(opening), self._split(closing)
        runs = [*head[:-1], head[-1] + text + tail[0], *tail[1:]]
        ids: list[int] = []
        for index, run in enumerate(runs):
            is_control = index % 2 == 1
            ids += [self._controls[run][0]] if is_control else self.text_ids(self._strip(runs, index))
        return ids

    def _split(self, template_part: str) -> list[str]:
        """Plain text at even places, control tokens at odd ones: always an odd number of parts."""
        parts: list[str] = []
        position = 0
        for match in self._pattern.finditer(template_part):
            parts += [template_part[position : match.start()], match.group()]
            position = match.end()
        return [*parts, template_part[position:]]

    def _strip(self, runs: Sequence[str], index: int) -> str:
        """A plain run without the spaces that its neighbouring control tokens swallow."""
        run = runs[index]
        if index > 0 and self._controls[runs[index - 1]][1].rstrip:
            run = run.lstrip()
        if index + 1 < len(runs) and self._controls[runs[index + 1]][1].lstrip:
            run = run.rstrip()
        return run
