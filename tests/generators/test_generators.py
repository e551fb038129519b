"""Both generators against the numbers of the official code, and in the hands of the field's own scripts."""

import copy
import io

import numpy as np
import pytest
import torch

from sefa_plugin import load_network
from sefa_plugin.generators import stylegan2, stylegan3
from sefa_plugin.generators.kaiser import bessel_j1, lowpass
from sefa_plugin.reading.network_file import read_network

STYLEGAN2 = ["sg2ada-skip-64", "sg2ada-cond-32", "sg2ada-resnet-32", "sg2ada-orig-32", "sg2-in-sg3-32"]
STYLEGAN3 = ["sg3t-64", "sg3r-64", "sg3-cond-32", "sg3r-transform-32"]


def fresh(case):
    """A generator from the case's constructor arguments, weights not loaded."""
    given = copy.deepcopy(case.info["init_kwargs"])
    if case.name in STYLEGAN3:
        return stylegan3.Generator(**given)
    if "synthesis_kwargs" not in given:
        given.pop("fused_modconv_default")
        outer = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels", "mapping_kwargs")
        synthesis = {key: given.pop(key) for key in list(given) if key not in outer}
        given["synthesis_kwargs"] = synthesis
    return stylegan2.Generator(**given)


@pytest.fixture(scope="module")
def built(golden):
    held = {}

    def get(name):
        if name not in held:
            G = fresh(golden(name)).eval().requires_grad_(False)
            G.load_state_dict({key: torch.from_numpy(value) for key, value in golden(name).state.items()})
            held[name] = G
        return held[name]

    return get


def tensor(case, key):
    return torch.from_numpy(case[key]) if key in case.arrays else None


@pytest.mark.parametrize("name", STYLEGAN2 + STYLEGAN3)
def test_mapping(golden, built, name):
    case, G = golden(name), built(name)
    z, c = tensor(case, "in/z").double(), tensor(case, "in/c")
    cutoff = case.info["truncation"]["cutoff"]
    for key, options in (
        ("out/ws", {}),
        ("out/ws_psi07", {"truncation_psi": 0.7}),
        ("out/ws_psi07_cut", {"truncation_psi": 0.7, "truncation_cutoff": cutoff}),
    ):
        ws = G.mapping(z, c, **options)
        assert ws.dtype == torch.float32
        assert abs(ws.numpy() - case[key]).max() < 1e-5, key


@pytest.mark.parametrize("name", STYLEGAN2 + STYLEGAN3)
def test_synthesis(golden, built, name):
    case, G = golden(name), built(name)
    for key, ws, noise in (
        ("out/img_const", "out/ws", "const"),
        ("out/img_none", "out/ws", "none"),
        ("out/img_edit", "in/ws_edit", "const"),
        ("out/img_mix", "in/ws_mix", "const"),
    ):
        img = G.synthesis(tensor(case, ws), noise_mode=noise).numpy()
        assert abs(img - case[key]).max() < 1e-5 * max(1, abs(case[key]).max()), key


@pytest.mark.parametrize("name", STYLEGAN2 + STYLEGAN3)
def test_styles(golden, built, name):
    case, G = golden(name), built(name)
    for layer in case.info["style_layers"]:
        module = G.get_submodule(layer["name"])
        style = module(tensor(case, "out/ws")[:, layer["ws_index"]]).numpy()
        assert abs(style - case["out/styles/" + layer["name"]]).max() < 1e-5, layer["name"]


@pytest.mark.parametrize("name", STYLEGAN2 + STYLEGAN3)
def test_a_batch_is_its_pictures(golden, built, name):
    case, G = golden(name), built(name)
    ws = tensor(case, "out/ws")
    alone = torch.cat([G.synthesis(row[None], noise_mode="const") for row in ws])
    assert abs(alone - G.synthesis(ws, noise_mode="const")).max() < 2e-5 * max(1, abs(alone).max())


@pytest.mark.parametrize("name", STYLEGAN2 + STYLEGAN3)
def test_names_and_shapes_follow_from_the_arguments(golden, name):
    state = {key: tuple(value.shape) for key, value in fresh(golden(name)).state_dict().items()}
    assert state == {key: value.shape for key, value in golden(name).state.items()}


@pytest.mark.parametrize("name", STYLEGAN3)
def test_filters_and_layout_of_stylegan3(golden, name):
    case, G = golden(name), fresh(golden(name))
    for key, want in case.state.items():
        if key.endswith("_filter"):
            assert abs(G.state_dict()[key].numpy() - want).max() < 1e-6 * abs(want).max() + 1e-8, key
    for layer in case.info["sg3_layers"]["layers"]:
        plan = getattr(G.synthesis, layer["name"]).plan
        for key in ("in_cutoff", "out_cutoff", "in_half_width", "out_half_width", "tmp_sampling_rate"):
            assert getattr(plan, key) == pytest.approx(layer[key], rel=1e-9)
        for key in ("up_factor", "down_factor", "up_taps", "down_taps", "down_radial", "padding", "use_fp16"):
            assert getattr(plan, key) == layer[key], key


def test_a_moved_input_gives_the_features_of_the_original(golden, built):
    case, G = golden("sg3r-transform-32"), built("sg3r-transform-32")
    features = G.synthesis.input(tensor(case, "out/ws")[:1, 0]).numpy()
    assert abs(features - case["out/input_features"]).max() < 1e-4 * max(1, abs(features).max())


def halves(synthesis):
    return [resolution for resolution in synthesis.block_resolutions if getattr(synthesis, f"b{resolution}").use_fp16]


@pytest.mark.parametrize("name", ["sg2ada-skip-64", "sg2ada-cond-32", "sg2-in-sg3-32"])
def test_the_blocks_in_float16_are_the_official_ones(golden, built, name):
    """A pickle of the official code holds what each of its blocks has been given."""
    modules, synthesis = read_network(golden(name).pickle).modules, built(name).synthesis
    official = [size for size in synthesis.block_resolutions if modules[f"synthesis.b{size}"].attributes["use_fp16"]]
    assert halves(synthesis) == official == synthesis.block_resolutions[1:]


@pytest.mark.parametrize(
    ("resolution", "count", "wanted"),
    [(64, 0, []), (64, 1, [64]), (64, 2, [32, 64]), (256, 4, [32, 64, 128, 256]), (32, 4, [8, 16, 32]), (8, 9, [8])],
)
def test_the_highest_resolutions_are_in_float16_and_never_the_first(resolution, count, wanted):
    """``num_fp16_res`` of them (the training script's 4 by default); a block of 4 pixels never is."""
    synthesis = stylegan2.SynthesisNetwork(4, resolution, 3, channel_base=1024, channel_max=4, num_fp16_res=count)
    assert halves(synthesis) == wanted


def test_stylegan2_filters(golden):
    G = fresh(golden("sg2ada-skip-64"))
    want = golden("sg2ada-skip-64").state["synthesis.b8.conv0.resample_filter"]
    assert abs(G.synthesis.b8.conv0.resample_filter.numpy() - want).max() < 1e-7


def test_filter_design():
    assert bessel_j1(np.array([0.0, 1.0, 10.0, 100.0])) == pytest.approx(
        [0, 0.4400505857449335, 0.0434727461688614, -0.0771453520141122], abs=1e-12
    )
    assert lowpass(1, 2, 1, 16) is None
    for radial in (False, True):
        kernel = lowpass(12, 2, 1, 16, radial)
        assert kernel.sum() == pytest.approx(1)
        assert kernel.shape == ((12, 12) if radial else (12,))
        assert kernel == pytest.approx(kernel[::-1])
    assert np.isfinite(lowpass(11, 2, 1, 16, radial=True)).all()


def test_noise_modes(golden, built):
    case, G = golden("sg2ada-skip-64"), built("sg2ada-skip-64")
    ws = tensor(case, "out/ws")
    torch.manual_seed(0)
    first = G.synthesis(ws, noise_mode="random")
    second = G.synthesis(ws, noise_mode="random")
    torch.manual_seed(0)
    again = G.synthesis(ws, noise_mode="random")
    assert (first == again).all()
    assert abs(first - second).max() > 0.1
    with pytest.raises(ValueError, match="const, random, none"):
        G.synthesis(ws, noise_mode="fixed")


@pytest.mark.parametrize("name", ["sg2ada-skip-64", "sg3t-64"])
def test_their_kind_of_video_loop(golden, built, name):
    """What scripts of the field do with a generator, keyword by keyword."""
    case, G = golden(name), copy.deepcopy(built(name)).eval().requires_grad_(False).to("cpu")
    z = [torch.from_numpy(np.random.RandomState(seed).randn(1, G.z_dim)) for seed in (0, 1)]
    frames = []
    for t in np.linspace(0, 1, 3):
        if hasattr(G.synthesis, "input"):
            G.synthesis.input.transform.copy_(torch.from_numpy(np.eye(3)))
        ws = G.mapping(z=z[0].lerp(z[1], t), c=torch.zeros(1, 0), truncation_psi=0.7, update_emas=False)
        img = G.synthesis(ws=ws, noise_mode="const", force_fp32=True, fused_modconv=True, update_emas=False)
        frames.append((img.permute(0, 2, 3, 1) * 127.5 + 128).clamp(0, 255).to(torch.uint8)[0].numpy())
    assert frames[0].shape == (64, 64, 3)
    assert (frames[0] != frames[2]).any()
    direct = G(z[1], None, truncation_psi=0.7, noise_mode="const", force_fp32=True)
    assert abs(direct - img).max() == 0
    assert G.mapping.w_avg.shape == (G.w_dim,)
    assert (G.num_ws, G.synthesis.num_ws, G.mapping.num_ws) == (case.info["num_ws"],) * 3
    buffer = io.BytesIO()
    torch.save(G.state_dict(), buffer)
    G.mapping(z[0], None, skip_w_avg_update=True)


def test_wrong_input_is_refused(built):
    G = built("sg2ada-cond-32")
    z = torch.zeros(2, G.z_dim)
    with pytest.raises(ValueError, match=r"needs labels c of \[N, 10\]"):
        G.mapping(z, None)
    with pytest.raises(ValueError, match="z is"):
        G.mapping(z[:, 1:], torch.zeros(2, 10))
    with pytest.raises(ValueError, match="ws is"):
        G.synthesis(torch.zeros(2, G.num_ws - 1, G.w_dim))
    with pytest.raises(TypeError, match="psi"):
        G.mapping(z, torch.zeros(2, 10), psi=1)
    with pytest.raises(TypeError, match="noise"):
        G.synthesis(torch.zeros(2, G.num_ws, G.w_dim), noise="const")
    with pytest.raises(ValueError, match="takes no labels"):
        built("sg3t-64").mapping(torch.zeros(1, 48), torch.zeros(1, 3))


def test_gradients_reach_the_weights(built):
    """Inference code, but ordinary autograd works through it."""
    G = copy.deepcopy(built("sg3t-64"))
    ws = torch.zeros(1, G.num_ws, G.w_dim, requires_grad=True)
    G.synthesis(ws + 0.1).square().mean().backward()
    assert torch.isfinite(ws.grad).all()
    assert (ws.grad.abs().sum(dim=(0, 2)) > 0).all()


@pytest.mark.parametrize("name", ["sg2ada-skip-64", "sg3t-64"])
def test_pictures_do_not_depend_on_gradients_or_company(golden, name):
    """What is overwritten to save memory must be nobody else's."""
    G = load_network(golden(name).pickle)
    ws = G.mapping(torch.randn(2, G.z_dim, generator=torch.Generator().manual_seed(0)), None)
    with torch.no_grad():
        both = G.synthesis(ws, noise_mode="const")
        again = G.synthesis(ws, noise_mode="const")
        alone = torch.cat([G.synthesis(row[None], noise_mode="const") for row in ws])
    leaf = ws.clone().requires_grad_()
    traced = G.synthesis(leaf, noise_mode="const")
    traced.square().mean().backward()
    assert torch.equal(both, again)
    assert leaf.grad.abs().max() > 0
    for other in (alone, traced):
        assert (both - other).abs().max() < 1e-5 * both.abs().max()


def test_large_pictures_of_a_batch_go_one_by_one(golden, built, monkeypatch):
    """On a CPU, from 64 pixels on; the same pictures as all together, and gradients still flow."""
    case, G = golden("sg2ada-skip-64"), built("sg2ada-skip-64")
    ws = tensor(case, "out/ws")
    sizes = []
    forward = stylegan2.SynthesisBlock.forward
    watch = lambda self, x, *rest: sizes.append(0 if x is None else len(x)) or forward(self, x, *rest)  # noqa: E731
    with monkeypatch.context() as patch, torch.no_grad():
        patch.setattr(stylegan2.SynthesisBlock, "forward", watch)
        apart = G.synthesis(ws, noise_mode="const")
        assert sizes.count(1) == len(ws) > 1
        patch.setattr(stylegan2, "FOLD_ABOVE", 64)
        together = G.synthesis(ws, noise_mode="const")
    assert abs(apart - together).max() < 1e-5
    asked = ws.clone().requires_grad_()
    G.synthesis(asked, noise_mode="const").sum().backward()
    assert asked.grad.abs().amax(dim=(1, 2)).min() > 0
