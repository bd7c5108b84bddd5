"""Many streams over one model."""

from keepsight.service.batched_model import BatchedModel
from keepsight.service.turns import BatchSettings

__all__ = ["BatchSettings", "BatchedModel"]
