import pytest
import torch
from torch import nn

from training.muon import Muon, Optimizers, adamw, muon_and_adamw, orthogonalised


@pytest.mark.parametrize("shape", [(32, 32), (16, 40), (40, 16), (3, 24, 12)])
def test_steps_have_singular_values_near_one_and_the_gradient_s_directions(shape: tuple[int, ...]) -> None:
    gradient = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    step = orthogonalised(gradient)
    values = torch.linalg.svdvals(step)
    assert values.min() > 0.3  # the iteration stops early: near one, not one
    assert values.max() < 1.3
    u, _, v = torch.linalg.svd(gradient, full_matrices=False)
    exact = u @ v
    alike = torch.nn.functional.cosine_similarity(step.flatten(), exact.flatten(), dim=0)
    assert alike > 0.95


def test_a_step_is_that_of_pytorch_s_own_muon() -> None:
    torch.manual_seed(0)
    mine, theirs = nn.Linear(24, 48, bias=False), nn.Linear(24, 48, bias=False)
    theirs.load_state_dict(mine.state_dict())
    optimizer = Optimizers(Muon(mine.parameters(), 0.02))
    reference = torch.optim.Muon(
        theirs.parameters(), lr=0.02, weight_decay=0.02, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
    start = mine.weight.detach().clone()
    for _ in range(4):
        x = torch.randn(16, 24)
        for model in (mine, theirs):
            model(x).square().sum().backward()
        optimizer.step_at(1.0)
        reference.step()
        reference.zero_grad()
    # PyTorch iterates in bfloat16: a relative difference of a few per cent is its rounding
    assert (mine.weight - theirs.weight).norm() < 0.05 * (mine.weight - start).norm()


def test_embeddings_and_biases_are_adamw_s() -> None:
    torch.manual_seed(0)
    model = nn.ModuleDict({"words": nn.Embedding(600, 8), "layer": nn.Linear(8, 8)})
    other = nn.ModuleDict({"words": nn.Embedding(600, 8), "layer": nn.Linear(8, 8)})
    other.load_state_dict(model.state_dict())
    both, plain = muon_and_adamw(model.parameters(), 0.01), adamw(other.parameters(), 0.01)
    ids = torch.arange(32)
    for trained, optimizer in ((model, both), (other, plain)):
        trained["layer"](trained["words"](ids)).square().sum().backward()
        optimizer.step_at(0.5)
    torch.testing.assert_close(model["words"].weight, other["words"].weight)
    torch.testing.assert_close(model["layer"].bias, other["layer"].bias)
    changed = [
        name for name, value in model.state_dict().items() if not torch.allclose(value, other.state_dict()[name])
    ]
    assert changed == ["layer.weight"]


def test_a_saved_state_goes_on_where_it_was() -> None:
    def three_steps(stop: bool) -> torch.Tensor:
        torch.manual_seed(0)
        layer = nn.Linear(6, 6)
        optimizer = muon_and_adamw(layer.parameters(), 0.1)
        for number in range(3):
            if stop and number == 2:
                state, optimizer = optimizer.state_dict(), muon_and_adamw(layer.parameters(), 0.1)
                optimizer.load_state_dict(state)
            layer(torch.eye(6)).pow(3).sum().backward()
            optimizer.step_at(1.0)
        return layer.weight.detach()

    torch.testing.assert_close(three_steps(stop=True), three_steps(stop=False), rtol=0, atol=0)
