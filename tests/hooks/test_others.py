"""Networks that no hook takes: the refusal says what they are."""

import numpy as np
import pytest
from click.testing import CliRunner
from pickle_writer import call, dumps, module_state, network, persistent, tensor

from sefa_plugin.commands.cli import sefa
from sefa_plugin.hook import HookError
from sefa_plugin.hooks import stylegan3
from sefa_plugin.hooks.others import identify
from sefa_plugin.networks.opening import open_network
from sefa_plugin.reading.network_file import read_network
from sefa_plugin.reading.network_record import ForeignNetworkError, NetworkFileError

ONE = np.zeros((2, 2), "f4")


def plain(path, **modules):
    """A module of a class that is pickled by its name."""
    return call(path, state=module_state(modules=modules))


def linear():
    return call(
        "torch.nn.modules.linear.Linear", state=module_state(parameters={"weight": tensor(ONE, parameter=True)})
    )


def nested(path, inner):
    """Plain modules by dotted name."""
    for name in reversed(path.split(".")):
        inner = plain("torch.nn.modules.container.ModuleDict", **{name: inner})
    return inner


R3GAN = plain("training.networks.Generator", Model=nested("MainLayers.0.Layers.0.LinearLayer", linear()))
STYLEGAN2 = {"synthesis.b4.const": ONE, "synthesis.b4.conv1.affine.weight": ONE}
CASES = {
    "R3GAN": R3GAN,
    "StyleGAN-T": plain("networks.generator.Generator"),
    "StyleGAN-V": persistent("Generator", module_state(modules={"motion": plain("src.training.motion.Encoder")})),
    "FastGAN": plain(
        "pg_modules.networks_fastgan.Generator", synthesis=plain("pg_modules.networks_fastgan.FastganSynthesis")
    ),
    "StyleNeRF": network({"synthesis.fg_nerf.fc.weight": ONE}, {}),
    "EpiGRAF": network({"synthesis.tri_plane_mlp.fc.weight": ONE}, {}),
    "StyleGAN-V generator": network({"synthesis.motion_encoder.fc.weight": ONE}, {}),
    "INR-GAN": network({**STYLEGAN2, "synthesis.b4.input.x": ONE}, {"cfg": {"name": "x"}}, "Other"),
    "a discriminator": network({"b4.fc.weight": ONE}, {}, "Discriminator"),
    "an encoder": network({"encoder.body.weight": ONE}, {}, "pSp"),
    "an augmentation pipeline": network({"Hz_geom": ONE}, {}, "AugmentPipe"),
    "an EG3D generator of another kind": network({"planes.weight": ONE}, {}, "TriPlaneGenerator"),
}


@pytest.fixture
def write(tmp_path):
    def to_file(value):
        path = tmp_path / "net.pkl"
        path.write_bytes(dumps({"G_ema": value}))
        return path

    return to_file


@pytest.mark.parametrize("family", CASES)
def test_the_refusal_names_the_family(write, family):
    path = write(CASES[family])
    with pytest.raises((HookError, ForeignNetworkError)) as caught:
        open_network(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: is ") and family in line and "\n" not in line
    of_no_use = ("a discriminator", "an encoder", "an augmentation pipeline", "StyleGAN-T")
    assert ("--trust-pickle" in line) == (family not in of_no_use)
    result = CliRunner().invoke(sefa, ["info", str(path)])
    assert result.exit_code == 1 and family in result.output


def test_an_r3gan_generator_is_not_taken_for_a_stylegan2(write):
    """Its class is called Generator, in a module called training.networks."""
    with pytest.raises(ForeignNetworkError, match="has neither W nor truncation"):
        open_network(write(R3GAN))


def test_what_nobody_knows_stays_unnamed(write):
    path = write(network({"a.weight": ONE}, {}, "Surprise"))
    assert identify(read_network(path)) == ""
    with pytest.raises(HookError, match=r"no hook fits this network \(class Surprise\)"):
        open_network(path)
    with pytest.raises(NetworkFileError, match="needs somewhere.Surprise, which is not known to be harmless"):
        open_network(write(plain("somewhere.Surprise")))
    with pytest.raises(NetworkFileError, match=r"needs os.system.*--trust-pickle"):
        open_network(write(call("os.system", "true", state={"a": 1})))


def test_known_names_with_other_contents_are_refused(write, golden):
    """A familiar class and familiar tensors, and something that is not as it must be."""
    case = golden("sg2ada-skip-64")
    state, kwargs = case.state, case.info["init_kwargs"]
    sizes = {key: kwargs[key] for key in ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels")}

    def refused(message, tensors=state, arguments=kwargs, inside=None, **root):
        with pytest.raises(HookError, match=message):
            opened = open_network(write(network(tensors, arguments, attributes=inside, **{**sizes, **root})))
            from sefa_plugin.networks.building import build_network

            build_network(opened)

    refused("has extra tensor", {**state, "synthesis.b8.attention.weight": ONE})
    refused("lacks tensor", {key: value for key, value in state.items() if key != "mapping.fc3.bias"})
    refused("which the known toolkits do not have", arguments={**kwargs, "attention": True})
    refused("resize = 256, which changes its pictures", arguments={**kwargs, "resize": 256})
    refused("mis-shaped tensor synthesis.b4.const", arguments={**kwargs, "init_res": [8, 4]})
    refused("init_res is 4, expected a height and a width", arguments={**kwargs, "init_res": 4})
    refused("weight_gain = 3.0, where the known", inside={"synthesis.b8.torgb": {"weight_gain": 3.0}})
    refused("act_gain = 1.0, where the known", inside={"synthesis.b8.conv0": {"act_gain": 1.0}})


@pytest.mark.parametrize(
    "extra, mapping",
    [
        ({"epochs": 12.5}, {}),
        ({"resize": None, "padding": False}, {}),
        ({"init_res": [4, 4]}, {}),
        ({}, {"freeze_layers": 2, "freeze_embed": True}),
    ],
)
def test_arguments_of_forks_that_change_nothing(write, golden, extra, mapping):
    case = golden("sg2ada-skip-64")
    kwargs = {**case.info["init_kwargs"], **extra}
    kwargs["mapping_kwargs"] = {**kwargs["mapping_kwargs"], **mapping}
    assert open_network(write(network(case.state, kwargs, epochs=3.0))).hook.name == "stylegan2_ada"


def test_nested_keywords_of_the_newer_stylegan2(write, golden):
    """DragGAN nests them; what the synthesis network keeps tells which toolkit's defaults hold."""
    case = golden("sg2-in-sg3-32")
    kwargs = dict(case.info["init_kwargs"])
    own = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels", "mapping_kwargs")
    nested_kwargs = {key: kwargs.pop(key) for key in list(kwargs) if key not in own}
    inside = {"synthesis": {"num_fp16_res": 4}}
    made = network(case.state, {**kwargs, "synthesis_kwargs": nested_kwargs}, attributes=inside)
    opened = open_network(write(made))
    assert opened.hook.name == "stylegan3"
    assert stylegan3._stylegan2_plan(opened.record).block.conv_clamp == 256
    both = {**kwargs, "synthesis_kwargs": nested_kwargs, "channel_max": 16}
    with pytest.raises(HookError, match="synthesis keywords twice"):
        open_network(write(network(case.state, both, attributes=inside)))
