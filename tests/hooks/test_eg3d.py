"""EG3D: the backbone is factorised from the file alone, whatever else the network is made of."""

import copy

import numpy as np
import pytest
from click.testing import CliRunner
from pickle_writer import call, dumps, module_state, network

from sefa_plugin import load_network
from sefa_plugin.commands.cli import sefa
from sefa_plugin.hook import HookError
from sefa_plugin.hooks import stylegan3
from sefa_plugin.networks.opening import open_network

SIZES = {"z_dim": 6, "c_dim": 25, "w_dim": 8}
INNER = {
    **SIZES,
    "img_resolution": 256,
    "img_channels": 96,
    "mapping_kwargs": {"num_layers": 2},
    "channel_base": 256,
    "channel_max": 4,
}


def tensors(inner):
    """Random tensors of the backbone, by the shapes that its arguments ask for."""
    from sefa_plugin.reading.network_record import NetworkRecord

    record = NetworkRecord("", "G_ema", (), "Generator", (), inner, {})
    shapes = stylegan3._stylegan2_plan(record).tensors()
    rng = np.random.RandomState(0)
    return {name: np.asarray(rng.randn(*shape), "f4") for name, shape in shapes.items()}


@pytest.fixture
def written(tmp_path):
    def write(change=lambda held, root, inner: None):
        inner, root = copy.deepcopy(INNER), {**SIZES, "img_resolution": 512, "img_channels": 3}
        held = {f"backbone.{name}": value for name, value in tensors(inner).items()}
        held["decoder.net.0.weight"] = np.zeros((2, 2), "f4")
        held["superresolution.block0.conv0.weight"] = np.zeros((2, 2, 3, 3), "f4")
        change(held, root, inner)
        attributes = {"backbone": {"_init_args": (), "_init_kwargs": inner}}
        made = network(held, root, "TriPlaneGenerator", attributes=attributes)
        # Plain classes of the toolkit, which nobody but its own code can make.
        modules = made.args[0]["state"]["_modules"]
        renderer = call("training.volumetric_rendering.renderer.ImportanceRenderer", state=module_state())
        modules.pairs.append(("renderer", renderer))
        path = tmp_path / "eg3d.pkl"
        path.write_bytes(dumps({"G_ema": made}))
        return path

    return write


def test_layers_and_sizes(written):
    opened = open_network(written())
    assert opened.hook.name == "eg3d" and not opened.warnings
    assert opened.sizes == {**SIZES, "num_ws": 14, "resolution": 512, "channels": 3}
    assert opened.layers[0].name == "backbone.synthesis.b4.conv1.affine"
    assert opened.layers[-1].name == "backbone.synthesis.b256.torgb.affine"
    assert [layer.ws_index for layer in opened.layers if layer.kind == "conv"] == list(range(13))
    assert opened.mapping.name == "backbone.mapping.fc0"


def test_it_is_factorised_and_says_how_pictures_are_made(written, tmp_path):
    path = written()
    with pytest.raises(HookError, match="inside a checkout of eg3d with --trust-pickle"):
        load_network(path)
    words = ["--network", str(path), "--outdir", str(tmp_path / "out")]
    result = CliRunner().invoke(sefa, ["factorize", *words, "--layers", "middle", "-K", "2"])
    assert result.exit_code == 0, result.output
    result = CliRunner().invoke(sefa, ["sheet", *words])
    assert result.exit_code == 1 and "inside a checkout of eg3d" in result.output
    result = CliRunner().invoke(sefa, ["info", str(path)])
    assert result.exit_code == 0 and "pictures   no: " in result.output


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda held, root, inner: held.pop("backbone.synthesis.b8.conv1.bias"),
            "lacks tensor synthesis.b8.conv1.bias",
        ),
        (lambda held, root, inner: held.update({"backbone.x": np.zeros(1, "f4")}), "has extra tensor x"),
        (lambda held, root, inner: held.update({"other.x": np.zeros(1, "f4")}), "has extra tensor other.x"),
        (lambda held, root, inner: root.update(w_dim=9), "does not go with it"),
        (lambda held, root, inner: root.update(c_dim=3), "does not go with it"),
        (lambda held, root, inner: inner.update(img_channels=95), "mis-shaped tensor"),
        (lambda held, root, inner: inner.update(new_trick=1), "new_trick"),
        (lambda held, root, inner: inner.clear(), "no StyleGAN2 of the stylegan3 toolkit"),
    ],
)
def test_what_is_refused(written, change, message):
    with pytest.raises(HookError, match=message):
        open_network(written(change))


def test_a_backbone_without_its_arguments(tmp_path):
    held = {f"backbone.{name}": value for name, value in tensors(INNER).items()}
    path = tmp_path / "eg3d.pkl"
    path.write_bytes(dumps({"G_ema": network(held, {**SIZES, "img_resolution": 512}, "TriPlaneGenerator")}))
    with pytest.raises(HookError, match="its backbone does not say what it was given"):
        open_network(path)
