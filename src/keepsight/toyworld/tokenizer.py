"""The bundled model's tokenizer: one token per word of the toy world, two digits per token."""

from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from keepsight.method import prompts
from keepsight.settings import DESCRIBE_PROMPT
from keepsight.toyworld.vocabulary import COLOURS, COUNT_WORDS, NOUNS, PLACES

SPECIAL_TOKENS = ("<pad>", "<unk>", "<|im_start|>", "<|im_end|>", "<video>", "<image>")
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + ' ' }}"
    "{% if message['content'] is string %}{{ '\n' + message['content'] }}{% else %}"
    "{% for part in message['content'] if part['type'] == 'video' %}{{ '<video>' }}{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ '\n' + part['text'] }}{% endfor %}"
    "{% endif %}{{ '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""Turn format of LLaVA-OneVision checkpoints: video first, then the text on a new line."""
VISION_TOKENS = ("<|vision_start|>", "<|vision_end|>", "<|video_pad|>", "<|image_pad|>")
"""Additional tokens of Qwen2.5-VL prompts; their ids follow those of all words."""
VISION_CHAT_TEMPLATE = CHAT_TEMPLATE.replace("<video>", "<|vision_start|><|video_pad|><|vision_end|>")
"""The same turns in the format of Qwen2.5-VL checkpoints."""

_FUNCTION_WORDS = (
    "user assistant system a an the in on of at to from and or not with into out behind is are was were "
    "be it did do does there here what which where who when how many times colour color last first later "
    "now come came go went leave leave arrives returns leaves stays moves left right goes comes hides hid "
    "carried away time go nothing happens happened box empty closed open yes no see seen appear yourself "
    "can you me tell please picture video screen "
)


def words() -> list[str]:
    """All words that the model can read or write, without numbers, in a fixed order."""
    texts = [DESCRIBE_PROMPT, prompts.question_text(prompts.captions_context(["x"]), "")]
    from_prompts = "".join(ch if ch.isalpha() or ch == "'" else " " for ch in " ".join(texts).lower()).split()
    fixtures = PLACES.values()
    everything = [*_FUNCTION_WORDS.split(), *from_prompts, *NOUNS, *COLOURS, *PLACES, *fixtures, *COUNT_WORDS]
    return list(dict.fromkeys(everything))


def build_tokenizer(*, vision_tokens: bool = False) -> PreTrainedTokenizerFast:
    """Word-level tokenizer over lower-case text; a word's token includes the preceding space.

    Args:
        vision_tokens: append the tokens of Qwen2.5-VL prompts, and use its chat template.
    """
    numbers = [*(f"{number:02d}" for number in range(100)), *(str(digit) for digit in range(10))]
    marks = [*"[](){}<>/:;,.?!-_'\"\n▁"]
    plain = [*words(), *numbers]
    added = VISION_TOKENS if vision_tokens else ()
    spaced = (f"▁{token}" for token in [*plain, *"<(["])
    vocabulary = dict.fromkeys([*SPECIAL_TOKENS, *marks, *plain, *spaced, *added])
    ids = {token: number for number, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace(" ", "▁")])
    pattern = Regex(r"▁?[a-z']+|▁?[0-9]{2}|▁?[0-9]|▁?[<(\[]|\n|▁|[^a-z0-9▁\n]")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(pattern, behavior="isolated")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    special = [AddedToken(token, special=True, normalized=False) for token in (*SPECIAL_TOKENS, *added)]
    tokenizer.add_special_tokens(special)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        unk_token="<unk>",
        eos_token="<|im_end|>",
        chat_template=VISION_CHAT_TEMPLATE if vision_tokens else CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        padding_side="left",
        model_input_names=["input_ids", "attention_mask"],
    )


def save_tokenizer(folder: Path, *, vision_tokens: bool = False) -> None:
    """Write the tokenizer files into a model folder."""
    build_tokenizer(vision_tokens=vision_tokens).save_pretrained(folder)
