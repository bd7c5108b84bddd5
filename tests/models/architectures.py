"""The table of models: every architecture that has an adapter, once. It parametrises the contract of adapters."""

from tests.models.arch_gemma3 import Gemma3
from tests.models.arch_gemma4 import Gemma4
from tests.models.arch_gemma4_unified import Gemma4Unified
from tests.models.arch_glm4v import Glm4v
from tests.models.arch_glm4v_moe import Glm4vMoe
from tests.models.arch_internvl import InternVL
from tests.models.arch_internvl3_5 import InternVL35
from tests.models.arch_llava_next_video import LlavaNextVideo
from tests.models.arch_llava_onevision import LlavaOnevision
from tests.models.arch_qwen2_5_vl import Qwen25VL
from tests.models.arch_qwen2_vl import Qwen2VL
from tests.models.arch_qwen3_5 import Qwen35
from tests.models.arch_qwen3_5_moe import Qwen35Moe
from tests.models.arch_qwen3_vl import Qwen3VL
from tests.models.arch_qwen3_vl_moe import Qwen3VLMoe
from tests.models.arch_smolvlm import SmolVLM
from tests.models.arch_video_llama_3 import VideoLlama3
from tests.models.architecture import Architecture

ARCHITECTURES: tuple[Architecture, ...] = (
    Gemma3(),
    Gemma4(),
    Gemma4Unified(),
    Glm4v(),
    Glm4vMoe(),
    InternVL(),
    InternVL35(),
    LlavaNextVideo(),
    LlavaOnevision(),
    Qwen25VL(),
    Qwen2VL(),
    Qwen35(),
    Qwen35Moe(),
    Qwen3VL(),
    Qwen3VLMoe(),
    SmolVLM(),
    VideoLlama3(),
)
