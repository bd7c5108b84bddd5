"""A cache with room against the stock growing cache, under any sequence of additions and takings back."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import DynamicLayer, Gemma3TextConfig, Qwen2Config

from keepsight.models.decoding.kv_cache import PreallocatedLayer, roomy_cache

CHANGES = st.lists(st.tuples(st.sampled_from(["add", "take back"]), st.integers(1, 9)), max_size=12)


@settings(deadline=None)
@given(changes=CHANGES, num_more=st.integers(0, 12), batch=st.integers(1, 3), seed=st.integers(0, 99))
def test_it_holds_what_the_stock_layer_holds(
    changes: list[tuple[str, int]], num_more: int, batch: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    ours, stock = PreallocatedLayer(num_more), DynamicLayer()
    for action, count in [("add", 5), *changes]:
        if action == "add":
            states = torch.randn(2, batch, 3, count, 4, generator=generator)
            given_back = ours.update(states[0], states[1])
            expected = stock.update(states[0], states[1])
            assert all(torch.equal(mine, theirs) for mine, theirs in zip(given_back, expected, strict=True))
        else:
            count = min(count, stock.get_seq_length() - 1)
            ours.crop(-count)
            stock.crop(-count)
        assert ours.get_seq_length() == stock.get_seq_length()
        assert ours.get_mask_sizes(3) == stock.get_mask_sizes(3)
        for mine, theirs in ((ours.keys, stock.keys), (ours.values, stock.values)):
            assert mine is not None
            assert theirs is not None
            assert torch.equal(mine, theirs)


def address_of(layer: PreallocatedLayer) -> int:
    assert layer.keys is not None
    return layer.keys.data_ptr()


def test_nothing_is_copied_while_there_is_room() -> None:
    layer = PreallocatedLayer(6)
    prompt = torch.randn(1, 2, 10, 4)
    layer.update(prompt, prompt)
    address = address_of(layer)
    for _ in range(6):
        layer.update(prompt[:, :, :1], prompt[:, :, :1])
        assert address_of(layer) == address
    layer.update(prompt[:, :, :1], prompt[:, :, :1])
    assert address_of(layer) != address  # more tokens than expected: new room
    assert layer.get_seq_length() == 17


def test_layers_with_a_window_stay_as_they_are() -> None:
    assert all(
        isinstance(layer, PreallocatedLayer) for layer in roomy_cache(Qwen2Config(num_hidden_layers=3), 4).layers
    )
    kinds = ["sliding_attention", "full_attention"]
    mixed = roomy_cache(Gemma3TextConfig(num_hidden_layers=2, layer_types=kinds, sliding_window=8), 4).layers
    assert [isinstance(layer, PreallocatedLayer) for layer in mixed] == [False, True]
