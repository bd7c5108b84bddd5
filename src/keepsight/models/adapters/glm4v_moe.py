"""GLM-4.5V and GLM-4.6V (arXiv 2507.01006): GLM-4.1V's tower and prompts on a mixture of experts."""

from transformers import Glm4vMoeForConditionalGeneration

from keepsight.models.adapters.glm4v import Glm4vAdapter


class Glm4vMoeAdapter(Glm4vAdapter):
    """A GLM-4.5V or GLM-4.6V model as a `VideoModel`."""

    model_class = Glm4vMoeForConditionalGeneration
    overflows_float16 = False
