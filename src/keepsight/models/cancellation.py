"""Cancellation of model work, at the next token, or the next layer while reading a prompt.

The caller wraps its call in `cancellable`; the work polls `check_cancelled`. Models therefore need no argument for it,
and one that never polls runs to its end.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from keepsight.errors import WorkCancelledError
from keepsight.method.protocol import DescribeRequest, Description, VideoModel, VisualInput
from keepsight.models.delegating import DelegatingModel


class Wanted(Protocol):
    """Tells whether work is still wanted."""

    @property
    def is_cancelled(self) -> bool:
        """Whether the work was cancelled."""


class Cancellation:
    """A one-shot cancellation flag. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_cancelled = False
        self._callbacks: list[Callable[[], object]] = []

    @property
    def is_cancelled(self) -> bool:
        """Whether the work was cancelled."""
        return self._is_cancelled

    def cancel(self) -> None:
        """Cancel the work. Idempotent."""
        with self._lock:
            self._is_cancelled = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    @contextmanager
    def calling(self, callback: Callable[[], object]) -> Iterator[None]:
        """Call back on cancellation while this context is open; at once if already cancelled.

        Runs in the cancelling thread.
        """
        with self._lock:
            is_late = self._is_cancelled
            if not is_late:
                self._callbacks.append(callback)
        if is_late:
            callback()
        try:
            yield
        finally:
            with self._lock:
                if callback in self._callbacks:
                    self._callbacks.remove(callback)


_SCOPES: ContextVar[tuple[Wanted, ...]] = ContextVar("keepsight_cancellations", default=())


@contextmanager
def cancellable(wanted: Wanted) -> Iterator[None]:
    """Run the block's work in this thread so that it stops at the next poll after `wanted` is cancelled."""
    token = _SCOPES.set((*_SCOPES.get(), wanted))
    try:
        yield
    finally:
        _SCOPES.reset(token)


def cancellations() -> tuple[Cancellation, ...]:
    """Cancellations that apply to the current work."""
    return tuple(one for one in _SCOPES.get() if isinstance(one, Cancellation))


def check_cancelled() -> None:
    """Raise if the current work was cancelled.

    Raises:
        WorkCancelledError: it was cancelled.
    """
    if any(wanted.is_cancelled for wanted in _SCOPES.get()):
        raise WorkCancelledError("the work was cancelled")


def check_before_layers(model: nn.Module) -> None:
    """Make a model poll before each layer, in vision tower and decoder, since one pass may take minutes."""
    for module in model.modules():
        if isinstance(module, nn.ModuleList):
            for layer in module:
                layer.register_forward_pre_hook(_check_before_layer)


def _check_before_layer(_: nn.Module, __: Any) -> None:
    if not torch.compiler.is_compiling():  # compiled passes are short, and polled in between
        check_cancelled()


class CancellableModel(DelegatingModel[VideoModel]):
    """A model whose encoding and describing stop for good once cancelled.

    Answers continue, since another user may be reading them.

    Args:
        model: the wrapped model.
        cancellation: the flag to poll.
    """

    def __init__(self, model: VideoModel, cancellation: Cancellation) -> None:
        super().__init__(model)
        self._cancellation = cancellation

    def encode(self, frames: Sequence[np.ndarray]) -> Tensor:
        """Encode frames unless cancelled.

        Raises:
            WorkCancelledError: the model was cancelled, before or during the call.
        """
        with cancellable(self._cancellation):
            check_cancelled()
            return self._model.encode(frames)

    def describe(self, clip: VisualInput, request: DescribeRequest = DescribeRequest()) -> Description:
        """Describe a clip unless cancelled.

        Raises:
            WorkCancelledError: the model was cancelled, before or during the call.
        """
        with cancellable(self._cancellation):
            check_cancelled()
            return self._model.describe(clip, request)
