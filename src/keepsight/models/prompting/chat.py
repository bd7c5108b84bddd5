"""Chat prompts from the checkpoint's template, with user text that cannot act as control tokens.

A template is rendered once around a marker for the user's text, which separates the two. Control tokens (`<|im_end|>`,
`<video>` ...) are recognised in the template's part only; in user text the same letters are tokenised as plain text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

from keepsight.errors import ModelError

_MARKER = "KeepsightUserText"


class ChatTokenizer(Protocol):
    """The part of a transformers tokenizer used here."""

    @property
    def added_tokens_decoder(self) -> dict[int, Any]:
        """Added tokens by id, each with `content`, `special`, `lstrip` and `rstrip`."""

    @property
    def unk_token_id(self) -> int | None:
        """Id of the unknown token, if any."""

    def encode(self, text: str, *, add_special_tokens: bool, split_special_tokens: bool) -> list[int]:
        """Token ids of a text."""

    def apply_chat_template(
        self, conversation: Any, *, tokenize: bool, add_generation_prompt: bool, enable_thinking: bool
    ) -> Any:
        """Conversation as text; templates without a switch for thinking ignore `enable_thinking`."""


@dataclass(frozen=True)
class PromptIds:
    """Token ids of a prompt around its visual tokens.

    Attributes:
        before: ids before the visual tokens; all ids if there are none.
        after: ids after them.
        text: the user's text, for layouts with their own text around visual tokens (`ChatPrompts.ids_around`).
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    text: str = ""

    def __len__(self) -> int:
        return len(self.before) + len(self.after)


@dataclass(frozen=True)
class VideoPlace:
    """How a chat template marks a video.

    Attributes:
        text: what it renders there: control tokens, such as `<video>`, replaced by visual tokens.
        content_type: content type that it renders so.
    """

    text: str
    content_type: str = "video"


@dataclass(frozen=True)
class _Control:
    """A control token or the video's place in the template; it strips spaces of its neighbours if so defined."""

    token_id: int
    lstrip: bool = False
    rstrip: bool = False


_PLACE = "KeepsightVideo"
"""Stands for the visual tokens in place of the template's text, which may be a control token itself."""

_PLACE_ID = -1
_APART = "\x00"
"""A character that no tokenizer merges with the next."""


class ChatPrompts:
    """Converts a user's text into token ids of a whole chat prompt, up to the assistant's turn.

    Args:
        tokenizer: the checkpoint's tokenizer with `chat_template`.
        place: how the template marks a video.

    Raises:
        ModelError: the template omits the user's text, or does not place exactly one video.
    """

    def __init__(self, tokenizer: ChatTokenizer, place: VideoPlace) -> None:
        self._tokenizer = tokenizer
        self._place = place
        added = tokenizer.added_tokens_decoder
        self._controls = {
            token.content: _Control(token_id, token.lstrip, token.rstrip)
            for token_id, token in added.items()
            if token.special
        }
        self._marks_words = _marks_words(tokenizer, next(iter(self._controls), None))
        stripping = self._controls.get(place.text, _Control(_PLACE_ID))
        self._controls[_PLACE] = _Control(_PLACE_ID, stripping.lstrip, stripping.rstrip)
        special_ids = {token_id for token_id, token in added.items() if token.special or token.content == place.text}
        self._control_ids = special_ids - {tokenizer.unk_token_id}
        self._pattern = re.compile("|".join(re.escape(text) for text in sorted(self._controls, key=len, reverse=True)))
        self._leading_ids = tuple(tokenizer.encode("", add_special_tokens=True, split_special_tokens=False))
        self._plain = self._render(with_video=False)
        self._with_video = self._render(with_video=True)

    @property
    def turn_end_ids(self) -> frozenset[int]:
        """Control token that the template puts right after a turn, such as `<|im_end|>`, if any."""
        first_text, *controls = self._split(self._plain[1])
        return frozenset({self._controls[controls[0]].token_id} if controls and not first_text.strip() else ())

    def ids(self, text: str, *, with_video: bool) -> PromptIds:
        """Token ids of the prompt for a user's text, split at the visual tokens if there are any."""
        if not with_video:
            return PromptIds(before=tuple(self._whole(*self._plain, text)), after=(), text=text)
        before, after = self.ids_around(text, ("", ""))
        return PromptIds(before=tuple(before), after=tuple(after), text=text)

    def ids_around(self, text: str, inside: Sequence[str]) -> list[list[int]]:
        """Token ids of the prompt for a user's text, with an adapter's text in place of the video.

        Adjacent texts are tokenised together, as in the whole prompt.

        Args:
            text: of the user.
            inside: the adapter's text before, between and after visual tokens; control tokens in it are recognised.

        Returns:
            Ids before, between and after the visual tokens: as many lists as there are texts.
        """
        opening, closing = self._with_video
        ids = self._whole(opening.replace(self._place.text, _PLACE.join(inside)), closing, text)
        cuts = [-1, *(index for index, token_id in enumerate(ids) if token_id == _PLACE_ID), len(ids)]
        return [ids[cut + 1 : following] for cut, following in pairwise(cuts)]

    def template_ids(self, text: str) -> list[int]:
        """Token ids of an adapter's text, such as frame separators; control tokens in it are recognised."""
        return self._encode_template(text, "", "")

    def text_ids(self, text: str) -> list[int]:
        """Token ids of a text with control tokens read as plain letters."""
        ids = self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        return [token_id for token_id in ids if token_id not in self._control_ids]

    def _whole(self, opening: str, closing: str, text: str) -> list[int]:
        """Ids of a prompt with the beginning-of-text token, which some templates omit."""
        ids = self._encode_template(opening, text, closing)
        if self._leading_ids and ids[: len(self._leading_ids)] != list(self._leading_ids):
            return [*self._leading_ids, *ids]
        return ids

    def _render(self, *, with_video: bool) -> tuple[str, str]:
        content: list[dict[str, str]] = [{"type": self._place.content_type}] if with_video else []
        turn = {"role": "user", "content": [*content, {"type": "text", "text": _MARKER}]}
        rendered: str = self._tokenizer.apply_chat_template(
            [turn], tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        opening, marker, closing = rendered.partition(_MARKER)
        if not marker or rendered.count(self._place.text) != int(with_video):
            raise ModelError(f"the chat template must render a video, got {rendered!r}")
        return opening, closing

    def _encode_template(self, opening: str, text: str, closing: str) -> list[int]:
        """Ids of `opening + text + closing`, where only the template's parts may contain control tokens.

        Text between two control tokens is tokenised in one go, across the border of template and user, so ordinary text
        gets the ids of the whole prompt.
        """
        head, tail = self._split(opening), self._split(closing)
        runs = [*head[:-1], head[-1] + text + tail[0], *tail[1:]]
        ids: list[int] = []
        for index, run in enumerate(runs):
            is_control = index % 2 == 1
            if is_control:
                ids.append(self._controls[run].token_id)
            elif index == 0 or not self._marks_words:
                ids += self.text_ids(self._strip(runs, index))
            else:
                ids += self._text_ids_inside(self._strip(runs, index))
        return ids

    def _text_ids_inside(self, text: str) -> list[int]:
        """Token ids of a text after a control token, without the tokenizer's start-of-text mark."""
        return self.text_ids(_APART + text)[len(self.text_ids(_APART)) :]

    def _split(self, template_part: str) -> list[str]:
        """Plain text at even indices, control tokens at odd ones: always an odd number of parts."""
        parts: list[str] = []
        position = 0
        for match in self._pattern.finditer(template_part):
            parts += [template_part[position : match.start()], match.group()]
            position = match.end()
        return [*parts, template_part[position:]]

    def _strip(self, runs: Sequence[str], index: int) -> str:
        """Plain text without spaces that its neighbouring control tokens strip."""
        run = runs[index]
        if index > 0 and self._controls[runs[index - 1]].rstrip:
            run = run.lstrip()
        if index + 1 < len(runs) and self._controls[runs[index + 1]].lstrip:
            run = run.rstrip()
        return run


def _marks_words(tokenizer: ChatTokenizer, control: str | None) -> bool:
    """Whether the tokenizer puts a space before a whole text, but not after a control token.

    True for Llama's newer tokenizer files; older ones put a space between all control tokens.
    """
    if control is None:
        return False
    alone = tokenizer.encode("a", add_special_tokens=False, split_special_tokens=True)
    following = tokenizer.encode(f"{control}a", add_special_tokens=False, split_special_tokens=False)[1:]
    return following != alone
