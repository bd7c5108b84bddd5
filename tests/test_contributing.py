"""The recipes in CONTRIBUTING.md hold: the example of an adapter runs, what they name can be imported."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlavaOnevisionForConditionalGeneration

from keepsight.method.protocol import VisualInput
from keepsight.models.adapter import VideoAdapter
from keepsight.models.prompting.chat import PromptIds
from keepsight.models.prompting.layout import num_tokens
from keepsight.models.registry import ADAPTERS, adapter_class

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")


def rows_below(header: str) -> list[list[str]]:
    """Cells of the table with a header that starts so."""
    lines = TEXT[TEXT.index(f"| {header}") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.fixture
def example() -> Any:
    """The example of an adapter, for a class of transformers that exists."""
    (code,) = re.findall(r"```python\n(.*?class SomeVLAdapter.*?)```", TEXT, flags=re.DOTALL)
    module: dict[str, Any] = {}
    exec(code.replace("SomeVLForConditionalGeneration", LlavaOnevisionForConditionalGeneration.__name__), module)
    return module["SomeVLAdapter"]


def test_the_example_of_an_adapter_runs_as_it_is_written(example: Any) -> None:
    assert issubclass(example, VideoAdapter)
    assert not example.__abstractmethods__
    visual = VisualInput(torch.zeros(3, 4), torch.zeros(5, 4))
    assert num_tokens(example.lay_out(None, PromptIds((1, 2), (3,)), visual)) == 11


def test_each_member_that_an_adapter_may_define_has_a_default() -> None:
    rows = rows_below("member | default")
    members = {cells[0].strip("`").partition("(")[0]: cells[1].strip("`") for cells in rows}
    optional = {
        name
        for name, value in vars(VideoAdapter).items()
        if not name.startswith("_") and not getattr(value, "__isabstractmethod__", False)
    }
    assert set(members) <= optional
    flags = {name: default for name, default in members.items() if default in ("True", "False", "16")}
    assert {name: str(getattr(VideoAdapter, name)) for name in flags} == flags
    overridden = {name for one in ADAPTERS for name in vars(adapter_class(one)) if name in optional}
    assert overridden <= set(members)


def test_modules_that_plug_ins_may_import_exist() -> None:
    rows = rows_below("group of entry points")
    modules = {
        name if name.startswith("keepsight") else f"keepsight{name}"
        for cells in rows
        for name in re.findall(r"`((?:keepsight)?\.[a-z_.]+|keepsight[a-z_.]+)`", cells[2])
    }
    assert {"keepsight.models.footprint", "keepsight.method.protocol", "keepsight.method.selection"} <= modules
    for name in modules:
        import_module(name)


def test_each_import_of_the_example_is_one_that_plug_ins_may_use() -> None:
    (cells,) = [cells for cells in rows_below("group of entry points") if cells[0] == "`keepsight.architectures`"]
    allowed = [name.replace("`", "") for name in cells[2].split(", ")]
    allowed = [name if name.startswith("keepsight") else f"keepsight{name}" for name in allowed]
    imported = re.findall(r"^from (keepsight\S+) import", TEXT[: TEXT.index("class SomeVLAdapter")], flags=re.MULTILINE)
    assert imported
    for name in imported:
        assert any(name == one or name.startswith(f"{one}.") for one in allowed), name
