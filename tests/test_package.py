"""What `import keepsight` offers, and that it is quick because nothing heavy comes with it."""

import dataclasses
import inspect
import subprocess
import sys
import typing
from collections.abc import Iterator

import pytest

import keepsight


def test_every_public_name_is_there() -> None:
    assert sorted(set(keepsight.__all__)) == sorted(keepsight.__all__) == dir(keepsight)
    for name in keepsight.__all__:
        assert getattr(keepsight, name) is not None


def test_all_errors_of_the_tree_are_public() -> None:
    def tree(kind: type[Exception]) -> set[str]:
        return {kind.__name__}.union(*(tree(child) for child in kind.__subclasses__()))

    assert tree(keepsight.KeepsightError) <= set(keepsight.__all__)


def keepsight_classes(hint: object) -> set[type]:
    """The package's own classes in a type hint."""
    found = {hint} if isinstance(hint, type) and hint.__module__.startswith("keepsight.") else set()
    return found.union(*(keepsight_classes(part) for part in typing.get_args(hint)))


def signatures(name: str) -> Iterator[tuple[str, object]]:
    """What a public name takes and gives: the signatures of a function, or of a class's public methods and fields."""
    value = getattr(keepsight, name)
    if inspect.isfunction(value):
        yield name, value
    if not inspect.isclass(value):
        return
    if dataclasses.is_dataclass(value) or hasattr(value, "_is_protocol"):
        yield name, value
    for member, method in vars(value).items():
        called = method.fget if isinstance(method, property) else getattr(method, "__func__", method)
        if inspect.isfunction(called) and not member.startswith("_"):
            yield f"{name}.{member}", called


def test_every_type_of_a_public_signature_is_public() -> None:
    """Of the classes that users construct, the constructors too; others come from functions and methods."""
    known = {"BatchModel": keepsight.BatchModel}  # imported for type checking only, where it is named
    constructed = [("Watcher", keepsight.Watcher.__init__), ("WatchTogether", keepsight.WatchTogether.__init__)]
    inner = {"Part", "WallClock"}  # what a plug-in's object is, and a value inside a record
    # Who writes a model, a source or a server imports what these take and give from their modules.
    for_authors = {"BatchModel", "Connection", "Source", "StreamSession", "VideoFile", "VideoModel", "Journal"}
    asked = [pair for name in keepsight.__all__ if name not in for_authors for pair in signatures(name)]
    missing = {
        (where, kind.__name__)
        for where, value in [*asked, *constructed]
        for hint in typing.get_type_hints(value, localns=known).values()
        for kind in keepsight_classes(hint)
        if kind.__name__ not in inner.union(keepsight.__all__)
    }
    assert missing == set()


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        keepsight.nothing  # noqa: B018


def test_importing_loads_nothing_heavy() -> None:
    code = "import keepsight, sys; print(*{'torch', 'av', 'transformers', 'numpy', 'PIL'}.intersection(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("module", ["bench.runner", "models.loading", "toyworld.tokenizer"])
def test_other_libraries_say_nothing_when_they_are_imported(module: str) -> None:
    done = subprocess.run([sys.executable, "-c", f"import keepsight.{module}"], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
