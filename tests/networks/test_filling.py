import pytest
import torch
from torch import nn

from sefa_plugin.networks.building import filled


class Drawn(nn.Module):
    """Keeps what it draws, as it is and divided."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 4) / 0.01)
        self.register_buffer("noise", torch.rand([5], dtype=torch.float64))
        self.register_buffer("kernel", torch.ones(2), persistent=False)


class Derived(Drawn):
    """Computes with what it draws, and keeps that where no state reaches it."""

    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.randn(6).sum(), persistent=False)


class InPlace(Drawn):
    """Writes into what it has drawn."""

    def __init__(self):
        super().__init__()
        with torch.no_grad():
            self.weight[0] = 1.0
            self.noise.mul_(2)


STATE = {"weight": torch.arange(12.0).reshape(3, 4), "noise": torch.arange(5.0).double()}


@pytest.mark.parametrize("kind", [Drawn, Derived, InPlace])
def test_a_module_has_its_state_and_what_it_makes_itself(kind):
    module = filled(kind, STATE)
    assert {name: tensor.tolist() for name, tensor in module.state_dict().items()} == {
        name: tensor.tolist() for name, tensor in STATE.items()
    }
    assert isinstance(module.weight, nn.Parameter)
    assert module.kernel.tolist() == [1, 1]
    assert torch.isfinite(getattr(module, "total", torch.ones(1))).all()


def test_a_state_of_another_type_is_converted():
    module = filled(Drawn, {name: tensor.half() for name, tensor in STATE.items()})
    assert module.weight.dtype == torch.float32 and module.noise.dtype == torch.float64
    assert module.weight.tolist() == STATE["weight"].tolist()


def test_nothing_is_drawn_and_nothing_copied():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    module = filled(Drawn, STATE)
    if "assign" in nn.Module.load_state_dict.__code__.co_varnames:
        assert torch.equal(torch.get_rng_state(), before)
        assert module.weight.data_ptr() == STATE["weight"].data_ptr()
    assert torch.randn(3).isfinite().all()


@pytest.mark.parametrize(
    "state",
    [{"weight": STATE["weight"]}, {**STATE, "more": torch.ones(1)}, {**STATE, "weight": torch.ones(4, 3)}],
)
def test_another_state_is_refused(state):
    with pytest.raises(RuntimeError):
        filled(Drawn, state)
