import subprocess
import sys

import numpy as np
import pytest
from pickle_writer import dumps, network, tensor

from sefa_plugin.hook import HookError
from sefa_plugin.hooks.known_sources import KNOWN
from sefa_plugin.networks.building import build_network, load_network
from sefa_plugin.networks.opening import open_network
from sefa_plugin.reading.network_file import write_converted

ADA = ["sg2ada-skip-64", "sg2ada-cond-32", "sg2ada-resnet-32", "sg2ada-orig-32"]
SG3 = ["sg2-in-sg3-32", "sg3t-64", "sg3r-64", "sg3-cond-32", "sg3r-transform-32"]


@pytest.fixture
def remade(golden, tmp_path):
    """Write a golden case anew as a file, with changes: tensors, keywords, class, source, attributes."""

    def make(name, *, change=None, kwargs=None, file="net.pkl", **options):
        case = golden(name)
        state = dict(case.state)
        if change:
            change(state)
        none = case.info["pickle"]["buffers_registered_as_None"]
        held = dict(case.info["init_kwargs"])
        held.update(kwargs or {})
        path = tmp_path / file
        path.write_bytes(dumps({"G_ema": network(state, held, none=none, **options)}))
        return path

    return make


def refusal(path, **options):
    with pytest.raises(HookError) as caught:
        load_network(path, **options)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ADA + SG3)
def test_layers_of_every_golden_network(remade, golden, name):
    opened = open_network(remade(name))
    wanted = golden(name).info["style_layers"]
    assert opened.hook.name == ("stylegan2_ada" if name in ADA else "stylegan3")
    assert [layer.name for layer in opened.layers] == [item["name"] for item in wanted]
    for layer, item in zip(opened.layers, wanted):
        assert (layer.ws_index, layer.kind, layer.channels) == (item["ws_index"], item["kind"], item["out_features"])
        assert layer.weight_gain == pytest.approx(item["weight_gain"], rel=1e-9)
        assert layer.style_gain == pytest.approx(item["style_gain"], rel=1e-9)
        assert (np.asarray(layer.weight) == golden(name).state[f"{layer.name}.weight"]).all()
    info = golden(name).info
    assert opened.sizes == {
        "z_dim": info["z_dim"],
        "c_dim": info["c_dim"],
        "w_dim": info["w_dim"],
        "num_ws": info["num_ws"],
        "resolution": info["img_resolution"],
        "channels": info["img_channels"],
    }
    assert opened.source == "none"
    assert opened.warnings == ()


@pytest.mark.parametrize("name", ADA + SG3)
def test_built_networks_have_exactly_the_tensors_that_are_checked_for(remade, golden, name):
    G = load_network(remade(name))
    state = {key: tuple(value.shape) for key, value in G.state_dict().items()}
    assert state == {key: value.shape for key, value in golden(name).state.items()}


def test_stylegan2_without_synthesis_keywords_is_told_by_its_attributes(golden, tmp_path):
    """Both toolkits' Generators may carry no synthesis keyword at all; their defaults differ."""
    small = {"z_dim": 8, "c_dim": 0, "w_dim": 8, "img_resolution": 4, "img_channels": 3}
    shapes = {
        "mapping.w_avg": (8,),
        "synthesis.b4.const": (512, 4, 4),
        "synthesis.b4.resample_filter": (4, 4),
        "synthesis.b4.conv1.weight": (512, 512, 3, 3),
        "synthesis.b4.conv1.bias": (512,),
        "synthesis.b4.conv1.resample_filter": (4, 4),
        "synthesis.b4.conv1.noise_const": (4, 4),
        "synthesis.b4.conv1.noise_strength": (),
        "synthesis.b4.conv1.affine.weight": (512, 8),
        "synthesis.b4.conv1.affine.bias": (512,),
        "synthesis.b4.torgb.weight": (3, 512, 1, 1),
        "synthesis.b4.torgb.bias": (3,),
        "synthesis.b4.torgb.affine.weight": (512, 8),
        "synthesis.b4.torgb.affine.bias": (512,),
        **{f"mapping.fc{i}.weight": (8, 8) for i in range(8)},
        **{f"mapping.fc{i}.bias": (8,) for i in range(8)},
    }
    made = network({name: np.zeros(shape, "f4") for name, shape in shapes.items()}, small)
    path = tmp_path / "ada.pkl"
    path.write_bytes(dumps({"G_ema": made}))
    ada = load_network(path)
    assert ada.sefa.hook == "stylegan2_ada"
    assert ada.synthesis.b4.conv1.conv_clamp is None
    state = made.args[0]["state"]
    modules = dict(state["_modules"].pairs)
    modules["synthesis"].args[0]["state"]["num_fp16_res"] = 4
    path.write_bytes(dumps({"G_ema": made}))
    three = load_network(path)
    assert three.sefa.hook == "stylegan3"
    assert three.synthesis.b4.conv1.conv_clamp == 256


# --- files that merely look alike -------------------------------------------------------------------


def test_tensors_must_be_exactly_those_of_the_network(remade):
    assert "lacks tensor synthesis.b8.conv0.bias" in refusal(
        remade("sg2ada-orig-32", change=lambda s: s.pop("synthesis.b8.conv0.bias"))
    )
    extra = {"synthesis.b8.conv0.extra": np.zeros(2, "f4")}
    assert "has extra tensor synthesis.b8.conv0.extra" in refusal(
        remade("sg2ada-orig-32", change=lambda s: s.update(extra))
    )
    wrong = {"synthesis.b8.conv0.weight": np.zeros((24, 24, 5, 5), "f4")}
    assert "has mis-shaped tensor synthesis.b8.conv0.weight (24, 24, 5, 5)" in refusal(
        remade("sg2ada-orig-32", change=lambda s: s.update(wrong))
    )
    for kind in ("i4", "c8", "?"):  # a damaged type: as many bytes, other numbers
        held = {"synthesis.b8.conv0.bias": np.ones(24, kind)}
        words = (
            f"has non-real tensor synthesis.b8.conv0.bias ({np.dtype(kind).name} where floating-point numbers belong)"
        )
        assert words in refusal(remade("sg2ada-orig-32", change=lambda s, held=held: s.update(held)))
    assert "lacks tensor synthesis.input.phases" in refusal(
        remade("sg3t-64", change=lambda s: s.pop("synthesis.input.phases"))
    )


def test_arguments_must_be_known(remade):
    assert "attention" in refusal(remade("sg3t-64", kwargs={"attention": True}))
    assert "attention" in refusal(remade("sg2ada-orig-32", kwargs={"attention": True}))
    nested = {"synthesis_kwargs": {"channel_base": 512, "channel_max": 24, "gain": 2}}
    assert "gain" in refusal(remade("sg2ada-orig-32", kwargs=nested))
    message = refusal(remade("sg2ada-orig-32", kwargs={"\x1b[2J\u202e": 2}))
    assert "\\x1b[2J\\u202e" in message and message.isprintable()
    assert "w_dim" in refusal(remade("sg2ada-orig-32", kwargs={"w_dim": "32"}))
    assert "img_resolution 33" in refusal(remade("sg2ada-orig-32", kwargs={"img_resolution": 33}))
    assert "num_layers" in refusal(remade("sg3t-64", kwargs={"num_layers": 10**9}))


def test_classes_must_be_known(remade):
    message = refusal(remade("sg3t-64", class_name="FancyGenerator"))
    assert "FancyGenerator" in message
    assert "stylegan3, stylegan2_ada" in message


def test_a_changed_gain_that_is_kept_as_an_attribute_is_seen(golden, tmp_path):
    case = golden("sg2ada-orig-32")
    made = network(case.state, case.info["init_kwargs"])
    modules = dict(made.args[0]["state"]["_modules"].pairs)
    block = dict(modules["synthesis"].args[0]["state"]["_modules"].pairs)["b8"]
    conv = dict(block.args[0]["state"]["_modules"].pairs)["conv0"]
    path = tmp_path / "net.pkl"
    conv.args[0]["state"]["act_gain"] = 2**0.5
    path.write_bytes(dumps({"G_ema": made}))
    load_network(path)
    conv.args[0]["state"]["conv_clamp"] = None
    path.write_bytes(dumps({"G_ema": made}))
    load_network(path)
    conv.args[0]["state"]["conv_clamp"] = 256  # what the arguments do not ask for
    path.write_bytes(dumps({"G_ema": made}))
    assert "synthesis.b8.conv0 has conv_clamp = 256, where the known toolkits have None" in refusal(path)
    conv.args[0]["state"]["conv_clamp"] = None
    affine = dict(conv.args[0]["state"]["_modules"].pairs)["affine"].args[0]["state"]
    first = dict(modules["mapping"].args[0]["state"]["_modules"].pairs)["fc0"].args[0]["state"]
    for state, name in ((affine, "synthesis.b8.conv0.affine"), (first, "mapping.fc0")):
        state["weight_gain"] = 2.0
        path.write_bytes(dumps({"G_ema": made}))
        with pytest.raises(HookError, match=f"{name} has weight_gain = 2.0, where"):
            open_network(path)  # directions without normalisation would be wrong, too
        del state["weight_gain"]
    conv.args[0]["state"]["act_gain"] = 1.0
    path.write_bytes(dumps({"G_ema": made}))
    message = refusal(path)
    assert "synthesis.b8.conv0 has act_gain = 1.0" in message
    converted = tmp_path / "net.safetensors"
    write_converted(open_network(path).record, converted)
    assert "act_gain" in refusal(converted)


def test_unknown_sources_are_warned_of_and_refused_when_strict(remade):
    path = remade("sg3t-64", source="import torch\nclass Generator: gain = 2\n")
    opened = open_network(path)
    assert opened.source.startswith("unknown")
    (warning,) = opened.warnings
    assert opened.source[9:25] in warning
    assert "--strict" in refusal(path, strict=True)
    build_network(opened)
    assert open_network(remade("sg3t-64", source="\n# only a comment\n\n")).warnings == ()


def test_known_sources_belong_to_their_hook(remade, monkeypatch):
    from sefa_plugin.reading.module_walk import source_digest

    text = "class Generator:\n    gain = 1\n    # or \u00bd\n"
    monkeypatch.setitem(KNOWN, source_digest(text), ("stylegan3", "a toolkit"))
    for ends in ("\n", "\r\n", "\r"):
        opened = open_network(remade("sg3t-64", source="\ufeff" + text.replace("\n", ends)))
        assert (opened.source, opened.warnings) == ("a toolkit", ())
    for moved in (
        text.replace("\n    gain", " # \n    gain"),
        text.replace("    #", "#"),
        text.replace("# or", "#\nor"),
    ):
        assert open_network(remade("sg3t-64", source=moved)).warnings != ()
    assert open_network(remade("sg2ada-orig-32", source=text)).warnings != ()


def test_numbers_must_be_finite(remade):
    def spoil(state):
        state["synthesis.b8.conv0.weight"] = np.full_like(state["synthesis.b8.conv0.weight"], np.nan)

    assert "synthesis.b8.conv0.weight holds NaN" in refusal(remade("sg2ada-orig-32", change=spoil))


def test_half_precision_files_are_read(remade, golden):
    def halve(state):
        for name, value in state.items():
            state[name] = tensor(value.astype("f2"))

    G = load_network(remade("sg2ada-orig-32", change=halve))
    assert G.synthesis.b4.const.dtype.is_floating_point
    assert G.synthesis.b4.const.element_size() == 4


def test_listing_needs_no_torch(golden):
    code = (
        "import sys; from sefa_plugin.networks.opening import open_network; "
        f"o = open_network({str(golden('sg3t-64').pickle)!r}); assert len(o.layers) == 16; "
        "assert not {'torch', 'numpy', 'imageio', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
