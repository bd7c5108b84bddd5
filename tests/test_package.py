"""What `import keepsight` offers, and that it is quick because nothing heavy comes with it."""

import subprocess
import sys

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


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        keepsight.nothing  # noqa: B018


def test_importing_loads_nothing_heavy() -> None:
    code = "import keepsight, sys; print(*{'torch', 'av', 'transformers', 'numpy', 'PIL'}.intersection(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
