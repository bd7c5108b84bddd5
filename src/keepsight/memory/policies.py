"""Every memory policy by its name."""

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from keepsight.errors import SettingError
from keepsight.memory.decay import Decay
from keepsight.memory.fifo import Fifo
from keepsight.memory.medoids import Medoids
from keepsight.memory.merge import Merge
from keepsight.memory.novelty import Novelty
from keepsight.memory.policy import MemoryPolicy

POLICIES: Final[Mapping[str, type[MemoryPolicy]]] = MappingProxyType(
    {"fifo": Fifo, "merge": Merge, "decay": Decay, "medoids": Medoids, "novelty": Novelty}
)
"""Every policy by the name that the settings use; the first is the default."""


def make_policy(name: str = "fifo", **settings: Any) -> MemoryPolicy:
    """A policy by name; a setting that it does not have (`seed` of `fifo`) is unused.

    Raises:
        SettingError: no policy has this name, or it refuses a setting.
    """
    if name not in POLICIES:
        raise SettingError(f"memory_policy is one of {', '.join(POLICIES)}, not {name!r}")
    factory: Callable[..., MemoryPolicy] = POLICIES[name]
    fields = {field.name for field in dataclasses.fields(factory)}  # type: ignore[arg-type]
    return factory(**{key: value for key, value in settings.items() if key in fields})


def policy_record(policy: MemoryPolicy) -> dict[str, Any]:
    """What `make_policy` makes an equal policy from: its `name` and its settings.

    Raises:
        SettingError: the policy is none of `POLICIES`.
    """
    for name, kind in POLICIES.items():
        if type(policy) is kind:
            return {"name": name, **dataclasses.asdict(policy)}  # type: ignore[call-overload]
    raise SettingError(f"only policies of POLICIES can be saved, not {policy!r}")
