"""Many streams over one model."""

from keepsight.service.batched_model import BatchedModel
from keepsight.service.turns import BatchSettings
from keepsight.service.watch_together import Failure, SourceEvent, WatchTogether

__all__ = ["BatchSettings", "BatchedModel", "Failure", "SourceEvent", "WatchTogether"]
