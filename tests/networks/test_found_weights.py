"""Weights that are found by their tensors, wherever a file has them; and every hint of a message, typed."""

import re
import shlex

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from pickle_writer import call, dumps, module_state, network, persistent
from safetensors.torch import save_file

from sefa_plugin import load_network
from sefa_plugin.commands.cli import sefa
from sefa_plugin.hook import HookError
from sefa_plugin.networks.opening import demo_path, open_network
from sefa_plugin.reading.network_record import NetworkFileError


@pytest.fixture
def weights(golden):
    """State dicts by the names of two toolkits; ``other`` has other numbers."""

    def get(name="sg2ada-orig-32", prefix="", sign=1):
        state = {key: torch.from_numpy(np.array(value)) for key, value in golden(name).state.items()}
        return {
            prefix + key: value if "filter" in key or "kernel" in key else sign * value for key, value in state.items()
        }

    return get


@pytest.fixture
def write(tmp_path):
    def to_file(value, name="net.pt"):
        torch.save(value, tmp_path / name)
        return tmp_path / name

    return to_file


def picture(G, golden, name="sg2ada-orig-32"):
    ws = torch.from_numpy(golden(name)["out/ws"])
    return abs(G.synthesis(ws, noise_mode="const").numpy() - golden(name)["out/img_const"]).max()


WRAPPED = {
    "netG": (lambda get: {"netG": get(), "step": 3}, "netG"),
    "params_ema": (lambda get: {"params_ema": get()}, "params_ema"),
    "two levels": (
        lambda get: {"model": {"ema": get()}, "optimizer": {"state": {0: {"step": torch.ones(1)}}}},
        "model.ema",
    ),
    "a prefix": (lambda get: get(prefix="generator."), "generator"),
    "a wrapper's prefix inside": (lambda get: {"weights": get(prefix="module.")}, "weights"),
    "two prefixes": (lambda get: get(prefix="net.gen."), "net.gen"),
    "a prefix in a known entry": (lambda get: {"g_ema": get(prefix="G.")}, "G_ema"),
    "beside a discriminator": (lambda get: {**get(prefix="G."), "D.b4.fc.weight": torch.ones(2, 2)}, "G"),
    "lightning": (
        lambda get: {"epoch": 1, "state_dict": {**get(prefix="G.", sign=-1), **get(prefix="G_ema.")}},
        "G_ema",
    ),
}


@pytest.mark.parametrize("case", WRAPPED)
def test_weights_under_any_name(golden, weights, write, case):
    make, name = WRAPPED[case]
    path = write(make(weights))
    opened = open_network(path)
    assert (opened.record.which, opened.hook.name) == (name, "stylegan2_state")
    assert picture(load_network(path), golden) < 1e-5
    assert opened.sizes == open_network(write(weights(), "plain.pt")).sizes
    again = load_network(path, which=name)
    assert picture(again, golden) < 1e-5


def test_several_candidates_are_listed_and_chosen(golden, weights, write):
    path = write({"first": weights(sign=-1), "second": weights()})
    with pytest.raises(NetworkFileError, match=r"holds no G_ema; it holds first, second \(choose with") as caught:
        open_network(path)
    typed = re.findall(r"--which (\S+?)(?=\)| )", str(caught.value))
    assert typed == ["first", "second"]
    assert picture(load_network(path, which=typed[1]), golden) < 1e-5
    assert picture(load_network(path, which=typed[0]), golden) > 0.1
    both = write({"state_dict": {**weights(prefix="G."), **weights(prefix="G_ema.", sign=-1)}})
    assert picture(load_network(both, which="G"), golden) < 1e-5


AVERAGES = {
    "params_ema": lambda raw, ema: {"params": raw(), "params_ema": ema()},
    "netG_ema": lambda raw, ema: {"netG": raw(), "netD": {"x": torch.ones(1)}, "netG_ema": ema(), "epoch": 3},
    "g_running": lambda raw, ema: {"generator": raw(), "discriminator": {"x": torch.ones(1)}, "g_running": ema()},
    "avgG": lambda raw, ema: {"G": raw(), "avgG": ema()},
    "ema_model": lambda raw, ema: {**raw("online_model."), **ema("ema_model."), "step": torch.ones(1)},
    "generator_ema": lambda raw, ema: {"state_dict": {**raw("generator."), **ema("generator_ema.module.")}},
    "model_ema": lambda raw, ema: {
        "model": raw("module."),
        "model_ema": {"n_averaged": torch.ones(1), **ema("module._orig_mod.")},
        "optimizer": {"state": {0: {"step": torch.ones(1)}}},
    },
}


@pytest.mark.parametrize("name", AVERAGES)
def test_of_a_training_the_average_is_taken_and_this_is_said(golden, weights, write, name):
    path = write(
        AVERAGES[name](lambda prefix="": weights(prefix=prefix, sign=-1), lambda prefix="": weights(prefix=prefix))
    )
    notes = []
    opened = open_network(path, note=notes.append)
    assert opened.record.which == name
    assert len(notes) == 1 and notes[0].startswith(f"{name} is taken, an average of weights; the file also holds ")
    assert picture(load_network(path), golden) < 1e-5


@pytest.mark.parametrize(
    "wrap",
    [
        lambda key: f"module.{key}",
        lambda key: f"_orig_mod.module.{key}",
        lambda key: key.replace("synthesis.", "synthesis._orig_mod."),
        lambda key: f"G_ema.module.{key.replace('mapping.', 'mapping.module.')}",
        lambda key: re.sub(r"(b\d+)\.", r"\1._checkpoint_wrapped_module.", f"_fsdp_wrapped_module.{key}"),
    ],
)
def test_wrappers_of_a_network_and_of_its_parts(golden, weights, write, wrap):
    path = write({wrap(key): value for key, value in weights().items()})
    assert picture(load_network(path), golden) < 1e-5


@pytest.mark.parametrize("dtype, closest", [(torch.float16, 0.01), (torch.bfloat16, 0.1)])
def test_half_copies_are_widened(golden, weights, write, dtype, closest):
    path = write({"G_ema": {key: value.to(dtype) for key, value in weights(prefix="module.").items()}})
    G = load_network(path)
    assert {part.dtype for part in G.parameters()} == {torch.float32}
    assert picture(G, golden) < closest


def test_the_generator_of_psp_and_e4e(golden, write):
    """They hold the encoder, the generator as ``decoder.``, and the average w, once or for every layer."""
    case = golden("rosinality-32")
    decoder = {f"decoder.{key}": torch.from_numpy(np.array(value)) for key, value in case.state.items()}
    average = torch.from_numpy(case["in/latent_avg"])
    for held in (average, average[None], average.repeat(8, 1)):
        state = {"encoder.input_layer.0.weight": torch.zeros(4, 3, 3, 3), **decoder}
        path = write({"state_dict": state, "latent_avg": held, "opts": {"size": 32}})
        opened, G = open_network(path), load_network(path)
        assert (opened.hook.name, opened.record.which, opened.warnings) == ("rosinality", "decoder", ())
        assert picture(G, golden, "rosinality-32") < 1e-5
        psi = G.mapping(torch.from_numpy(case["in/z"]), None, truncation_psi=0.7).numpy()
        assert abs(psi - case["out/ws_psi07"]).max() < 1e-5


def test_an_encoder_alone_says_so(write):
    path = write({"state_dict": {"encoder.body.0.weight": torch.zeros(3)}, "latent_avg": torch.zeros(8), "opts": {}})
    with pytest.raises(NetworkFileError, match="holds an encoder"):
        open_network(path)


def test_a_part_of_a_larger_network_is_no_generator(weights, write):
    """EG3D's backbone makes planes of 96 channels."""
    state = weights(prefix="backbone.")
    wide = {key: torch.zeros(96, *value.shape[1:]) for key, value in state.items() if "torgb.weight" in key}
    wide.update({key: torch.zeros(96) for key in state if "torgb.bias" in key})
    with pytest.raises(HookError, match="no hook fits"):
        open_network(write({**state, **wide}))


@pytest.mark.parametrize("prefix", ["", "decoder.", "params_ema."])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_plain_safetensors(golden, weights, tmp_path, prefix, dtype):
    path = tmp_path / "net.safetensors"
    state = {key: value.contiguous() for key, value in weights("rosinality-32", prefix).items()}
    state[f"{prefix}latent_avg"] = torch.from_numpy(golden("rosinality-32")["in/latent_avg"])
    save_file({key: value.to(dtype) for key, value in state.items()}, path, {"format": "pt"})
    opened = open_network(path)
    assert (opened.hook.name, opened.record.format) == ("rosinality", "safetensors")
    assert picture(load_network(path), golden, "rosinality-32") < (1e-5 if dtype == torch.float32 else 0.5)


def test_what_is_found_can_be_converted(golden, weights, write, tmp_path):
    path = write({"netG": weights()})
    made = tmp_path / "made.safetensors"
    result = CliRunner().invoke(sefa, ["convert", "--network", str(path), "--output", str(made)])
    assert result.exit_code == 0, result.output
    assert picture(load_network(made), golden) < 1e-5
    assert load_network(made).sefa.digest == load_network(path).sefa.digest


def test_other_safetensors_are_named(tmp_path):
    save_file({"a.weight": torch.zeros(2)}, tmp_path / "net.safetensors")
    with pytest.raises(
        NetworkFileError, match=r"not a network written by `sefa convert`, nor .* \(1 tensors: a.weight"
    ):
        open_network(tmp_path / "net.safetensors")


HINTED = {
    "several": lambda get: {"params": get(), "others": get()},
    "an odd name": lambda get: {"my net": get(), "x;y": get()},
}


@pytest.mark.parametrize("case", HINTED)
def test_every_hint_is_typed(weights, write, case):
    follow_hints([str(write(HINTED[case](weights)))])


@pytest.mark.parametrize("beside", ["d", "D", "netD", "discriminator"])
@pytest.mark.parametrize("name", ["g", "generator", "netG", "G", "model"])
def test_the_only_generator_is_taken_and_said_to_be_no_average(weights, write, name, beside):
    notes: list[str] = []
    path = str(write({name: weights("rosinality-32"), beside: {"x": torch.ones(1)}, "epoch": 3}))
    opened = open_network(path, note=notes.append)
    assert opened.record.which in (name, "G")
    assert notes == [f"{opened.record.which} is taken; nothing in the file is called an average of its weights"]


@pytest.mark.parametrize("name", ["sg2ada-skip-64", "sg2ada-cond-32", "stylegan2-tf-32"])
def test_hints_of_pickles(golden, name):
    follow_hints([str(golden(name).pickle), "--which", "D"])
    follow_hints([str(golden(name).pickle), "--which", "nobody"])


def test_the_hint_of_a_converted_network(golden, tmp_path):
    made = str(tmp_path / "made.safetensors")
    words = ["convert", "--network", str(golden("sg2ada-cond-32").pickle), "--which", "G", "--output", made]
    assert CliRunner().invoke(sefa, words).exit_code == 0
    follow_hints([made])
    follow_hints([made, "--which", "D"])


def test_a_discriminator_alone_gets_no_hint_that_cannot_work(tmp_path):
    path = tmp_path / "net.pkl"
    path.write_bytes(dumps({"D": network({"b4.fc.weight": np.zeros((2, 2), "f4")}, {}, "Discriminator")}))
    for words in ([], ["--which", "D"]):
        result = CliRunner().invoke(sefa, ["info", str(path), *words])
        assert result.exit_code == 1 and "--which" not in result.output and "--trust-pickle" not in result.output
    path.write_bytes(dumps({"G_ema": call("a.Discriminator", state=module_state()), "G": persistent("X", {})}))
    assert "; choose with --which G" in CliRunner().invoke(sefa, ["info", str(path)]).output


def follow_hints(words):
    """Type each ``--which`` of the line that refuses a file: the line must be there, and each must work."""
    result = CliRunner().invoke(sefa, ["info", *words])
    assert result.exit_code == 1, result.output
    line = result.output.strip().splitlines()[-1]
    parts = [part for part in re.split(r" or |; |[()]", line) if "--which" in part]
    assert parts, line
    for part in parts:
        option = shlex.split(part[part.index("--which") :])
        again = CliRunner().invoke(sefa, ["info", words[0], *option])
        assert again.exit_code == 0, (option, again.output)


def test_the_demo_names_its_entries():
    follow_hints([demo_path(), "--which", "D"])
