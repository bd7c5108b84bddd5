"""A language model as the judge of open-ended answers (as in Maaz et al., "Video-ChatGPT", 2023, arXiv 2306.05424).

Accuracies move by several points from one judge to another: numbers are comparable only with equal judge and prompt.
Both are settings, so the `repr` in the results file records them.
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
from keepsight.method.protocol import AnswerRequest, VideoModel

TEMPLATE = """You grade answers to questions about a video. You cannot see the video; trust the correct answer.
Question: {question}
Correct answer: {answer}
Answer to grade: {prediction}
Does the answer to grade mean the same as the correct answer? Other words for the same thing are fine; a contradiction \
or a missing main point is not. Give 'yes' or 'no', and a whole number from 0 (nothing matches) to 5 (the same meaning).
Reply with one Python dictionary and nothing else, in this form: {{'pred': 'no', 'score': 1}}"""
"""The default prompt, which stays readable if a model joins lines."""

_FIELDS = ["answer", "prediction", "question"]


class AnswerJudge(Protocol):
    """Decides whether a free-text answer is correct."""

    def judge(self, question: str, answer: str, prediction: str) -> Verdict:
        """Compare a prediction with the correct answer to a question.

        Raises:
            JudgeError: the judge is unreachable or replies in another format.
        """


@dataclass(frozen=True)
class Judge:
    """A judge behind an OpenAI-compatible endpoint.

    Attributes:
        endpoint: the endpoint, with timeouts and the key's variable.
        model: model name at the endpoint.
        template: prompt with the fields {question}, {answer} and {prediction}.
        temperature: 0 for the least variation; None to omit it, for models that refuse it.

    Raises:
        SettingError: the template does not have exactly these fields, or the model has no name.
    """

    endpoint: Endpoint
    model: str
    template: str = TEMPLATE
    temperature: float | None = 0.0

    def __post_init__(self) -> None:
        check_template(self.template)
        if not self.model.strip():
            raise SettingError("the judge's model name must not be empty")

    def judge(self, question: str, answer: str, prediction: str) -> Verdict:
        """Judge a prediction, retrying malformed replies up to the endpoint's `retries`."""
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
            raise JudgeError(f"{error}; Retry-After is {wanted:.0f} s, above max_wait_seconds ({longest:.0f})")
        self.endpoint.pause(wanted)


@dataclass(frozen=True, eq=False)
class LocalJudge:
    """A loaded model as judge. It answers greedily, so malformed replies are not retried.

    Attributes:
        model: any adapter; it gets no frames.
        template: prompt with the fields {question}, {answer} and {prediction}.
        max_new_tokens: token limit of the reply.
        model_name: its name, for the results file.

    Raises:
        SettingError: the template does not have exactly these fields.
    """

    model: VideoModel = field(repr=False)
    template: str = TEMPLATE
    max_new_tokens: int = 32
    model_name: str = field(init=False)

    def __post_init__(self) -> None:
        check_template(self.template)
        object.__setattr__(self, "model_name", self.model.info.name)

    def judge(self, question: str, answer: str, prediction: str) -> Verdict:
        """Judge a prediction.

        Raises:
            PromptTooLongError: the prompt exceeds the model's context window.
        """
        prompt = self.template.format(question=question, answer=answer, prediction=prediction)
        return read_verdict("".join(self.model.answer(AnswerRequest("", prompt, max_new_tokens=self.max_new_tokens))))


@dataclass(frozen=True)
class JudgeScorer:
    """Correct if the judge says so; also has the judge's rating and token F1.

    Attributes:
        judge: None leaves answers unscored, to be judged later.
    """

    judge: AnswerJudge | None = None

    def score(self, question: Question, answer: str) -> Score:
        """Score an answer. An empty answer is wrong without asking."""
        f1 = token_f1(answer, question.answer)
        if not answer.strip():
            return Score(0.0, f1, rating=0)
        if self.judge is None:
            return Score(None, f1)
        verdict = self.judge.judge(question.question, question.answer, answer)
        return Score(float(verdict.right), f1, verdict.rating)


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
