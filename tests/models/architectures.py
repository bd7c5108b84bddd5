"""The table of models: every architecture that has an adapter, once. It parametrises the contract of adapters."""

from arch_gemma3 import Gemma3
from arch_internvl import InternVL
from arch_llava_next_video import LlavaNextVideo
from arch_llava_onevision import LlavaOnevision
from arch_qwen2_5_vl import Qwen25VL
from arch_qwen3_vl import Qwen3VL
from arch_smolvlm import SmolVLM
from architecture import Architecture

ARCHITECTURES: tuple[Architecture, ...] = (
    Gemma3(),
    InternVL(),
    LlavaNextVideo(),
    LlavaOnevision(),
    Qwen25VL(),
    Qwen3VL(),
    SmolVLM(),
)
