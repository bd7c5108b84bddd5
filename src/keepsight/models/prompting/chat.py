"""Chat prompts: the checkpoint's own template, with user text that cannot pose as control tokens.

A template is rendered once around a marker that stands for the user's text, so that what belongs to the template and
what belongs to the user stay apart. Control tokens (`<|im_end|>`, `<video>` ...) are honoured in the template's part
only; the same letters in the user's text are tokenised as plain text (promise S8: text is data).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
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
        text: the user's text, for layouts with text of their own around the visual tokens (`ChatPrompts.ids_around`).
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    text: str = ""

    def __len__(self) -> int:
        return len(self.before) + len(self.after)


@dataclass(frozen=True)
class VideoPlace:
    """How a chat template shows where a video stands.

    Attributes:
        text: what it renders there: control tokens, such as `<video>`, all of which give way to visual tokens.
        content_type: the kind of content for which it renders that.
    """

    text: str
    content_type: str = "video"


@dataclass(frozen=True)
class _Control:
    """A control token, or the video's place, as the template has it; its neighbours lose spaces if it strips them."""

    token_id: int
    lstrip: bool = False
    rstrip: bool = False


_PLACE = "KeepsightVideo"
"""Stands for the visual tokens instead of the template's text there, which may be a control token in its own right."""

_PLACE_ID = -1
_APART = "\x00"
"""A character that no tokenizer joins with what follows it."""


class ChatPrompts:
    """Turns a user's text into token ids of a whole chat prompt that ends where the assistant begins.

    Args:
        tokenizer: the checkpoint's tokenizer, its `chat_template` set.
        place: how the template shows where a video stands.

    Raises:
        ModelError: the template leaves out the user's text, or does not place exactly one video.
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
        """The control token that the template puts right after a turn's text, such as `<|im_end|>`, if it puts one."""
        first_text, *controls = self._split(self._plain[1])
        return frozenset({self._controls[controls[0]].token_id} if controls and not first_text.strip() else ())

    def ids(self, text: str, *, with_video: bool) -> PromptIds:
        """Token ids of the prompt for a user's text, split at the place of the visual tokens if there are any."""
        if not with_video:
            return PromptIds(before=tuple(self._whole(*self._plain, text)), after=(), text=text)
        before, after = self.ids_around(text, ("", ""))
        return PromptIds(before=tuple(before), after=tuple(after), text=text)

    def ids_around(self, text: str, inside: Sequence[str]) -> list[list[int]]:
        """Token ids of the prompt for a user's text, with an adapter's own text in the place of the video.

        Where its text touches the template's or the user's, they are tokenised together, as in the whole prompt.

        Args:
            text: of the user.
            inside: the adapter's text before the first visual tokens, between them, and after the last ones; control
                tokens in it are honoured.

        Returns:
            Ids before, between and after the visual tokens: as many lists as there are texts.
        """
        opening, closing = self._with_video
        ids = self._whole(opening.replace(self._place.text, _PLACE.join(inside)), closing, text)
        cuts = [-1, *(index for index, token_id in enumerate(ids) if token_id == _PLACE_ID), len(ids)]
        return [ids[cut + 1 : following] for cut, following in pairwise(cuts)]

    def template_ids(self, text: str) -> list[int]:
        """Token ids of an adapter's own text, such as what separates frames; control tokens in it are honoured."""
        return self._encode_template(text, "", "")

    def text_ids(self, text: str) -> list[int]:
        """Token ids of a text with every control token in it read as plain letters."""
        ids = self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        return [token_id for token_id in ids if token_id not in self._control_ids]

    def _whole(self, opening: str, closing: str, text: str) -> list[int]:
        """Ids of a prompt with the token that begins every text; some templates leave that to us."""
        ids = self._encode_template(opening, text, closing)
        if self._leading_ids and ids[: len(self._leading_ids)] != list(self._leading_ids):
            return [*self._leading_ids, *ids]
        return ids

    def _render(self, *, with_video: bool) -> tuple[str, str]:
        content: list[dict[str, str]] = [{"type": self._place.content_type}] if with_video else []
        turn = {"role": "user", "content": [*content, {"type": "text", "text": _MARKER}]}
        rendered: str = self._tokenizer.apply_chat_template([turn], tokenize=False, add_generation_prompt=True)
        opening, marker, closing = rendered.partition(_MARKER)
        if not marker or rendered.count(self._place.text) != int(with_video):
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
            if is_control:
                ids.append(self._controls[run].token_id)
            elif index == 0 or not self._marks_words:
                ids += self.text_ids(self._strip(runs, index))
            else:
                ids += self._text_ids_inside(self._strip(runs, index))
        return ids

    def _text_ids_inside(self, text: str) -> list[int]:
        """Token ids of a text after a control token, without the mark that the tokenizer puts before a whole text."""
        return self.text_ids(_APART + text)[len(self.text_ids(_APART)) :]

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
        if index > 0 and self._controls[runs[index - 1]].rstrip:
            run = run.lstrip()
        if index + 1 < len(runs) and self._controls[runs[index + 1]].lstrip:
            run = run.rstrip()
        return run


def _marks_words(tokenizer: ChatTokenizer, control: str | None) -> bool:
    """Whether the tokenizer puts a space before a whole text, but not before one that follows a control token.

    So do those of Llama in newer files; in older ones, every text between two control tokens gets a space.
    """
    if control is None:
        return False
    alone = tokenizer.encode("a", add_special_tokens=False, split_special_tokens=True)
    following = tokenizer.encode(f"{control}a", add_special_tokens=False, split_special_tokens=False)[1:]
    return following != alone
