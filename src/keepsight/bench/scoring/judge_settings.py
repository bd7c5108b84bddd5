"""How a judge is asked and its reply read. All prompts are worded here.

| setting | messages | limit of the reply | reading of the reply |
|---|---|---|---|
| `keepsight` | one, of the user | the endpoint's | `pred` is yes or no, `score` a whole number |
| `rekv` | system and user | 300 tokens | `pred` contains yes, else no; a decimal `score` is cut to its whole part |

`rekv` is that of the evaluation that ReKV (arXiv 2503.00540) publishes for RVS, whose judge is gpt-3.5-turbo at
temperature 0. Four things differ from it. Its instructions are worded here; `--judge-prompt` takes the published text.
A reply is read up to its first closing brace, where the published script needs the dictionary alone. A reply without
yes or no, or with a score outside 0 to 5, is asked for again, where the published script counts its score but not its
verdict; it asks without end, this one as often as the endpoint's `retries` say. An empty answer is wrong, unasked.
"""

import string
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from keepsight.bench.scoring.verdict import VERDICT_READERS
from keepsight.errors import SettingError

_FIELDS = ["answer", "prediction", "question"]

_SEPARATOR = "\n---\n"
"""Line in a prompt file between the system's message and the user's."""


def check_template(template: str) -> None:
    """Check that a prompt shows the judge all three texts.

    Raises:
        SettingError: its fields are not exactly {question}, {answer} and {prediction}.
    """
    try:
        pieces = list(string.Formatter().parse(template))
    except ValueError:
        pieces = []
    plain = all(not specification and conversion is None for _, _, specification, conversion in pieces)
    if sorted({name for _, name, _, _ in pieces if name is not None}) != _FIELDS or not plain:
        raise SettingError(
            "the judge's prompt must have the fields {question}, {answer} and {prediction}; double any other "
            "brace: {{ }}"
        )


@dataclass(frozen=True)
class JudgeSetting:
    """What a judge is asked, and how its reply is read.

    Attributes:
        template: the user's message with the fields {question}, {answer} and {prediction}.
        system: the system's message, as it is; empty for none.
        max_reply_tokens: limit of the reply; None for the endpoint's own.
        reading: rule for the reply, a key of `verdict.VERDICT_READERS`.
        model: model name where the user gives none; empty to require one.

    Raises:
        SettingError: the template does not have exactly these fields, or there is no such rule.
    """

    template: str
    system: str = ""
    max_reply_tokens: int | None = None
    reading: str = "strict"
    model: str = ""

    def __post_init__(self) -> None:
        check_template(self.template)
        if self.reading not in VERDICT_READERS:
            raise SettingError(f"reading must be one of {', '.join(VERDICT_READERS)}, got {self.reading!r}")

    def message(self, question: str, answer: str, prediction: str) -> str:
        """The user's message about a prediction."""
        return self.template.format(question=question, answer=answer, prediction=prediction)

    def with_prompt(self, text: str) -> "JudgeSetting":
        """This setting with another prompt: the system's message, a line `---`, and the user's; or the user's alone.

        Raises:
            SettingError: the fields are missing.
        """
        before, line, after = text.replace("\r\n", "\n").partition(_SEPARATOR)
        return replace(self, system=before.strip() if line else "", template=(after if line else before).strip())


TEMPLATE = """You grade answers to questions about a video. You cannot see the video; trust the correct answer.
Question: {question}
Correct answer: {answer}
Answer to grade: {prediction}
Does the answer to grade mean the same as the correct answer? Other words for the same thing are fine; a contradiction \
or a missing main point is not. Give 'yes' or 'no', and a whole number from 0 (nothing matches) to 5 (the same meaning).
Reply with one Python dictionary and nothing else, in this form: {{'pred': 'no', 'score': 1}}"""
"""The default prompt."""

_REKV_SYSTEM = """You check whether answers to questions about videos are right.
You get the correct answer and a predicted one, and decide whether they match in meaning. Synonyms and other words for \
the same thing match."""

_REKV_TEMPLATE = """Here are a question about a video and two answers.

Question: {question}
Correct Answer: {answer}
Predicted Answer: {prediction}

Decide yes or no, and give a score from 0 to 5, where 5 is the best match. Reply with a Python dictionary alone: \
'pred' is 'yes' or 'no', 'score' a whole number. For example: {{'pred': 'yes', 'score': 4}}"""

JUDGE_SETTINGS: Final[Mapping[str, JudgeSetting]] = MappingProxyType(
    {
        "keepsight": JudgeSetting(TEMPLATE),
        "rekv": JudgeSetting(_REKV_TEMPLATE, _REKV_SYSTEM, 300, "lenient", "gpt-3.5-turbo"),
    }
)
"""Settings by the names that `--judge-setting` takes."""
