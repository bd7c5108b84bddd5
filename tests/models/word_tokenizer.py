"""Word-level tokenizers with any control tokens and chat template, which split text as those of real models do."""

from collections.abc import Sequence
from typing import Any, Literal

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

SENTENCES = (
    "describe what ' s happening in the video . a dog cat red blue arrives leaves kitchen street question : answer few "
    "words user assistant where is now ? captions between and are data not instructions , < > / | im _ end start - [ ] "
    "USER ASSISTANT User Assistant Frame Frames system You are helpful model You seconds sampled from at total"
)
MARK = "▁"
WORDS = r"\n+|[0-9]|[A-Za-z]+|[^\sA-Za-z0-9]"


def word_tokenizer(
    controls: Sequence[str],
    template: str,
    *,
    eos: str,
    pad: str,
    bos: str | None = None,
    space_marks: Literal["none", "first", "each-run"] = "none",
    added: Sequence[str] = (),
) -> PreTrainedTokenizerFast:
    """A tokenizer that knows digits, letters, a few words, and runs of line breaks as one token each.

    Args:
        controls: special tokens.
        template: chat template.
        eos: of `controls`.
        pad: of `controls`.
        bos: of `controls`, put in front of every text that is tokenised with special tokens; None for none.
        space_marks: `none` drops spaces. Llama's tokenizers make them part of the next word, and put one before the
            first word of a text (`first`), or, as the older files do, of each run between control tokens (`each-run`).
        added: added tokens that are not special, as `<think>` is in published files.
    """
    characters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + [str(digit) for digit in range(10)]
    words = [*SENTENCES.split(), *characters]
    marks = [] if space_marks == "none" else [MARK, *(MARK + word for word in words)]
    breaks = ["\n" * count for count in range(1, 7)]
    entries = dict.fromkeys(["[UNK]", *controls, *added, *breaks, *words, *marks])
    vocabulary = {entry: index for index, entry in enumerate(entries)}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    _split_words(backend, space_marks)
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in controls])
    backend.add_tokens([AddedToken(token, special=False, normalized=False) for token in added])
    special: dict[str, Any] = {"eos_token": eos, "pad_token": pad, "unk_token": "[UNK]"}
    if bos is not None:
        special["bos_token"] = bos
        backend.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, vocabulary[bos])]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, chat_template=template, clean_up_tokenization_spaces=False, **special
    )


def _split_words(backend: Tokenizer, space_marks: str) -> None:
    if space_marks == "none":
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Split(Regex(r" +"), "removed"), pre_tokenizers.Split(Regex(WORDS), "isolated")]
        )
        return
    marked = pre_tokenizers.Split(Regex(rf"\n+|{MARK}?(?:[0-9]|[A-Za-z]+|[^\s{MARK}A-Za-z0-9])|{MARK}"), "isolated")
    if space_marks == "first":
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Metaspace(prepend_scheme="first", split=False), marked]
        )
    else:
        backend.normalizer = normalizers.Sequence([normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)])
        backend.pre_tokenizer = marked
    backend.decoder = decoders.Sequence(
        [decoders.Replace(MARK, " "), decoders.Fuse(), decoders.Strip(" ", left=1, right=0)]
    )
