"""Networks that run their file's own code: classes that nobody knows, with and without leave to run them."""

import copy
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
import toys
from click.testing import CliRunner
from places import ROOT

from sefa_plugin import edit, factorize, load_network, render, style_layers
from sefa_plugin.commands.cli import sefa
from sefa_plugin.hook import HookError
from sefa_plugin.networks.opening import open_network
from sefa_plugin.networks.unpickle import TrustedFileError
from sefa_plugin.reading.network_record import NetworkFileError


@pytest.fixture
def strange(tmp_path, monkeypatch):
    """A file with a class of its own, and the live network that it was written from."""
    G = toys.live(toys.STYLED, "Strange")
    return toys.write(tmp_path / "strange.pkl", {"G": None, "D": None, "G_ema": G}, monkeypatch), G


def test_without_leave_the_refusal_names_the_option_and_its_danger(strange):
    with pytest.raises(HookError) as caught:
        open_network(strange[0])
    line = str(caught.value)
    assert "class Strange" in line and "--trust-pickle" in line and "can do anything" in line and "\n" not in line


def test_with_leave_it_is_what_it_was(strange):
    path, G = strange
    made = load_network(path, trust_pickle=True)
    z = torch.from_numpy(np.random.RandomState(7).randn(2, 6))
    ws = made.mapping(z, None, truncation_psi=0.7, truncation_cutoff=2)
    assert torch.equal(ws, G.mapping(z.float(), torch.zeros(2, 0), 0.7, 2))
    pictures = made.synthesis(ws, noise_mode="const", force_fp32=True)
    np.testing.assert_allclose(pictures, G.synthesis(ws).detach(), atol=1e-5)
    assert torch.equal(made(z, None, truncation_psi=0.5), made.synthesis(made.mapping(z, None, truncation_psi=0.5)))
    sizes = (made.z_dim, made.c_dim, made.w_dim, made.num_ws, made.img_resolution, made.img_channels)
    assert sizes == (6, 0, 8, 3, 16, 3)
    assert torch.equal(made.mapping.w_avg, G.mapping.w_avg)
    twin = copy.deepcopy(made)
    assert torch.equal(twin.synthesis(ws), made.synthesis(ws))
    assert not any(parameter.requires_grad for parameter in made.parameters())


def test_its_layers_are_found_by_what_they_do(strange):
    path, G = strange
    layers = style_layers(load_network(path, trust_pickle=True))
    facts = [(x.name, x.ws_index, x.kind, x.weight_gain, x.size, x.detail) for x in layers]
    assert [fact[:3] for fact in facts] == [
        ("synthesis.early.entry", 2, "conv"),
        ("synthesis.late.entry", 0, "torgb"),
    ]
    assert [fact[4:] for fact in facts] == [(8, 8.0), (16, 16.0)]
    assert [fact[3] for fact in facts] == pytest.approx([0.25, 0.25])
    for layer, stage in zip(layers, (G.synthesis.early, G.synthesis.late)):
        np.testing.assert_allclose(layer.weight, stage.entry.weight.detach().numpy())
    assert layers[1].style_gain == pytest.approx(6**-0.5)


def test_its_directions_are_those_of_its_weights(strange):
    path, G = strange
    made = load_network(path, trust_pickle=True)
    found = factorize(made, layers="2")
    weight = G.synthesis.early.entry.weight.detach().double().numpy()
    weight /= np.linalg.norm(weight, axis=1, keepdims=True)
    np.testing.assert_allclose(found.eigenvalues, np.linalg.eigvalsh(weight.T @ weight)[::-1], atol=1e-6)
    through_z = factorize(made, space="z")
    assert through_z.vectors.shape == (6, 6)
    ws = made.mapping(torch.zeros(1, 6), None)
    moved = edit(ws, found, {0: 2.0})
    assert torch.equal(moved[:, :2], ws[:, :2]) and not torch.equal(moved[:, 2], ws[:, 2])
    assert [frame.shape for frame in render(made, [moved[0]])] == [(16, 16, 3)]


def test_nothing_of_ours_stays_under_a_toolkits_name(strange):
    before = {name for name in sys.modules if name.split(".")[0] in ("dnnlib", "torch_utils")}
    made = load_network(strange[0], trust_pickle=True)
    made(torch.zeros(1, 6))  # imports dnnlib while it runs
    assert {name for name in sys.modules if name.split(".")[0] in ("dnnlib", "torch_utils")} == before


@pytest.mark.parametrize("labels", [0, 2])
def test_a_network_without_w(tmp_path, monkeypatch, labels):
    G = toys.live(toys.UNSTYLED, "Unstyled", c_dim=labels)
    made = load_network(toys.write(tmp_path / "net.pkl", {"G_ema": G}, monkeypatch), trust_pickle=True)
    assert (made.num_ws, made.w_dim, made.c_dim, made.img_channels) == (1, 6 + labels, labels, 1)
    z = torch.randn(2, 6)
    c = torch.nn.functional.one_hot(torch.tensor([1, 1]), 2).float() if labels else None
    pictures = made(z, c)
    np.testing.assert_allclose(pictures, G(z, c).detach(), atol=1e-6)
    (layer,) = style_layers(made)
    assert (layer.name, layer.ws_index, layer.kind) == ("first", 0, "conv")
    flat = G.first.weight.detach().numpy().reshape(6, -1).T  # [outputs, z_dim]
    np.testing.assert_allclose(layer.weight[:, :6], flat, atol=1e-5)
    assert not layer.weight[:, 6:].any()  # a label is no direction
    found = factorize(made, num_directions=3)
    in_z = factorize(made, space="z", num_directions=3)
    np.testing.assert_allclose(found.vectors[:, :6], in_z.vectors, atol=1e-5)
    with pytest.raises(ValueError, match="truncation is not possible"):
        made.mapping(z, c, truncation_psi=0.7)


def test_a_network_that_is_seen_by_a_camera(tmp_path, monkeypatch):
    G = toys.live(toys.SEEN, "Seen")
    path = toys.write(tmp_path / "net.pkl", {"G_ema": G}, monkeypatch)
    made = load_network(path, trust_pickle=True)
    assert (made.c_dim, made.num_ws, made.w_dim) == (0, 2, 6)
    ws = made.mapping(torch.randn(2, 4))
    front = made.synthesis(ws)
    assert torch.equal(front, made.synthesis(ws))  # its random numbers are the same each time
    assert torch.equal(front[1:], made.synthesis(ws[1:]))  # and whatever its company
    made.camera.copy_(made.seen_from(30, 0))
    side = made.synthesis(ws)
    moved = (side - front)[0, :, 0, 0]
    np.testing.assert_allclose(moved, [np.sin(np.pi / 6) * 2, 0, 2 * np.cos(np.pi / 6) - 2], atol=1e-5)
    assert torch.equal(made.mapping(torch.ones(1, 4)), made.mapping(torch.ones(1, 4)))
    result = CliRunner().invoke(
        sefa,
        ["sheet", "--network", str(path), "--trust-pickle", "--camera", "20,-10", "-K", "1", "--distance", "1"]
        + ["--outdir", str(tmp_path / "out")],
    )
    assert result.exit_code == 0, result.output
    settings = json.loads((tmp_path / "out" / "run.json").read_text())
    assert "--camera 20,-10" in settings["outputs"]["sheets/all-dir00.jpg"]["about"]["command"]


def test_files_of_torch_save_run_likewise(tmp_path, monkeypatch):
    G = toys.live(toys.STYLED, "Strange")
    path = toys.write(tmp_path / "net.pt", G, monkeypatch, torch_save=True)
    made = load_network(path, trust_pickle=True)
    expected = G.synthesis(G.mapping(torch.ones(1, 6), torch.zeros(1, 0))).detach()
    np.testing.assert_allclose(made(torch.ones(1, 6)), expected, atol=1e-5)


def test_tensors_of_a_graphics_card_are_read_without_one(tmp_path, monkeypatch):
    G = toys.live(toys.STYLED, "Strange")
    with monkeypatch.context() as patch:  # as the file was written where they were
        patch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
        path = toys.write(tmp_path / "net.pkl", {"G_ema": G}, patch)
    assert b"cuda:0" in path.read_bytes()
    made = load_network(path, trust_pickle=True)
    assert torch.equal(made.network.synthesis.start, G.synthesis.start)


def test_a_known_network_is_not_run_even_with_leave(golden):
    opened = open_network(golden("sg3t-64").pickle, trust_pickle=True)
    assert opened.hook.name == "stylegan3"
    demo = open_network("demo", trust_pickle=True)
    assert demo.hook.name == "stylegan2_ada"


PERSISTENT = """
from torch_utils import persistence

for name, value in list(globals().items()):
    if isinstance(value, type) and issubclass(value, torch.nn.Module):
        globals()[name] = persistence.persistent_class(value)
"""


def test_a_network_that_only_resembles_a_known_one_runs_as_what_it_is(tmp_path, monkeypatch):
    """StyleGAN2's names and shapes, other arithmetic: natively it is warned of, with leave it is right."""
    source = (ROOT / "demo" / "network.py").read_text() + PERSISTENT
    changed = source.replace("F.leaky_relu(x, 0.2)", "F.leaky_relu(x, 0.5)")
    assert changed != source
    sizes = {"z_dim": 8, "c_dim": 0, "w_dim": 8, "img_resolution": 8, "img_channels": 3}
    G = toys.live(changed, "Generator", **sizes, synthesis_kwargs={"channel_base": 64, "channel_max": 8}).eval()
    path = toys.write(tmp_path / "fork.pkl", {"G_ema": G}, monkeypatch)
    z = torch.randn(1, 8)
    with torch.no_grad():
        right = G(z, None)
    natively = open_network(path)
    assert "is not that of a toolkit known here" in natively.warnings[0]
    assert not torch.allclose(load_network(path)(z, None), right, atol=1e-2)
    with pytest.raises(HookError, match="refused because of --strict.*--trust-pickle"):
        load_network(path, strict=True)
    opened = open_network(path, trust_pickle=True)
    assert (opened.hook.name, opened.warnings) == ("embedded", ())
    assert torch.equal(load_network(path, trust_pickle=True)(z, None), right)
    assert opened.record.digest() == natively.record.digest()


def test_sources_that_import_what_is_not_there(tmp_path, monkeypatch):
    source = toys.STYLED.replace("import dnnlib\n", "import dnnlib\nimport training.volumetric_rendering\n")
    monkeypatch.setitem(sys.modules, "training", type(sys)("training"))
    monkeypatch.setitem(sys.modules, "training.volumetric_rendering", type(sys)("training.volumetric_rendering"))
    path = toys.write(tmp_path / "net.pkl", {"G_ema": toys.live(source, "Strange")}, monkeypatch)
    monkeypatch.undo()
    toys.persistence._modules.pop(source)
    with pytest.raises(TrustedFileError) as caught:
        load_network(path, trust_pickle=True)
    assert "imports training" in str(caught.value) and "inside the checkout" in str(caught.value)


def test_only_the_network_asked_for_needs_what_it_imports(tmp_path, monkeypatch):
    G = toys.live(toys.STYLED, "Strange")
    source = toys.UNSTYLED.replace("import torch\n", "import torch\nimport no_such_package\n", 1)
    monkeypatch.setitem(sys.modules, "no_such_package", type(sys)("no_such_package"))
    D = toys.live(source, "Unstyled")
    path = toys.write(tmp_path / "net.pkl", {"G": D, "D": D, "G_ema": G}, monkeypatch)
    monkeypatch.undo()
    toys.persistence._modules.pop(source)
    assert load_network(path, trust_pickle=True).num_ws == 3
    with pytest.raises(TrustedFileError, match="no_such_package, which is not here"):
        load_network(path, which="G", trust_pickle=True)


@pytest.mark.parametrize(
    "change, message",
    [
        (("x = self.early(", "x = 1 / 0 + self.early("), "its own code fails (ZeroDivisionError"),
        (("self.entry(w)", "self.entry(w.abs())"), "no affine layer that is fed by a row"),
        (("def forward(self, ws, noise_mode", "def forward(self, ws, mood, noise_mode"), "needs 'mood'"),
        (("return self.late(x, ws[:, 0])", "return 'a picture'"), "gives a str"),
    ],
)
def test_code_that_cannot_be_used_says_why(tmp_path, monkeypatch, change, message):
    source = toys.STYLED.replace(*change)
    assert source != toys.STYLED
    path = toys.write(tmp_path / "net.pkl", {"G_ema": toys.live(source, "Strange")}, monkeypatch)
    with pytest.raises(TrustedFileError) as caught:
        load_network(path, trust_pickle=True)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_sizes_that_it_does_not_tell(tmp_path, monkeypatch):
    """They are found out by calling it."""
    silent = toys.STYLED.replace("self.z_dim, self.c_dim, self.w_dim = z_dim, c_dim, w_dim", "pass")
    path = toys.write(tmp_path / "net.pkl", {"G_ema": toys.live(silent, "Strange")}, monkeypatch)
    made = load_network(path, trust_pickle=True)
    assert (made.z_dim, made.c_dim, made.w_dim, made.num_ws) == (6, 0, 8, 3)
    silent = toys.UNSTYLED.replace("self.z_dim, self.c_dim = z_dim, c_dim", "self.c_dim = c_dim")
    path = toys.write(tmp_path / "net.pkl", {"G_ema": toys.live(silent, "Unstyled")}, monkeypatch)
    made = load_network(path, trust_pickle=True)
    assert (made.z_dim, made.c_dim, made.w_dim, made.num_ws) == (6, 2, 8, 1)


def test_a_file_that_holds_no_network(tmp_path, monkeypatch):
    path = toys.write(tmp_path / "net.pkl", {"G_ema": toys.live(toys.STYLED, "Strange")}, monkeypatch)
    with pytest.raises((TrustedFileError, NetworkFileError), match="holds no D"):
        load_network(path, which="D", trust_pickle=True)


@pytest.mark.parametrize(
    "name, message",
    [
        ("timm", "imports timm, which is not installed here: pip install timm"),
        ("cv2", "pip install opencv-python"),
        ("pkg_resources", "newer setuptools no longer have"),
        ("legacy", "imports legacy, which is not here: run this inside the checkout"),
    ],
)
def test_what_is_missing_comes_with_a_way_out(tmp_path, monkeypatch, name, message):
    source = toys.STYLED.replace("import dnnlib\n", f"import dnnlib\nimport {name}\n", 1)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, name, type(sys)(name))
        path = toys.write(tmp_path / "net.pkl", {"G_ema": toys.live(source, "Strange")}, patch)
    toys.persistence._modules.pop(source)
    monkeypatch.setitem(sys.modules, name, None)  # absent, whatever is installed
    with pytest.raises(TrustedFileError, match=message) as caught:
        load_network(path, trust_pickle=True)
    assert "\n" not in str(caught.value)


HOST = '''
"""A toolkit's own persistence, told from ours by what it leaves behind."""
import sys
import types

made = []


def persistent_class(cls):
    return cls


def _reconstruct_persistent_obj(meta):
    module = types.ModuleType("made_by_host")
    sys.modules["made_by_host"] = module
    exec(meta["module_src"], module.__dict__)
    made.append(meta["class_name"])
    cls = getattr(module, meta["class_name"])
    obj = cls.__new__(cls)
    obj.__dict__.update(meta["state"])
    return obj
'''


def host(folder, *, broken=False):
    """A checkout with modules of its own."""
    for name in ("torch_utils", "dnnlib"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("")
    (folder / "torch_utils" / "persistence.py").write_text(HOST)
    text = "import nothing_like_it\n" if broken else "class EasyDict(dict):\n    __getattr__ = dict.__getitem__\n"
    (folder / "dnnlib" / "util.py").write_text(text)
    (folder / "dnnlib" / "__init__.py").write_text("from .util import EasyDict\n")
    return folder


INSIDE = """
import sys
sys.path.append({root!r})
import torch
from sefa_plugin import load_network
from sefa_plugin.networks.opening import open_network
opened = open_network({path!r}, trust_pickle=True)
print(opened.source, *opened.warnings)
import torch_utils.persistence as host
print(host.__file__)
print(sorted(set(host.made)))
from sefa_plugin.networks.building import build_network
print(build_network(opened)(torch.ones(1, 6)).sum().item())
"""


@pytest.mark.hard
@pytest.mark.parametrize("broken", [False, pytest.param(True, marks=pytest.mark.hard)])
def test_inside_a_checkout_its_own_modules_are_used(strange, tmp_path, broken):
    path, G = strange
    folder = host(tmp_path / "some toolkit", broken=broken)
    code = INSIDE.format(root=str(ROOT), path=str(path))
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    result = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, env=env)
    assert result.returncode == 0, result.stderr
    source, place, made, total = result.stdout.splitlines()
    assert place.startswith(str(folder))
    if broken:  # then ours, and both kinds of torch_utils live side by side
        assert "the modules of sefa_plugin run with sefa_plugin's modules, since those of" in source
        assert "some toolkit fail" in source and "imports nothing_like_it, which is not here" in source
    else:
        assert source.endswith(str(folder)) and "'Strange'" in made
    expected = G.synthesis(G.mapping(torch.ones(1, 6), torch.zeros(1, 0))).sum().item()
    assert float(total) == pytest.approx(expected, rel=1e-5)


def test_the_whole_run_from_the_command_line(strange, tmp_path):
    out = tmp_path / "out"
    words = ["render", "--network", str(strange[0]), "--seeds", "1", "-K", "1", "--frames", "4", "--distance", "1"]
    words += ["--video", "png", "--outdir", str(out)]
    refused = CliRunner().invoke(sefa, words)
    assert refused.exit_code == 1 and "--trust-pickle" in refused.output and not out.exists()
    result = CliRunner().invoke(sefa, [*words, "--trust-pickle"])
    assert result.exit_code == 0, result.output
    assert "Strange (embedded), 16 px, 3 layers" in result.output
    shown = CliRunner().invoke(sefa, ["info", str(strange[0]), "--trust-pickle", "--json"])
    assert json.loads(shown.stdout)["hook"] == "embedded"
