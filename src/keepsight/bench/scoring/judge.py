"""A language model as the judge of open-ended answers (as in Maaz et al., "Video-ChatGPT", 2023, arXiv 2306.05424).

Accuracies move by several points from one judge to another: numbers are comparable only with equal judge and prompt.
Both are settings, so the `repr` in the results file records them.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Protocol

from keepsight.bench.records import Question
from keepsight.bench.scoring.base import Score
from keepsight.bench.scoring.endpoint import Endpoint
from keepsight.bench.scoring.exact import token_f1
from keepsight.bench.scoring.judge_settings import JUDGE_SETTINGS, JudgeSetting
from keepsight.bench.scoring.verdict import VERDICT_READERS, Verdict
from keepsight.errors import JudgeBusyError, JudgeError, MalformedVerdictError, SettingError
from keepsight.method.protocol import AnswerRequest, VideoModel


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
        setting: prompt, and reading of the reply.
        temperature: 0 for the least variation; None to omit it, for models that refuse it.

    Raises:
        SettingError: the model has no name.
    """

    endpoint: Endpoint
    model: str
    setting: JudgeSetting = JUDGE_SETTINGS["keepsight"]
    temperature: float | None = 0.0

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise SettingError("the judge's model name must not be empty")

    @property
    def identity(self) -> str:
        """All that its verdicts depend on, for `VerdictCache`; another address may be another model of that name."""
        return json.dumps([self.endpoint.url, self.model, self.temperature, asdict(self.setting)])

    def judge(self, question: str, answer: str, prediction: str) -> Verdict:
        """Judge a prediction, retrying malformed replies up to the endpoint's `retries`."""
        read, body = VERDICT_READERS[self.setting.reading], self._body(question, answer, prediction)
        for attempt in range(self.endpoint.retries + 1):
            try:
                return read(self.endpoint.complete(body))
            except (MalformedVerdictError, JudgeBusyError) as error:
                last = error
            if attempt < self.endpoint.retries and isinstance(last, JudgeBusyError):
                self._wait(attempt, last)
        raise JudgeError(f"{last} ({self.endpoint.retries + 1} attempts)") from None

    def _body(self, question: str, answer: str, prediction: str) -> dict[str, object]:
        setting = self.setting
        texts = {"system": setting.system, "user": setting.message(question, answer, prediction)}
        messages = [{"role": role, "content": text} for role, text in texts.items() if text]
        options = {"temperature": self.temperature, "max_tokens": setting.max_reply_tokens}
        given = {name: value for name, value in options.items() if value is not None}
        return {"model": self.model, "messages": messages, **given}

    def _wait(self, attempt: int, error: JudgeBusyError) -> None:
        longest = self.endpoint.max_wait_seconds
        wanted = min(2.0**attempt, longest) if error.wait_seconds is None else error.wait_seconds
        if wanted > longest:
            raise JudgeError(f"{error}; Retry-After is {wanted:.0f} s, above max_wait_seconds ({longest:.0f})")
        self.endpoint.pause(wanted)


@dataclass(frozen=True, eq=False)
class LocalJudge:
    """A loaded model as judge. It answers greedily, so malformed replies are not retried.

    The system's message, if any, precedes the user's in one turn.

    Attributes:
        model: any adapter; it gets no frames.
        setting: prompt, and reading of the reply.
        max_new_tokens: token limit of the reply, unless the setting has one.
        model_name: its name, for the results file.
    """

    model: VideoModel = field(repr=False)
    setting: JudgeSetting = JUDGE_SETTINGS["keepsight"]
    max_new_tokens: int = 32
    model_name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "model_name", self.model.info.name)

    @property
    def identity(self) -> str:
        """All that its verdicts depend on, for `VerdictCache`."""
        info = self.model.info
        return json.dumps([asdict(info.identity), info.dtype, self._max_new_tokens, asdict(self.setting)])

    def judge(self, question: str, answer: str, prediction: str) -> Verdict:
        """Judge a prediction.

        Raises:
            PromptTooLongError: the prompt exceeds the model's context window.
        """
        setting = self.setting
        prompt = f"{setting.system}\n{setting.message(question, answer, prediction)}".strip()
        request = AnswerRequest("", prompt, max_new_tokens=self._max_new_tokens)
        return VERDICT_READERS[setting.reading]("".join(self.model.answer(request)))

    @property
    def _max_new_tokens(self) -> int:
        return self.setting.max_reply_tokens or self.max_new_tokens


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
