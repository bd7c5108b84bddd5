"""`keepsight models`: what can be loaded."""

from rich.table import Table

from keepsight.cli.options import JsonOption
from keepsight.cli.output import emit, make_console, wants_json
from keepsight.models.registry import ADAPTERS, list_models


def models(json: JsonOption = None) -> None:
    """List the models that come with Keepsight, and what else can be loaded."""
    bundled = list_models()
    if wants_json(json):
        for model in bundled:
            emit(
                "model",
                name=model.name,
                num_parameters=model.num_parameters,
                weight_file_bytes=model.weight_file_bytes,
                description=model.description,
            )
        return
    console = make_console()
    table = Table("model", "parameters", "size", "about", box=None, pad_edge=False)
    for model in bundled:
        millions, megabytes = model.num_parameters / 1e6, model.weight_file_bytes / 1e6
        table.add_row(model.name, f"{millions:.1f} M", f"{megabytes:.1f} MB", model.description)
    console.print(table if bundled else "No bundled model is installed.")
    console.print(
        "Any other: --model with a local folder in Hugging Face format or a hub id, such as "
        "llava-hf/llava-onevision-qwen2-0.5b-ov-hf.",
        f"Supported architectures: {', '.join(sorted(ADAPTERS))}.",
        markup=False,
    )
