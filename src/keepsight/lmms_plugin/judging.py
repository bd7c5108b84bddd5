"""lmms-eval's configured judge, with verdicts in the format of Keepsight's bench."""

import os
from dataclasses import dataclass
from typing import Any

from lmms_eval.llm_judge import Request, ServerConfig, get_server

from keepsight.bench.scoring.judge_settings import TEMPLATE
from keepsight.bench.scoring.verdict import Verdict, read_verdict
from keepsight.errors import JudgeError, MalformedVerdictError

_ATTEMPTS = 3


@dataclass(frozen=True)
class ServerJudge:
    """A judge behind one of lmms-eval's connections, which read URL and key from the environment.

    Attributes:
        server: answers `evaluate`.
    """

    server: Any

    def judge(self, question: str, answer: str, prediction: str) -> Verdict:
        """Judge a prediction; malformed replies are retried, three attempts in all.

        Raises:
            MalformedVerdictError: no reply has a verdict.
        """
        prompt = TEMPLATE.format(question=question, answer=answer, prediction=prediction)
        last = MalformedVerdictError("no judge is configured")
        for _ in range(_ATTEMPTS):
            reply = self.server.evaluate(Request(messages=[{"role": "user", "content": prompt}]))
            try:
                return read_verdict(reply.content)
            except MalformedVerdictError as error:
                last = error
        raise last


def judge_from_environment() -> ServerJudge | None:
    """Judge named by MODEL_VERSION behind API_TYPE, or None if no model is named.

    Raises:
        JudgeError: a model is named, but there is no key for it.
    """
    model = os.environ.get("MODEL_VERSION", "")
    if not model:
        return None
    kind = os.environ.get("API_TYPE", "openai")
    server = get_server(kind, ServerConfig(model_name=model, temperature=0.0, max_tokens=64))
    if not server.is_available():
        raise JudgeError(f"MODEL_VERSION names the judge {model}, but lmms-eval has no key for API_TYPE {kind}")
    return ServerJudge(server)
