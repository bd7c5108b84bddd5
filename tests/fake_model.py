"""A small, exact stand-in for a video model: everything it says follows from what it was given."""

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from keepsight.errors import PromptTooLongError
from keepsight.method.prompts import question_text
from keepsight.method.protocol import AnswerRequest, DescribeRequest, Description, ModelInfo, VisualInput

NOUNS = ("dog", "cat", "ball", "cup", "bird", "lamp", "chair", "book")
VERBS = ("arrives", "leaves", "waits", "returns")
CHAT_TOKENS = 7  # of the chat around the user's text


@dataclass
class Call:
    """One call of `answer` and the exact length of its prompt."""

    context: str
    question: str
    num_visual_tokens: int
    max_new_tokens: int
    num_prompt_tokens: int


@dataclass
class FakeModel:
    """Implements the `VideoModel` protocol without weights.

    Attributes:
        window: context window in tokens.
        name: what `info.name` says.
        dim: width of tokens and embeddings.
        grid: rows and columns of tokens in a frame.
        tokens_per_newline: a whole prompt counts this many tokens for each newline of its context, a line alone one;
            above 1 the sum of the lines is less than the prompt, as where a tokenizer cuts a whole text otherwise.
    """

    window: int = 4096
    name: str = "fake"
    dim: int = 12
    grid: tuple[int, int] = (2, 2)
    tokens_per_newline: int = 1
    calls: list[Call] = field(default_factory=list)
    memory_lengths: list[int] = field(default_factory=list)

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(
            name=self.name,
            architecture="Fake",
            num_parameters=0,
            device="cpu",
            dtype="float32",
            memory_bytes=0,
            dim=self.dim,
            context_window_tokens=self.window,
            frame_size_pixels=(8, 8),
            token_grid=self.grid,
            score_layers=(1,),
        )

    def token_grid(self, height: int, width: int) -> tuple[int, int]:
        return self.grid

    def encode(self, frames: Sequence[np.ndarray]) -> Tensor:
        rows, columns = self.grid
        tokens = []
        for frame in frames:
            for band in np.array_split(frame, rows, axis=0):
                for cell in np.array_split(band, columns, axis=1):
                    mean = torch.tensor(cell.mean(axis=(0, 1)), dtype=torch.float32)
                    tokens.append(mean.repeat(self.dim // 3) * torch.linspace(0.5, 1.5, self.dim))
        return torch.stack(tokens)

    def describe(self, clip: VisualInput, request: DescribeRequest = DescribeRequest()) -> Description:
        memory, tokens = clip.memory, clip.tokens
        num_tokens = self._count(request.prompt) + CHAT_TOKENS + len(memory) + len(tokens)
        if num_tokens + request.max_new_tokens > self.window:
            more = request.max_new_tokens
            raise PromptTooLongError(f"{num_tokens} tokens and {more} more in a window of {self.window}")
        self.memory_lengths.append(len(memory))
        # Memory enters in order: a memory that is restored in another order or value gives another caption.
        weights = torch.arange(1, len(memory) + 1).unsqueeze(1)
        digest = zlib.crc32((memory * weights).sum(0).numpy().tobytes() + tokens.numpy().tobytes())
        caption = f"a {NOUNS[digest % 8]} {VERBS[digest // 8 % 4]} {digest % 10_000}."
        scores = torch.tensor(np.random.default_rng(digest).random(len(tokens)), dtype=torch.float32)
        return Description(caption, scores, num_caption_tokens=self._count(caption))

    def answer(self, request: AnswerRequest) -> Iterator[str]:
        context, visual, max_new_tokens = request.context, request.visual, request.max_new_tokens
        num_visual = 0 if visual is None else len(visual.memory) + len(visual.tokens)
        num_tokens = self.count_prompt_tokens(context, request.question, num_visual)
        self.calls.append(Call(context, request.question, num_visual, max_new_tokens, num_tokens))
        if num_tokens + max_new_tokens > self.window:
            raise PromptTooLongError(f"{num_tokens} tokens and {max_new_tokens} more in a window of {self.window}")
        return iter([" I was", " given", f" {context.count('[')} lines [99:00-99:32]."])

    def embed(self, text: str) -> Tensor:
        words = re.findall(r"\w+", text.lower())
        if not words:
            return torch.zeros(self.dim)
        rows = [np.random.default_rng(zlib.crc32(word.encode())).standard_normal(self.dim) for word in words]
        return torch.tensor(np.mean(rows, axis=0), dtype=torch.float32)

    def count_tokens(self, text: str) -> int:
        return self._count(text)

    def count_prompt_tokens(
        self,
        context: str,
        question: str,
        num_visual_tokens: int = 0,
        *,
        num_memory_tokens: int = 0,
        like: VisualInput | None = None,
    ) -> int:
        surprise = (self.tokens_per_newline - 1) * context.count("\n")
        num_tokens = num_visual_tokens + num_memory_tokens
        visual = num_tokens + 1 if num_tokens else 0
        return CHAT_TOKENS + self._count(question_text(context, question)) + surprise + visual

    def max_memory_tokens(
        self,
        num_visual_tokens: int,
        request: DescribeRequest = DescribeRequest(),
        *,
        like: VisualInput | None = None,
    ) -> int:
        fixed = self._count(request.prompt) + CHAT_TOKENS + request.max_new_tokens
        return max(0, self.window - fixed - num_visual_tokens)

    @staticmethod
    def _count(text: str) -> int:
        return len(re.findall(r"\w+|[^\w\s]|\n", text))
