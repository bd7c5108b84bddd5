"""What the entry point hands to lmms-eval."""

from lmms_eval.models.registry_v2 import ModelManifest


def manifest() -> ModelManifest:
    """Under which name lmms-eval knows the model, and where its class is."""
    return ModelManifest(model_id="keepsight", chat_class_path="keepsight.lmms_plugin.model.Keepsight")
