"""A language model as the judge of open-ended answers (as in Maaz et al., "Video-ChatGPT", 2023, arXiv 2306.05424).

Accuracies move by several points from one judge to another: numbers compare only where judge and prompt are the same.
Both are settings, so that the `repr` in the results file says which they were.
"""

import string
from dataclasses import dataclass, field
from typing import Protocol

from keepsight.bench.records import Question
from keepsight.bench.scoring.base import Score
from keepsight.bench.scoring.endpoint import Endpoint
from keepsight.bench.scoring.exact import token_f1
from keepsight.bench.scoring.verdict import Verdict, read_verdict
from keepsight.errors import JudgeBusyError, JudgeError, MalformedVerdictError, SettingError
from keepsight.models.protocol import VideoModel

TEMPLATE = """You grade answers to questions about a video. You cannot see the video; trust the correct answer.
Question: {question}
Correct answer: {answer}
Answer to grade: {prediction}
Does the answer to grade mean the same as the correct answer? Other words for the same thing are fine; a contradiction \
or a missing main point is not. Give 'yes' or 'no', and a whole number from 0 (nothing matches) to 5 (the same meaning).
Reply with one Python dictionary and nothing else, in this form: {{'pred': 'no', 'score': 1}}"""
"""The default prompt. It also reads well where a model joins its lines."""

_FIELDS = ["answer", "prediction", "question"]


class AnswerJudge(Protocol):
    """What says whether a free answer is right."""

    def judge(self, question: str, answer: str, prediction: str) -> Verdict:
        """Compare a prediction with the right answer to a question.

        Raises:
            JudgeError: the judge cannot be reached or does not reply in the form it was asked for.
        """


@dataclass(frozen=True)
class Judge:
    """A judge behind an OpenAI-compatible address.

    Attributes:
        endpoint: where, with its time limits and the name of the variable that holds the key.
        model: name that the endpoint knows it by.
        template: prompt with the fields {question}, {answer} and {prediction}.
        temperature: 0 for replies that vary least; None leaves it out, for models that refuse it.

    Raises:
        SettingError: the template has not exactly these fields, or the model has no name.
    """

    endpoint: Endpoint
    model: str
    template: str = TEMPLATE
    temperature: float | None = 0.0

    def __post_init__(self) -> None:
        check_template(self.template)
        if not self.model.strip():
            raise SettingError("the judge's model needs a name")

    def judge(self, question: str, answer: str, prediction: str) -> Verdict:
        """See `AnswerJudge.judge`. Malformed replies are asked for again, as often as the endpoint's `retries` say."""
        prompt = self.template.format(question=question, answer=answer, prediction=prediction)
        body: dict[str, object] = {"model": self.model, "messages": [{"role": "user", "content": prompt}]}
        if self.temperature is not None:
            body["temperature"] = self.temperature
        for attempt in range(self.endpoint.retries + 1):
            try:
                return read_verdict(self.endpoint.complete(body))
            except (MalformedVerdictError, JudgeBusyError) as error:
                last = error
            if attempt < self.endpoint.retries and isinstance(last, JudgeBusyError):
                self._wait(attempt, last)
        raise JudgeError(f"{last} ({self.endpoint.retries + 1} attempts)") from None

    def _wait(self, attempt: int, error: JudgeBusyError) -> None:
        longest = self.endpoint.max_wait_seconds
        wanted = min(2.0**attempt, longest) if error.wait_seconds is None else error.wait_seconds
        if wanted > longest:
            raise JudgeError(f"{error}; it asks to wait {wanted:.0f} s, allowed is {longest:.0f} s")
        self.endpoint.pause(wanted)


@dataclass(frozen=True, eq=False)
class LocalJudge:
    """A loaded model as the judge. It answers greedily, so a malformed reply would come again: there are no retries.

    Attributes:
        model: any adapter; no frames are shown to it.
        template: prompt with the fields {question}, {answer} and {prediction}.
        max_new_tokens: longest reply.
        model_name: the model's, for the results file.

    Raises:
        SettingError: the template has not exactly these fields.
    """

    model: VideoModel = field(repr=False)
    template: str = TEMPLATE
    max_new_tokens: int = 32
    model_name: str = field(init=False)

    def __post_init__(self) -> None:
        check_template(self.template)
        object.__setattr__(self, "model_name", self.model.info.name)

    def judge(self, question: str, answer: str, prediction: str) -> Verdict:
        """See `AnswerJudge.judge`.

        Raises:
            PromptTooLongError: the prompt does not fit the model's window.
        """
        prompt = self.template.format(question=question, answer=answer, prediction=prediction)
        return read_verdict("".join(self.model.answer("", prompt, max_new_tokens=self.max_new_tokens)))


@dataclass(frozen=True)
class JudgeScorer:
    """Right is what the judge calls right; its mark is the rating and the token F1 stands beside it.

    Attributes:
        judge: None leaves answers unscored, so that they can be judged later.
    """

    judge: AnswerJudge | None = None

    def score(self, question: Question, answer: str) -> Score:
        """See `Scorer.score`. An empty answer is wrong without asking."""
        f1 = token_f1(answer, question.answer)
        if not answer.strip():
            return Score(0.0, f1, rating=0)
        if self.judge is None:
            return Score(None, f1)
        verdict = self.judge.judge(question.question, question.answer, answer)
        return Score(float(verdict.right), f1, verdict.rating)


def check_template(template: str) -> None:
    """Refuse a prompt that would not show the judge all three texts.

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
            "the judge's prompt has the fields {question}, {answer} and {prediction}, any other brackets doubled: {{ }}"
        )
