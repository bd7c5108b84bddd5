"""Starting the second model from the first: its decoder is copied, and its vision side is the teacher.

The decoders have the same shape and treat text alike. The tokens around a video are new; they start as their
predecessors. The new vision side's visual tokens are trained towards those that the decoder knows.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.architecture import LLAVA_ONEVISION, QWEN2_5_VL
from training.blueprint import MODEL_DIM
from training.inner_heads import InnerHeads
from training.loop import load_modules
from training.motion import mixed


def first_model(folder: Path) -> tuple[Any, InnerHeads]:
    """The first model and its inner heads after the watching stage in a folder."""
    model, heads = LLAVA_ONEVISION.build_model(), InnerHeads(MODEL_DIM)
    load_modules(folder, "watching", nn.ModuleDict({"model": model, "inner heads": heads}))
    return model.requires_grad_(False), heads


def take_decoder(model: Any, first: Any) -> None:
    """Copy the first model's decoder into a model of the second architecture."""
    ids = QWEN2_5_VL.tokenizer().get_vocab()
    weights = dict(first.model.language_model.state_dict())
    words = weights["embed_tokens.weight"]
    wider = torch.cat([words, words.new_zeros(len(ids) - len(words), words.shape[1])])
    wider[ids["<|vision_start|>"]] = words[ids["▁"]]  # the opening's last token
    wider[ids["<|vision_end|>"]] = first.model.image_newline
    wider[ids["<|video_pad|>"]] = words[ids["<video>"]]
    wider[ids["<|image_pad|>"]] = words[ids["<image>"]]
    model.model.language_model.load_state_dict({**weights, "embed_tokens.weight": wider})


def teacher_tokens(first: Any, pixels: Tensor) -> Tensor:
    """The first model's tokens for pairs of frames: `[num_pairs, tokens_per_frame, dim]`."""
    with torch.no_grad():
        return mixed(LLAVA_ONEVISION.visual_tokens(first, pixels))


def teacher_loss(tokens: Tensor, wanted: Tensor) -> Tensor:
    """Squared distance of tokens from the teacher's, relative to their squared length."""
    return (tokens - wanted).square().sum(-1).mean() / wanted.square().sum(-1).mean()
