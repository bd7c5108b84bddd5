"""Gemma 4 12B, which has no vision tower: each visual token is a linear projection of its patch and place.

Prompt, budget of tokens, masks and decoder are Gemma 4's, without embeddings per layer and experts.
"""

from typing import Any, ClassVar

from transformers import Gemma4UnifiedForConditionalGeneration, PreTrainedModel

from keepsight.models.adapters.gemma4 import Gemma4Adapter
from keepsight.models.vision.budget import BudgetRule


class Gemma4UnifiedAdapter(Gemma4Adapter):
    """A Gemma 4 model without a vision tower as a `VideoModel`."""

    model_class: ClassVar[type[PreTrainedModel]] = Gemma4UnifiedForConditionalGeneration

    @classmethod
    def budget_rule(cls, vision_config: Any, max_tokens: int) -> BudgetRule:
        """One large patch for each token."""
        return BudgetRule(vision_config.model_patch_size, 1, max_tokens)
