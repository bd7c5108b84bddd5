"""Each setting by each door: flag, variable, file, request and program give the same, and refuse the same."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keepsight.cli.app import run
from keepsight.cli.settings import SERVE, WATCH
from keepsight.cli.settings_options import Load, TakesSettings
from keepsight.errors import SettingError
from keepsight.schema import (
    GROUPS,
    Choice,
    Flag,
    Kind,
    Layers,
    Many,
    Maybe,
    Number,
    PartName,
    PathKind,
    Spec,
    Text,
    Whole,
    specs_of,
)
from keepsight.schema.sources import LoadedSettings, load_settings
from keepsight.server.http.views.requests import NewStream
from keepsight.server.tokens import ScopedTokens, TokenKind
from keepsight.settings import PAPER, SELECTOR_NAMES, Settings

SPECS = {spec.name: spec for spec in specs_of(*SERVE)}
METHOD = {spec.name: spec for spec in specs_of(Settings)}
WORD = st.text("abcdefghij0123456789.-", min_size=1, max_size=20).filter(lambda text: text not in ("none", "all"))
TOKEN = st.text("abcdefghijklmnop0123456789", min_size=16, max_size=40)


def raw_values(kind: Kind) -> st.SearchStrategy[Any]:
    """What a user can mean by a setting, as JSON has it."""
    if isinstance(kind, Maybe):
        return st.none() | raw_values(kind.kind) if kind.word else raw_values(kind.kind)
    if isinstance(kind, Many):
        return st.lists(raw_values(kind.each), min_size=1, max_size=3)
    if isinstance(kind, Whole):
        return st.integers(kind.least, kind.most or 10**9)
    if isinstance(kind, Number):
        return st.floats(kind.least, kind.most or 1e9, exclude_min=kind.is_above, allow_subnormal=False)
    if isinstance(kind, Flag):
        return st.booleans()
    if isinstance(kind, Choice | PartName):
        return st.sampled_from([str(name) for name in kind.names])
    if isinstance(kind, Layers):
        return st.none() | st.just("all") | st.lists(st.integers(1, 99), min_size=1, max_size=4)
    if isinstance(kind, ScopedTokens):
        return st.lists(
            st.sampled_from(["read", "ask"]).flatmap(lambda scope: TOKEN.map(f"{scope}:limited-{{}}".format)),
            min_size=1,
            max_size=2,
            unique_by=lambda text: text.partition(":")[2],
        )
    if isinstance(kind, TokenKind):
        return TOKEN
    if isinstance(kind, PathKind | Text):
        return special_texts(kind)
    raise AssertionError(f"no values for {kind}: say here what can be meant by it")


def special_texts(kind: Kind) -> st.SearchStrategy[str]:
    metavar = kind.metavar
    if metavar == "DEVICE":
        return st.sampled_from(["auto", "cpu", "cuda", "cuda:3"])
    if metavar == "URL":
        return WORD.map(lambda word: f"http://host/{word}")
    if metavar == "ADDRESS":
        return st.sampled_from(["127.0.0.1", "::1", "localhost"])
    if metavar == "JSON":
        return WORD.map(lambda word: json.dumps({"option": word}))
    return WORD


def as_text(value: Any) -> str:
    """A value as a variable has it."""
    if value is None:
        return "none"
    return json.dumps(value) if isinstance(value, bool | list) else str(value)


def as_toml(value: Any) -> str:
    return json.dumps("none" if value is None else value)


def from_file(values: dict[str, Any], folder: Path) -> LoadedSettings:
    path = folder / "keepsight.toml"
    path.write_text("".join(f"{name} = {as_toml(value)}\n" for name, value in values.items()))
    return load_settings(SERVE, {}, path)


def from_environment(values: dict[str, Any], folder: Path) -> LoadedSettings:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(SPECS[name].variable, as_text(value))
        return load_settings(SERVE, {})


def from_flags(values: dict[str, Any], folder: Path) -> LoadedSettings:
    return by_flags([word for name, value in values.items() for word in words_of(SPECS[name], value)])


def words_of(spec: Spec, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [spec.flag if value else spec.flag.replace("--", "--no-", 1)]
    values = value if isinstance(value, list) and spec.kind.is_list else [value]
    texts = [",".join(map(str, one)) if isinstance(one, list) else as_text(one) for one in values]
    return [f"{spec.flag}={text}" for text in texts]


def by_flags(words: list[str]) -> LoadedSettings:
    """What a command that takes settings gets of words on the command line."""
    found: list[LoadedSettings] = []
    app = typer.Typer()

    @app.command()
    @TakesSettings(SERVE)
    def command(load: Load) -> None:
        found.append(load(None, False))

    app(args=words, standalone_mode=False)
    return found[0]


DOORS: dict[str, Callable[[dict[str, Any], Path], LoadedSettings]] = {
    "file": from_file,
    "environment": from_environment,
    "flags": from_flags,
}


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for spec in SPECS.values():
        monkeypatch.delenv(spec.variable, raising=False)


@pytest.mark.parametrize("owner", SERVE)
def test_each_field_says_what_it_is_for(owner: type) -> None:
    """`specs_of` raises a TypeError for a field that says nothing."""
    assert {spec.name for spec in specs_of(owner)} == {one.name for one in dataclasses.fields(owner)}
    for spec in specs_of(owner):
        assert spec.help.endswith(".")
        assert len(spec.help) > 10
        assert spec.group in GROUPS
        assert spec.kind.wanted


def test_a_field_without_help_is_refused() -> None:
    @dataclasses.dataclass(frozen=True)
    class Bare:
        width: int = 3

    with pytest.raises(TypeError, match=r"Bare\.width must be made by setting\(\)"):
        specs_of(Bare)


def all_values(specs: dict[str, Spec], *, for_requests: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    """A value for each setting."""
    kinds = {name: spec.request_kind if for_requests else spec.kind for name, spec in specs.items()}
    return st.fixed_dictionaries({name: raw_values(kind) for name, kind in kinds.items()})


def with_both_or_neither(values: dict[str, Any]) -> dict[str, Any]:
    """An answering server has an address and a model."""
    pair = ("answer_url", "answer_model")
    return values | dict.fromkeys(pair if None in [values[name] for name in pair] else ())


@pytest.mark.parametrize("door", DOORS)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(values=all_values(SPECS).map(with_both_or_neither))
def test_every_door_gives_what_a_program_gives(door: str, tmp_path: Path, values: dict[str, Any]) -> None:
    loaded = DOORS[door](values, tmp_path)
    given_floats = {name: float(one) if isinstance(SPECS[name].kind, Number) else one for name, one in values.items()}
    assert loaded.values == {name: SPECS[name].kind.check(one, name) for name, one in given_floats.items()}
    assert set(loaded.origins) == set(SPECS)
    assert loaded.make(Settings) == Settings(**{name: values[name] for name in METHOD})


@pytest.mark.parametrize("door", DOORS)
def test_a_setting_that_is_given_changes_no_other(door: str, tmp_path: Path) -> None:
    loaded = DOORS[door]({"seed": 7}, tmp_path)
    assert loaded.values == {name: spec.default for name, spec in SPECS.items()} | {"seed": 7}
    assert set(loaded.origins) == {"seed"}


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(values=all_values(METHOD, for_requests=True))
def test_a_request_gives_what_a_program_gives(values: dict[str, Any]) -> None:
    asked = NewStream.model_validate({"source": "x", **values})
    assert asked.settings(PAPER) == Settings(**values)


def test_a_request_without_settings_leaves_them_alone() -> None:
    assert NewStream.model_validate({"source": "x"}).settings(PAPER) is None
    assert NewStream.model_validate({"source": "x", "sample_fps": None}).settings(PAPER) is None


NONSENSE: dict[str, tuple[Any, str]] = {
    "frames_per_clip": (0, "must be a whole number of at least 1, got 0"),
    "sample_fps": ("fast", "must be a number from 1e-06 to 1000, got 'fast'"),
    "selector": ("best", f"must be one of {', '.join(SELECTOR_NAMES)}, got 'best'"),
    "retention": (1.5, "must be a number over 0 and at most 1, got 1.5"),
    "score_layers": ([0], 'must be whole numbers of at least 1, "all" or none, got [0]'),
    "score_heads": ("median", "must be one of mean, max, got 'median'"),
    "memory_tokens": (-1, "must be a whole number of at least 0, or none, got -1"),
    "describe_prompt": (" ", "must be text that is not blank, got ' '"),
    "mmr_pool_budgets": (0.5, "must be a finite number of at least 1, or none, got 0.5"),
    "drop": ("wait", "must be one of drop-oldest, drop-newest, thin, got 'wait'"),
    "stall_seconds": (0.0, "must be a finite number over 0, got 0.0"),
    "max_days": (-2.0, "must be a number over 0 and at most 1000000, or none, got -2.0"),
    "dtype": ("float8", "must be one of float32, float16, bfloat16, or none, got 'float8'"),
    "port": (70_000, "must be a whole number from 0 to 65535, got 70000"),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", NONSENSE)
def test_every_door_refuses_by_its_own_spelling(name: str, door: str, tmp_path: Path) -> None:
    value, problem = NONSENSE[name]
    spellings = {
        "file": f"{name} in {tmp_path / 'keepsight.toml'}",
        "environment": f"KEEPSIGHT_{name.upper()}",
        "flags": f"--{name.replace('_', '-')}",
    }
    with pytest.raises(SettingError) as caught:
        DOORS[door]({name: value}, tmp_path)
    assert str(caught.value).startswith(f"{spellings[door]} {problem}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [name for name in NONSENSE if name in METHOD])
def test_a_request_and_a_program_refuse_by_the_fields_name(name: str) -> None:
    value, problem = NONSENSE[name]
    with pytest.raises(SettingError) as caught:
        Settings(**{name: value})
    assert str(caught.value).startswith(f"{name} {problem}")
    with pytest.raises(SettingError) as caught:
        NewStream.model_validate({"source": "x", name: value}).settings(Settings())
    assert str(caught.value).startswith(f"{name} must be ")


@pytest.mark.parametrize("value", [None, [], {}, True])
def test_what_json_has_and_no_setting_is(value: object) -> None:
    for name in METHOD:
        allowed = METHOD[name].request_kind
        if value is None or (value is True and isinstance(allowed, Flag)):
            continue
        with pytest.raises(SettingError, match=f"^{name} must be "):
            NewStream.model_validate({"source": "x", name: value}).settings(Settings())


def test_a_request_may_not_ask_for_all_memory_there_is() -> None:
    asked = NewStream.model_validate({"source": "x", "frames_per_clip": 10**9})
    with pytest.raises(SettingError, match="frames_per_clip must be a whole number from 1 to 256, got 1000000000"):
        asked.settings(Settings())


def test_the_papers_settings_win_over_a_file_and_flags_win_over_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "keepsight.toml"
    path.write_text("mmr_pool_budgets = 2\ncaption_partial_clip = true\nretention = 0.5\nport = 7\n")
    words = ["watch", "--config", str(path), "--paper", "--caption-partial-clip", "--print-settings"]
    assert run(words) == 0
    shown = capsys.readouterr().out
    assert 'mmr_pool_budgets = "none"  # --paper' in shown
    assert "caption_partial_clip = true  # --caption-partial-clip" in shown
    assert f"retention = 0.5  # {path}" in shown
    assert "seed = 0  # default" in shown
    assert "port" not in shown  # the server's alone


@pytest.mark.parametrize(("command", "owners"), [("watch", WATCH), ("serve", SERVE)])
def test_help_has_every_setting_in_its_group(
    command: str, owners: tuple[type, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    assert run([command, "--help"]) == 0
    panels = capsys.readouterr().out.split("╭─ ")
    of_group = {panel.partition(" ")[0].lower(): " ".join(panel.replace("│", " ").split()) for panel in panels}
    for spec in specs_of(*owners):
        assert f"{spec.flag} " in of_group[spec.group]
        default = " ".join(spec.default_text.split()).rstrip(".")
        assert f"default: {default}." in of_group[spec.group]
