"""Keepsight as a model of lmms-eval, and tasks for RVS-Ego and RVS-Movie in its format (docs/lmms-eval.md).

lmms-eval finds the model through the entry point group `lmms_eval.models`. Only `manifest`, `model`, `judging` and the
tasks import it, and nothing else in Keepsight imports those.
"""

from pathlib import Path
from typing import Final

TASKS: Final = Path(__file__).parent / "tasks"
"""Folder for lmms-eval's option `--include_path`."""
