"""Properties of each architecture known before any download, for `keepsight models` and the documentation.

Parameters and memory are computed from the example's published config.json, which the tests contain. Memory is
`describe_footprint` in half precision for the paper's setting: a clip of 16 frames, as many memory tokens, chat and
caption. Without published sizes there is no figure.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class SupportedArchitecture:
    """An architecture with an adapter.

    Attributes:
        model_type: its key in `registry.ADAPTERS`, from config.json.
        model_class: the Hugging Face class that runs it.
        examples: hub ids of checkpoints; figures are those of the first.
        tokens_per_frame: visual tokens per frame; of a large square frame if the aspect ratio is kept, and at most for
            models with a budget of tokens.
        num_parameters: of the first example, or None.
        memory_bytes: memory of describing a clip in half precision, weights included, or None.
        other_memory_bytes: hub ids of other examples, and the same of each.
        supports_kv_retrieval: whether `keepsight bench`'s baseline kv-retrieval works with it.
    """

    model_type: str
    model_class: str
    examples: tuple[str, ...]
    tokens_per_frame: int
    num_parameters: int | None = None
    memory_bytes: int | None = None
    other_memory_bytes: tuple[tuple[str, int], ...] = ()
    supports_kv_retrieval: bool = False

    @property
    def memory(self) -> dict[str, int]:
        """Memory of each example of known sizes, by its hub id."""
        first = {} if self.memory_bytes is None else {self.examples[0]: self.memory_bytes}
        return first | dict(self.other_memory_bytes)


ARCHITECTURES = (
    SupportedArchitecture(
        model_type="gemma3",
        model_class="Gemma3ForConditionalGeneration",
        examples=("google/gemma-3-4b-it", "google/gemma-3-12b-it"),
        tokens_per_frame=256,
        num_parameters=4_300_079_472,
        memory_bytes=10_478_118_752,
    ),
    SupportedArchitecture(
        model_type="gemma4",
        model_class="Gemma4ForConditionalGeneration",
        examples=(
            "google/gemma-4-E2B-it",
            "google/gemma-4-E4B-it",
            "google/gemma-4-26B-A4B-it",
            "google/gemma-4-31B-it",
        ),
        tokens_per_frame=70,
        num_parameters=5_104_297_504,
        memory_bytes=10_608_000_064,
    ),
    SupportedArchitecture(
        model_type="gemma4_unified",
        model_class="Gemma4UnifiedForConditionalGeneration",
        examples=("google/gemma-4-12B-it",),
        tokens_per_frame=70,
        num_parameters=11_959_730_176,
        memory_bytes=25_213_790_208,
    ),
    SupportedArchitecture(
        model_type="glm4v",
        model_class="Glm4vForConditionalGeneration",
        examples=("zai-org/GLM-4.6V-Flash",),
        tokens_per_frame=98,
        num_parameters=10_292_777_472,
        memory_bytes=21_116_577_536,
    ),
    SupportedArchitecture(
        model_type="glm4v_moe",
        model_class="Glm4vMoeForConditionalGeneration",
        examples=("zai-org/GLM-4.5V", "zai-org/GLM-4.6V"),
        tokens_per_frame=98,
        num_parameters=107_744_743_936,
        memory_bytes=217_131_460_096,
    ),
    SupportedArchitecture(
        model_type="internvl",
        model_class="InternVLForConditionalGeneration",
        examples=(
            *("OpenGVLab/InternVL3-1B-hf", "OpenGVLab/InternVL3-2B-hf", "OpenGVLab/InternVL3-8B-hf"),
            *("OpenGVLab/InternVL3_5-1B-HF", "OpenGVLab/InternVL3_5-8B-HF", "OpenGVLab/InternVL3_5-30B-A3B-HF"),
        ),
        tokens_per_frame=256,
        num_parameters=938_193_024,
        memory_bytes=2_407_772_660,
    ),
    SupportedArchitecture(
        model_type="llava_next_video",
        model_class="LlavaNextVideoForConditionalGeneration",
        examples=("llava-hf/LLaVA-NeXT-Video-7B-hf",),
        tokens_per_frame=144,
    ),
    SupportedArchitecture(
        model_type="llava_onevision",
        model_class="LlavaOnevisionForConditionalGeneration",
        examples=("llava-hf/llava-onevision-qwen2-7b-ov-hf", "llava-hf/llava-onevision-qwen2-0.5b-ov-hf"),
        tokens_per_frame=196,
        num_parameters=8_029_890_080,
        memory_bytes=17_367_137_728,
        other_memory_bytes=(("llava-hf/llava-onevision-qwen2-0.5b-ov-hf", 2_191_779_776),),
        supports_kv_retrieval=True,
    ),
    SupportedArchitecture(
        model_type="qwen2_5_vl",
        model_class="Qwen2_5_VLForConditionalGeneration",
        examples=("Qwen/Qwen2.5-VL-3B-Instruct", "Qwen/Qwen2.5-VL-7B-Instruct"),
        tokens_per_frame=98,
        num_parameters=3_754_622_976,
        memory_bytes=7_916_058_368,
    ),
    SupportedArchitecture(
        model_type="qwen2_vl",
        model_class="Qwen2VLForConditionalGeneration",
        examples=("Qwen/Qwen2-VL-2B-Instruct", "Qwen/Qwen2-VL-7B-Instruct"),
        tokens_per_frame=98,
        num_parameters=2_208_985_600,
        memory_bytes=4_741_397_248,
    ),
    SupportedArchitecture(
        model_type="qwen3_5",
        model_class="Qwen3_5ForConditionalGeneration",
        examples=("Qwen/Qwen3.5-9B", "Qwen/Qwen3.5-4B", "Qwen/Qwen3.5-2B", "Qwen/Qwen3.5-0.8B"),
        tokens_per_frame=98,
        num_parameters=9_409_813_744,
        memory_bytes=19_832_418_784,
    ),
    SupportedArchitecture(
        model_type="qwen3_5_moe",
        model_class="Qwen3_5MoeForConditionalGeneration",
        examples=("Qwen/Qwen3.5-35B-A3B", "Qwen/Qwen3.5-122B-A10B", "Qwen/Qwen3.5-397B-A17B"),
        tokens_per_frame=98,
        num_parameters=35_107_181_936,
        memory_bytes=71_142_847_200,
    ),
    SupportedArchitecture(
        model_type="qwen3_vl",
        model_class="Qwen3VLForConditionalGeneration",
        examples=("Qwen/Qwen3-VL-2B-Instruct", "Qwen/Qwen3-VL-4B-Instruct", "Qwen/Qwen3-VL-8B-Instruct"),
        tokens_per_frame=98,
        num_parameters=2_127_532_032,
        memory_bytes=4_868_605_184,
    ),
    SupportedArchitecture(
        model_type="qwen3_vl_moe",
        model_class="Qwen3VLMoeForConditionalGeneration",
        examples=("Qwen/Qwen3-VL-30B-A3B-Instruct", "Qwen/Qwen3-VL-235B-A22B-Instruct"),
        tokens_per_frame=98,
        num_parameters=31_070_754_032,
        memory_bytes=63_019_106_016,
    ),
    SupportedArchitecture(
        model_type="smolvlm",
        model_class="SmolVLMForConditionalGeneration",
        examples=(
            "HuggingFaceTB/SmolVLM2-500M-Video-Instruct",
            "HuggingFaceTB/SmolVLM2-256M-Video-Instruct",
            "HuggingFaceTB/SmolVLM2-2.2B-Instruct",
        ),
        tokens_per_frame=64,
        num_parameters=507_482_304,
        memory_bytes=1_461_797_504,
    ),
    SupportedArchitecture(
        model_type="video_llama_3",
        model_class="VideoLlama3ForConditionalGeneration",
        examples=("lkhl/VideoLLaMA3-2B-Image-HF", "lkhl/VideoLLaMA3-7B-Image-HF"),
        tokens_per_frame=196,
    ),
)
"""Every architecture in `registry.ADAPTERS`, in order."""
