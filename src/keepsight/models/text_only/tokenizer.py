"""The checkpoint's own tokenizer and chat template, read without transformers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from keepsight.errors import ModelError
from keepsight.models.json_files import read_object


class PlainTokenizer:
    """The part of a transformers tokenizer that answers need (`prompting.chat.ChatTokenizer`).

    Args:
        tokenizer: of the checkpoint's `tokenizer.json`.
        template: its chat template, in Jinja.
        special: texts of special tokens by role, such as `eos_token`.
    """

    def __init__(self, tokenizer: Tokenizer, template: str, special: dict[str, str]) -> None:
        self._tokenizer = tokenizer
        self._special = special
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        self._template = environment.from_string(template)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Tokenizer of a checkpoint folder.

        Raises:
            ModelError: a file is missing or damaged, or the tokenizer changes text that it decodes.
        """
        settings = read_object(folder / "tokenizer_config.json", is_needed=True)
        try:
            template = (folder / "chat_template.jinja").read_text(encoding="utf-8")
            tokenizer = Tokenizer.from_str((folder / "tokenizer.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ModelError(f"cannot load the tokenizer in {folder}: {error}") from error
        if settings.get("clean_up_tokenization_spaces"):
            raise ModelError(f"clean_up_tokenization_spaces of {folder} must be false, got true")
        special = {role: text for role, text in settings.items() if role.endswith("_token") and isinstance(text, str)}
        return cls(tokenizer, template, special)

    @property
    def added_tokens_decoder(self) -> dict[int, Any]:
        """Added tokens by id."""
        return dict(self._tokenizer.get_added_tokens_decoder())

    @property
    def unk_token_id(self) -> int | None:
        """Id of the unknown token, if any."""
        return self.special_id("unk_token")

    def special_id(self, role: str) -> int | None:
        """Id of the special token with a role, such as `eos_token`; None without one."""
        text = self._special.get(role)
        return None if text is None else self._tokenizer.token_to_id(text)

    def encode(self, text: str, *, add_special_tokens: bool, split_special_tokens: bool) -> list[int]:
        """Token ids of a text; with `split_special_tokens` the text of a special token is read as plain letters."""
        self._tokenizer.encode_special_tokens = split_special_tokens
        return list(self._tokenizer.encode(text, add_special_tokens=add_special_tokens).ids)

    def apply_chat_template(
        self, conversation: Any, *, tokenize: bool, add_generation_prompt: bool, enable_thinking: bool
    ) -> str:
        """Conversation as text."""
        del tokenize
        return self._template.render(
            messages=conversation,
            add_generation_prompt=add_generation_prompt,
            enable_thinking=enable_thinking,
            **self._special,
        )

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids, without special tokens."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))
