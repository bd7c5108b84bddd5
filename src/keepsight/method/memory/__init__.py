"""Visual memory: selected tokens of earlier clips (paper, section 3, arXiv 2510.17364).

To add a policy, write a frozen dataclass with a `retain` method and list it in `POLICIES`.
"""

from keepsight.method.memory.clips import DEFAULT_CAPACITY_CLIPS, Capacity, MemoryPolicy, MemoryView, RememberedClip
from keepsight.method.memory.condensing import Newest, StreamMedoids
from keepsight.method.memory.merging import Medoids, Merge
from keepsight.method.memory.policies import POLICIES, Decay, Fifo, Novelty, make_policy
from keepsight.method.memory.visual_memory import VisualMemory

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
    "Newest",
    "Novelty",
    "RememberedClip",
    "StreamMedoids",
    "VisualMemory",
    "make_policy",
]
