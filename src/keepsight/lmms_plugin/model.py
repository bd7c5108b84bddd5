"""Model class for lmms-eval, imported only by it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lmms_eval.api.instance import Instance
from lmms_eval.api.model import lmms

from keepsight.errors import SettingError
from keepsight.lmms_plugin.answering import VideoAnswerer
from keepsight.lmms_plugin.arguments import read_settings
from keepsight.lmms_plugin.questions import VideoQuestion, read_question, seconds_of
from keepsight.models.loading import load_model


class Keepsight(lmms):  # type: ignore[misc]
    """Answers video tasks with the full loop. Arguments are those of `--model_args`.

    Args:
        pretrained: `tiny`, a folder, or a Hugging Face id.
        device: torch device; None for a GPU if available.
        dtype: type of the weights; None for the device's default.
        journal: journal that keeps captions for later runs; None for this run only.
        ask_time_field: field of the task's documents with the question's time in seconds, for videos without an end
            time.
        batch_size: must be 1; videos are watched one at a time.
        max_batch_size: ignored.
        settings: every other argument is a field of `keepsight.Settings`.

    Raises:
        SettingError: an argument is unknown or invalid.
        ModelError: loading the model failed.
    """

    is_simple = False

    def __init__(
        self,
        pretrained: str = "tiny",
        device: str | None = None,
        dtype: str | None = None,
        journal: str | None = None,
        ask_time_field: str | None = None,
        batch_size: int | str = 1,
        max_batch_size: int | None = None,  # noqa: ARG002
        **settings: object,
    ) -> None:
        super().__init__()
        if str(batch_size) not in {"1", "auto"}:
            raise SettingError(f"batch_size must be 1, got {batch_size}: videos are watched one at a time")
        if os.environ.get("WORLD_SIZE", "1") != "1":
            raise SettingError("WORLD_SIZE must be 1: Keepsight runs in one process here; split the tasks instead")
        chosen = read_settings(settings)
        model = load_model(pretrained, device=device, dtype=dtype)
        self._ask_time_field = ask_time_field
        self._answerer = VideoAnswerer(model, chosen, Path(journal) if journal else None)

    def generate_until(self, requests: Sequence[Instance]) -> list[str]:
        """Answers in order of the requests; each video is watched once.

        Raises:
            DataError: a request is not about exactly one video file.
            KeepsightError: as for `VideoAnswerer.answer_all`.
        """
        questions = []
        for request in requests:
            _, doc_to_messages, generation, doc_id, task, split = request.args
            document = self.task_dict[task][split][doc_id]
            questions.append(self._question(document, doc_to_messages(document), generation))
        return self._answerer.answer_all(questions)

    def generate_until_multi_round(self, requests: Sequence[Instance]) -> list[list[str]]:
        """Answers of each request's rounds; a task makes the next round from the answers so far.

        Raises:
            DataError: a round is not about exactly one video file.
            KeepsightError: as for `VideoAnswerer.answer_all`.
        """
        return [self._all_rounds(request) for request in requests]

    def loglikelihood(self, requests: Sequence[Instance]) -> list[tuple[float, bool]]:
        """Not supported.

        Raises:
            SettingError: always.
        """
        raise SettingError(
            f"loglikelihood is not supported ({len(requests)} requests): Keepsight generates answers only; "
            "choose tasks with output type generate_until"
        )

    def clean(self) -> None:
        """Close the journal; lmms-eval calls this before scoring."""
        self._answerer.close()
        super().clean()

    def _all_rounds(self, request: Instance) -> list[str]:
        _, doc_to_messages, generation, doc_id, task, split = request.args
        document = self.task_dict[task][split][doc_id]
        messages: Any = doc_to_messages(document)
        answers: list[str] = []
        info: Any = None
        while messages is not None:
            answers += self._answerer.answer_all([self._question(document, messages, generation)])
            step = doc_to_messages(
                document, round_idx=len(answers), previous_output=list(answers), previous_round_info=info
            )
            # A task without more rounds says so in the second of four values, or returns something else.
            is_over = not (isinstance(step, tuple) and len(step) == 4) or step[1]
            messages, info = (None, None) if is_over else (step[0], step[3])
        return answers

    def _question(self, document: Any, messages: Any, generation: dict[str, Any]) -> VideoQuestion:
        field = self._ask_time_field
        if field is None:
            return read_question(messages, generation)
        if field not in document:
            raise SettingError(f"ask_time_field must be one of {', '.join(document)}, got {field!r}")
        return read_question(messages, generation, ask_seconds=seconds_of(document[field], field))
