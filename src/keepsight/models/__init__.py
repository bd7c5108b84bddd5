"""Adapters around video-language models, and what they share."""

import logging

# Where torchao is installed, transformers imports it, and it remarks on kernels that this machine has no use for.
for _talkative in ("torchao", "torch.utils._pytree"):
    logging.getLogger(_talkative).setLevel(logging.ERROR)
