"""Scoring of `keepsight bench run`, and the options of its judge."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from keepsight.errors import SettingError
from keepsight.incoming import did_you_mean

if TYPE_CHECKING:
    from keepsight.bench.records import DataSet
    from keepsight.bench.runner import RunSettings
    from keepsight.bench.scoring import Scorer
    from keepsight.bench.scoring.judge_settings import JudgeSetting


@dataclass(frozen=True)
class JudgeOptions:
    """Options of the judge of open answers, as given.

    Attributes:
        url: its endpoint, if it is not the model under test.
        model: its name, or `local` for the model under test.
        key_variable: environment variable with its API key.
        prompt: file with its prompt; None for that of the setting.
        setting: name in `JUDGE_SETTINGS`; None for the default.
    """

    url: str | None
    model: str
    key_variable: str
    prompt: Path | None
    setting: str | None


def read_scorer(data_set: "DataSet", settings: "RunSettings", options: JudgeOptions, default_setting: str) -> "Scorer":
    """The data set's scoring rule, with its judge if it needs one; verdicts are kept beside the answers.

    Raises:
        SettingError: a required judge is missing or invalid.
    """
    from keepsight.bench.scoring import make_scorer

    if data_set.scoring != "judge":
        return make_scorer(data_set.scoring)
    if options.url is None and options.model != "local":
        raise SettingError(f"answers of {data_set.name} are judged: give --judge-url and --judge-model, or `local`")
    from keepsight.bench.scoring.endpoint import Endpoint
    from keepsight.bench.scoring.judge import Judge, LocalJudge
    from keepsight.bench.scoring.verdict_cache import VerdictCache

    how = _judge_setting(options.setting or default_setting, options.prompt)
    judge: Judge | LocalJudge
    if options.url is None:
        judge = LocalJudge(settings.load(), how)
    else:
        endpoint = Endpoint(options.url, api_key_variable=options.key_variable)
        judge = Judge(endpoint, options.model or how.model, how)
    return make_scorer("judge", VerdictCache(judge, settings.cache_folder / "verdicts"))


def _judge_setting(name: str, prompt: Path | None) -> "JudgeSetting":
    from keepsight.bench.scoring.judge_settings import JUDGE_SETTINGS

    if name not in JUDGE_SETTINGS:
        known = ", ".join(JUDGE_SETTINGS)
        raise SettingError(f"judge setting must be one of {known}, got {name!r}{did_you_mean(name, JUDGE_SETTINGS)}")
    setting = JUDGE_SETTINGS[name]
    return setting if prompt is None else setting.with_prompt(_read_prompt(prompt))


def _read_prompt(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingError(f"cannot read the judge's prompt {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingError(f"the judge's prompt {path} is no UTF-8 text") from error
