"""`keepsight models`: supported models."""

from rich.console import Console
from rich.table import Table

from keepsight.cli.options import JsonOption
from keepsight.cli.output import emit, make_console, wants_json
from keepsight.models.architectures import ARCHITECTURES
from keepsight.models.load_options import DTYPE_DEFAULT
from keepsight.models.registry import ADAPTER_GROUP, list_models


def models(json: JsonOption = None) -> None:
    """List bundled models and supported architectures."""
    if wants_json(json):
        _emit_all()
        return
    console = make_console()
    _print_bundled(console)
    console.print(
        "\nAny other: --model with a local folder in Hugging Face format or a hub id, of one of these architectures.\n"
    )
    _print_architectures(console)
    for plug_in in ADAPTER_GROUP.plug_ins():
        console.print(f"{plug_in.name}, from {plug_in.package}", markup=False)
    console.print(
        "\nTokens: of a frame. Memory: to describe a clip of 16 frames with as many memory tokens, in half precision, "
        "computed from the published sizes of the first example. --dtype by default: "
        f"{DTYPE_DEFAULT}. The baseline kv-retrieval of `keepsight bench` works "
        f"with {', '.join(known.model_type for known in ARCHITECTURES if known.supports_kv_retrieval)}.",
        markup=False,
    )


def _emit_all() -> None:
    for model in list_models():
        emit(
            "model",
            name=model.name,
            num_parameters=model.num_parameters,
            weight_file_bytes=model.weight_file_bytes,
            description=model.description,
        )
    for architecture in ARCHITECTURES:
        emit(
            "architecture",
            model_type=architecture.model_type,
            model_class=architecture.model_class,
            examples=list(architecture.examples),
            tokens_per_frame=architecture.tokens_per_frame,
            num_parameters=architecture.num_parameters,
            memory_bytes=architecture.memory_bytes,
            supports_kv_retrieval=architecture.supports_kv_retrieval,
        )
    for plug_in in ADAPTER_GROUP.plug_ins():
        emit("architecture", model_type=plug_in.name, package=plug_in.package)


def _print_bundled(console: Console) -> None:
    bundled = list_models()
    table = Table("model", "parameters", "size", "about", box=None, pad_edge=False)
    for model in bundled:
        millions, megabytes = model.num_parameters / 1e6, model.weight_file_bytes / 1e6
        table.add_row(model.name, f"{millions:.1f} M", f"{megabytes:.1f} MB", model.description)
    console.print(table if bundled else "No bundled model is installed.")


def _print_architectures(console: Console) -> None:
    longest = max(len(example) for known in ARCHITECTURES for example in known.examples)
    table = Table(box=None, pad_edge=False)
    table.add_column("architecture", no_wrap=True)
    table.add_column("examples", no_wrap=True, min_width=longest)  # never truncated, since ids are copied
    table.add_column("tokens", justify="right", no_wrap=True)
    table.add_column("memory", justify="right", no_wrap=True)
    for known in ARCHITECTURES:
        memory = "" if known.memory_bytes is None else f"{known.memory_bytes / 1e9:.1f} GB"
        table.add_row(known.model_type, "\n".join(known.examples), str(known.tokens_per_frame), memory)
    console.print(table)
