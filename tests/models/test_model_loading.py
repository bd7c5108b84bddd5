"""Loading by name, folder and hub id, and what is said when that fails."""

import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlavaOnevisionForConditionalGeneration
from transformers.utils import logging as transformers_logging

from keepsight.errors import (
    ModelError,
    ModelTooBigError,
    SettingError,
    UnknownModelError,
    UnsupportedModelError,
)
from keepsight.models import registry
from keepsight.models.huggingface import snapshot as hub
from keepsight.models.loading import list_models, load_model
from tests.models.random_model import CHAT_TEMPLATE, ModelFolder, RandomShape, random_config, word_tokenizer
from tests.models.stock_model import random_frames


@pytest.fixture
def folder(model_folder: ModelFolder, tmp_path: Path) -> Path:
    """A checkpoint that a test may change."""
    return Path(shutil.copytree(model_folder(), tmp_path / "model"))


def edit_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_info_says_what_was_loaded(model_folder: ModelFolder) -> None:
    info = load_model(model_folder(), device="cpu").info
    model = LlavaOnevisionForConditionalGeneration(random_config(RandomShape(), word_tokenizer()))
    assert info.architecture == "LlavaOnevisionForConditionalGeneration"
    assert info.num_parameters == sum(weight.numel() for weight in model.parameters())
    assert (info.device, info.dtype) == ("cpu", "float32")
    assert info.frame_size_pixels == (20, 20)
    assert info.token_grid == (3, 3)  # five patches a side, pooled two by two, rounded up
    assert info.context_window_tokens == 2048
    assert info.memory_bytes > 4 * info.num_parameters


def test_a_relative_folder_is_known_by_its_absolute_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    info = load_model("model", device="cpu").info
    assert (info.name, info.checkpoint) == ("model", str(folder))
    assert load_model("tiny", device="cpu").info.checkpoint == "tiny"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_a_number_format_can_be_named(model_folder: ModelFolder, dtype: str) -> None:
    model = load_model(model_folder(), device="cpu", dtype=dtype)
    assert model.info.dtype == dtype
    assert str(model.encode(random_frames(1)).dtype) == f"torch.{dtype}"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"device": "tpu"}, "device must be one of auto, cpu"),
        ({"device": "cuda:99"}, "got 'cuda:99'"),
        ({"device": "cuda:x"}, "got 'cuda:x'"),
        ({"dtype": "int8"}, "dtype must be one of float32, float16, bfloat16, got 'int8'"),
        ({"score_layers": (9,)}, r"score_layers must be distinct layers from 1 to 4"),
        ({"score_layers": ()}, r"got \[\]"),
    ],
)
def test_impossible_settings_are_refused(model_folder: ModelFolder, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        load_model(model_folder(), **settings)


def test_a_bundled_name_loads_from_the_package(model_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = registry.BundledModel("small", model_folder(), "random")
    missing = registry.BundledModel("absent", Path("/nowhere"), "not installed")
    monkeypatch.setattr(registry, "BUNDLED", (bundled, missing))
    assert list_models() == (bundled,)
    assert load_model("small").info.name == "small"
    assert bundled.num_parameters == load_model("small").info.num_parameters
    assert bundled.weight_file_bytes > 4 * bundled.num_parameters
    with pytest.raises(UnknownModelError, match="no such model: 'absent'; give a bundled model \\(small"):
        load_model("absent")


def test_an_unknown_name_lists_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BUNDLED", ())
    with pytest.raises(
        UnknownModelError, match="no such model: 'huge'; give a bundled model \\(none\\), a local folder or"
    ):
        load_model("huge")


@pytest.mark.parametrize("name", ["/nowhere/at/all", "./here", "a/b/c", "../model", "", "a" * 5000, "a/b\0"])
def test_a_missing_path_is_not_sought_on_the_hub(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "find_snapshot", None)
    with pytest.raises(UnknownModelError):
        load_model(name)


def test_a_folder_without_config_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError, match=r"is not a model folder: it has no config\.json"):
        load_model(tmp_path)


def test_a_local_model_that_is_too_big_is_refused_from_its_config_alone(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    text = json.loads((folder / "config.json").read_text())["text_config"]
    edit_config(folder, text_config=text | {"intermediate_size": 10**12})
    with pytest.raises(ModelTooBigError, match="GB free"):
        load_model(folder)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "mllama", "architectures": ["MllamaForConditionalGeneration"]}, "MllamaFor"),
        ({"model_type": "bert", "architectures": None}, "bert"),
        ({"model_type": None, "architectures": []}, "unnamed"),
    ],
)
def test_an_architecture_without_adapter_is_named(folder: Path, config: dict[str, object], message: str) -> None:
    edit_config(folder, **config)
    with pytest.raises(
        UnsupportedModelError, match=f"architecture of .* must be one of .*llava_onevision.*, got {message}"
    ):
        load_model(folder)


def test_code_in_a_checkpoint_is_never_run(folder: Path) -> None:
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    edit_config(folder, auto_map={"AutoConfig": "evil.Config", "AutoModel": "evil.Model"})
    assert load_model(folder).info.dim == 32


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors", "preprocessor_config.json"])
def test_a_damaged_file_gives_one_readable_error(folder: Path, name: str) -> None:
    (folder / name).write_bytes((folder / name).read_bytes()[:40])
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["tokenizer.json", "model.safetensors", "chat_template.jinja"])
def test_a_missing_file_gives_one_readable_error(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


def test_pickled_weights_are_not_read(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="cannot load"):
        load_model(folder)


def test_missing_tensors_are_not_filled_with_noise(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    dropped = next(name for name in weights if name.endswith("image_newline"))
    save_file(
        {name: value for name, value in weights.items() if name != dropped},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    with pytest.raises(ModelError, match=r"lack 1 tensors, first model\.image_newline"):
        load_model(folder)


def test_the_template_of_the_whole_model_wins_over_the_tokenizers(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{{ 'text only: ' + messages[0]['content'][-1]['text'] }}")
    with pytest.raises(ModelError, match="chat template must render a video"):
        load_model(folder)
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": CHAT_TEMPLATE}))
    assert load_model(folder).count_prompt_tokens("", "Where?") > 0


def test_loading_is_quiet_and_leaves_logging_as_it_was(
    model_folder: ModelFolder, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    before = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    with caplog.at_level(logging.WARNING):
        load_model(model_folder())
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
    assert (transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()) == before


def test_importing_the_loader_is_cheap() -> None:
    code = "import sys, keepsight.models.loading; print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


@pytest.mark.parametrize("template", [5, True])
def test_a_chat_template_that_is_no_text_is_refused(folder: Path, template: object) -> None:
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": template}))
    with pytest.raises(ModelError, match=r"^the chat template in .+ must be text; download the model again$"):
        load_model(folder, device="cpu")
