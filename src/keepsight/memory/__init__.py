"""The visual memory: selected tokens of the clips so far (paper, section 3, arXiv 2510.17364).

One policy a file. A new policy is a frozen dataclass with a `retain` method and a line in `POLICIES`.
"""

from keepsight.memory.clips import MemoryView, RememberedClip
from keepsight.memory.decay import Decay
from keepsight.memory.fifo import Fifo
from keepsight.memory.medoids import Medoids
from keepsight.memory.merge import Merge
from keepsight.memory.novelty import Novelty
from keepsight.memory.policies import POLICIES, make_policy
from keepsight.memory.policy import DEFAULT_CAPACITY_CLIPS, Capacity, MemoryPolicy
from keepsight.memory.visual_memory import VisualMemory

__all__ = [
    "DEFAULT_CAPACITY_CLIPS",
    "POLICIES",
    "Capacity",
    "Decay",
    "Fifo",
    "Medoids",
    "MemoryPolicy",
    "MemoryView",
    "Merge",
    "Novelty",
    "RememberedClip",
    "VisualMemory",
    "make_policy",
]
