"""Entry point for lmms-eval."""

from lmms_eval.models.registry_v2 import ModelManifest


def manifest() -> ModelManifest:
    """Name and class of the model for lmms-eval."""
    return ModelManifest(model_id="keepsight", chat_class_path="keepsight.lmms_plugin.model.Keepsight")
