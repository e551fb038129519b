"""Networks of other repositories, against the numbers of their own code; and those that are only named."""

import json
import re

import numpy as np
import pytest
import torch
from pickle_writer import dumps, network
from places import GOLDEN
from torch import nn

import sefa_plugin
from sefa_plugin import factorize, load_network
from sefa_plugin.hook import HookError
from sefa_plugin.networks.opening import open_network

LUCIDRAINS = ["lucidrains-plain-16", "lucidrains-attn-16", "lucidrains-noconst-16"]


def arrays(name):
    with np.load(GOLDEN / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


def state_of(case, prefix=""):
    return {prefix + key[6:]: torch.from_numpy(value) for key, value in case.items() if key.startswith("param/")}


def near(one, other, bound=1e-5):
    assert abs(one.numpy() - other).max() < bound * max(1, abs(other).max())


@pytest.mark.parametrize(
    "name, hook, wrapped",
    [
        ("mmgeneration-16", "mmgeneration", lambda state: {"meta": {}, "state_dict": state}),
        ("hammer-16", "hammer", lambda state: {"models": {"generator_smooth": state}}),
        ("hammer-cond-16", "hammer", lambda state: state),
    ],
)
def test_names_of_known_toolkits(tmp_path, name, hook, wrapped):
    case = arrays(name)
    prefix = "generator_ema." if hook == "mmgeneration" else ""
    torch.save(wrapped(state_of(case, prefix)), tmp_path / "net.pth")
    opened, G = open_network(tmp_path / "net.pth"), load_network(tmp_path / "net.pth")
    assert opened.hook.name == hook
    label = torch.eye(3)[:2] if G.c_dim else None
    ws = G.mapping(torch.from_numpy(case["in/z"]), label)
    near(ws[:, 0], case["out/w"])
    near(G.synthesis(ws, noise_mode="const"), case["out/img_const"])
    near(G.synthesis(torch.from_numpy(case["in/ws_mix"]), noise_mode="const"), case["out/img_mix"])
    if "out/img_psi07" in case:
        near(G(torch.from_numpy(case["in/z"]), label, truncation_psi=0.7, noise_mode="const"), case["out/img_psi07"])


@pytest.fixture
def model(tmp_path):
    def save(name, change=None, config=None):
        case = arrays(name)
        state = state_of(case)
        state.update({"D.to_logit.bias": torch.zeros(1), **{key.replace("E.", ".", 1): -v for key, v in state.items()}})
        if change:
            change(state)
        torch.save({"GAN": state, "version": "1.9.2"}, tmp_path / "model_5.pt")
        if config:
            (tmp_path / ".config.json").write_text(config if isinstance(config, str) else json.dumps(config))
        return case, tmp_path / "model_5.pt"

    return save


@pytest.mark.parametrize("name", LUCIDRAINS)
def test_lucidrains(model, name):
    """Their pictures go from 0 to 1, ours from -1 to 1."""
    case, path = model(name)
    opened, G = open_network(path), load_network(path)
    assert (opened.hook.name, opened.record.entries, G.num_ws) == ("lucidrains", ("G_ema", "G"), 3)
    ws = G.mapping(torch.from_numpy(case["in/z"]))
    near(ws[:, 0], case["out/w"])
    near((G.synthesis(ws, noise_mode="none") + 1) / 2, case["out/img_none"])
    noise = torch.from_numpy(case["in/noise"])
    mix = torch.from_numpy(case["in/ws_mix"])
    for index in range(2):
        G.synthesis.noise_const.copy_(noise[index, :, :, 0])
        near((G.synthesis(ws, noise_mode="const")[index] + 1) / 2, case["out/img"][index])
        near((G.synthesis(mix, noise_mode="const")[index] + 1) / 2, case["out/img_mix"][index])
    drawn = torch.from_numpy(np.random.RandomState(0).randn(4096, G.z_dim))
    near(G.mapping.w_avg, G.mapping(drawn)[:, 0].mean(dim=0).numpy())
    assert (load_network(path, which="G").synthesis.b4.conv0.weight == -G.synthesis.b4.conv0.weight).all()


def test_directions_of_lucidrains(model):
    """Every row of ws is read by the three affines of its block; ``w + 1`` scales the weights."""
    case, path = model(LUCIDRAINS[0])
    G = load_network(path)
    parts = [f"param/GE.blocks.{b}.{part}.weight" for b in range(3) for part in ("to_style1", "to_style2")]
    matrices = [case[part] for part in [*parts, "param/GE.blocks.2.to_rgb.to_style.weight"]]
    wanted = factorize(matrices)
    assert abs(factorize(G).vectors - wanted.vectors).max() < 1e-6
    z = torch.from_numpy(case["in/z"]).double()
    vector = torch.from_numpy(factorize(G, space="z").vectors[:1]).double()
    first = torch.from_numpy(case["param/SE.net.0.weight"]).double() * 0.1
    z = z / z.square().mean(dim=1, keepdim=True).sqrt()
    step = (first @ vector[0] / z.shape[1] ** 0.5).norm()
    layer = G.sefa.mapping
    assert float(step) == pytest.approx(
        float(np.linalg.norm(case["param/SE.net.0.weight"] @ vector[0].numpy()) * layer.weight_gain), rel=1e-6
    )


def test_the_configuration_beside_a_checkpoint(model):
    case, path = model(LUCIDRAINS[0], config={"image_size": 16, "lr_mlp": 0.2})
    assert ".config.json" not in open_network(path).warnings[0]
    weight, bias = (case[f"param/SE.net.0.{part}"] for part in ("weight", "bias"))
    x = case["in/z"] / np.linalg.norm(case["in/z"], axis=1, keepdims=True)
    wanted = (x @ weight.T + bias) * 0.2
    G = load_network(path)
    held = []
    G.mapping.fc1.register_forward_pre_hook(lambda module, inputs: held.append(inputs))
    assert G.mapping.lr_multiplier == 0.2
    G.mapping.num_layers = 1
    near(G.mapping(torch.from_numpy(case["in/z"]))[:, 0], np.where(wanted > 0, wanted, 0.2 * wanted))
    for text in ("{", '{"lr_mlp": "fast"}', "[]"):
        (path.parent / ".config.json").write_text(text)
        with pytest.raises(HookError, match=r"\.config\.json: "):
            open_network(path)


def test_a_part_of_a_lucidrains_checkpoint_is_named(model):
    _, path = model(LUCIDRAINS[0], lambda state: state.pop("SE.net.0.weight"))
    with pytest.raises(
        HookError, match="is a checkpoint of lucidrains' stylegan2-pytorch, but it lacks tensor S.net.0"
    ):
        open_network(path)


def test_rectangles_of_eps696(tmp_path):
    """The constant input is 3 x 5, so the pictures of a network of 16 are 12 x 20."""
    case = arrays("eps696-12x20")
    state = state_of(case)
    kwargs = {
        "z_dim": 8, "c_dim": 0, "w_dim": 8, "img_resolution": 16, "img_channels": 3, "init_res": [3, 5],
        "mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": {"channel_base": 128, "channel_max": 8},
    }  # fmt: skip
    whole = tmp_path / "net.pkl"
    whole.write_bytes(dumps({"G_ema": network({key: value.numpy() for key, value in state.items()}, kwargs)}))
    torch.save(state, tmp_path / "net.pt")
    for path in (whole, tmp_path / "net.pt"):
        G = load_network(path)
        img = G(torch.from_numpy(case["in/z"]), None, noise_mode="const")
        assert img.shape == (2, 3, 12, 20)
        near(img, case["out/img_const"])
        near(G(torch.from_numpy(case["in/z"]), None, truncation_psi=0.7, noise_mode="const"), case["out/img_psi07"])


def test_a_constant_input_of_another_size_in_rosinality(golden, tmp_path):
    """A repeated constant gives repeated features, but for the borders."""
    case = golden("rosinality-32")
    state = {key: torch.from_numpy(np.array(value)) for key, value in case.state.items()}
    state["input.input"] = state["input.input"].repeat(1, 1, 1, 2)
    state.update({key: value.repeat(1, 1, 1, 2) for key, value in state.items() if key.startswith("noises.")})
    torch.save({"g_ema": state, "latent_avg": torch.from_numpy(case["in/latent_avg"])}, tmp_path / "net.pt")
    img = load_network(tmp_path / "net.pt").synthesis(torch.from_numpy(case["out/ws"]), noise_mode="const")
    assert img.shape[-2:] == (32, 64)
    conv = load_network(tmp_path / "net.pt").synthesis.b4.conv1
    w = torch.from_numpy(case["out/ws"])[:, 0]
    features = conv(state["input.input"].expand(len(w), -1, -1, -1), w, "none")
    plain = load_network(GOLDEN / "rosinality-32.pt").synthesis.b4.conv1
    alone = plain(torch.from_numpy(case.state["input.input"]).expand(len(w), -1, -1, -1), w, "none")
    near(features[..., :3], alone[..., :3].numpy())
    near(features[..., 5:], alone[..., 1:].numpy())


class Styled(nn.Module):
    """A live network whose styles are named as in those toolkits."""

    def __init__(self, *path):
        super().__init__()
        *path, last = path
        inner = self
        for step in path:
            inner.add_module(step, nn.Module())
            inner = getattr(inner, step)
        inner.register_parameter(last, nn.Parameter(torch.randn(6, 4)))
        self.other = nn.Linear(4, 6)


@pytest.mark.parametrize(
    "value, named, live",
    [
        (
            {"name": "Generator", "kwargs": {}, "state_dict": {"dlatent_avg": torch.zeros(4)}},
            "adriansahlman/stylegan2_pytorch",
            Styled("conv", "dense", "layer", "weight"),
        ),
        (
            {"meta": {}, "state_dict": {"generator_ema.style_mapping.1.weight": torch.zeros(8, 8)}},
            "MMGeneration or mmagic",
            Styled("conv", "style_modulation", "linear", "weight_orig"),
        ),
    ],
)
def test_the_python_line_for_a_network_that_is_only_named(tmp_path, value, named, live):
    torch.save(value, tmp_path / "net.pth")
    with pytest.raises(HookError, match=named) as caught:
        open_network(tmp_path / "net.pth")
    (line,) = re.findall(r"sefa_plugin\.factorize\(.*\)", str(caught.value))
    found = eval(line, {"sefa_plugin": sefa_plugin, "G": live})
    (matrix,) = [p.detach() for p in live.parameters() if p.shape == (6, 4) and p is not live.other.weight]
    assert abs(found.vectors - factorize([matrix]).vectors).max() < 1e-6
