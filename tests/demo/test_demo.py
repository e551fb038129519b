"""The drawn world, the recipe that trains on it, and the network that ships."""

import copy
import io
import pickle
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from places import ROOT

from demo import __main__ as whole
from demo import audit, checkpoint, export, predictor, refine, train, world
from demo import pictures as pictures_of_docs
from demo.half import HalfConvolutions
from sefa_plugin import load_network
from sefa_plugin.hooks.known_sources import KNOWN
from sefa_plugin.networks.opening import demo_path, open_network
from sefa_plugin.reading.module_walk import source_digest
from sefa_plugin.reading.network_file import read_network

SOURCE = (ROOT / "demo" / "network.py").read_text(encoding="utf-8")
TINY = train.Recipe(
    pictures=12, z_dim=8, w_dim=8, mapping_layers=2, channel_base=256, channel_max=8, batch=4, r1_every=2
)
STAGE = refine.Recipe(predictor.Recipe(seed=1, pictures=12, epochs=1, batch=4), halving=0.02, noise_halving=0.01)


@pytest.fixture(scope="module")
def pictures():
    return world.faces(0, TINY.pictures)[0]


def average_face(**changes):
    face = {name: (low + high) / 2 for name, (low, high) in world.FACTORS.items()}
    face.update({"glasses": 0.0, "wrinkles": 0.0, **changes})
    return world.draw([face[name] for name in world.NAMES]).astype(int)


def test_equal_seeds_draw_equal_faces():
    one, factors = world.faces(5, 3)
    two, _ = world.faces(5, 3)
    assert one.shape == (3, 64, 64, 3)
    assert one.dtype == np.uint8
    assert (one == two).all()
    assert (world.faces(6, 3)[0] != one).any()
    assert factors.shape == (3, len(world.NAMES))


@pytest.mark.parametrize("name", world.NAMES)
def test_every_factor_shows(name):
    low, high = world.FACTORS[name]
    change = abs(average_face(**{name: low}) - average_face(**{name: high})).mean()
    assert change > 0.5


def test_factors_stay_in_range_and_some_go_together():
    values = dict(zip(world.NAMES, world.sample_factors(np.random.RandomState(0), 4000).T))
    for name, (low, high) in world.FACTORS.items():
        assert low <= values[name].min() <= values[name].max() <= high, name
    assert np.corrcoef(values["glasses"], values["wrinkles"])[0, 1] > 0.2
    assert abs(np.corrcoef(values["smile"], values["turn"])[0, 1]) < 0.05
    assert 0.25 < values["glasses"].mean() < 0.75


def test_a_face_needs_all_its_factors():
    with pytest.raises(ValueError, match="3 factors given"):
        world.draw([0, 0, 0])


def weights(training):
    return {k: v for net in (training.G, training.D, training.G_ema) for k, v in net.state_dict().items()}


@pytest.mark.hard  # seconds
def test_training_changes_the_networks_and_goes_on_as_if_never_interrupted(pictures, tmp_path):
    straight, first = train.Training(TINY, pictures), train.Training(TINY, pictures)
    start = {key: value.clone() for key, value in straight.G_ema.state_dict().items()}
    losses = [straight.step() for _ in range(3)]
    assert all(np.isfinite(list(loss.values())).all() for loss in losses)
    first.step()
    checkpoint.write(tmp_path / "c", first.state())
    state = checkpoint.read(tmp_path / "c")
    second = train.Training(replace(TINY), pictures)
    second.restore(state)
    for _ in range(2):
        second.step()
    ours, theirs = weights(straight), weights(second)
    assert all((ours[key] == theirs[key]).all() for key in ours)
    assert second.images == 12
    moved = [key for key, value in straight.G_ema.state_dict().items() if (value != start[key]).any()]
    assert len(moved) > 20
    assert straight.samples(2).shape == (128, 128, 3)


@pytest.fixture(scope="module")
def first_stage(pictures):
    training = train.Training(TINY, pictures)
    training.step()
    return training.state()


@pytest.mark.hard  # seconds
def test_the_second_stage_goes_on_as_if_never_interrupted(pictures, first_stage, tmp_path):
    def begin():
        reader = refine.the_reader(STAGE.reader, pictures, TINY, tmp_path / refine.READER)
        return refine.Refinement(first_stage, pictures, reader, STAGE)

    straight, first = begin(), begin()
    assert (straight.reader.head.weight == first.reader.head.weight).all()
    assert all((first_stage["G"][key] == value).all() for key, value in straight.G.state_dict().items())
    before = {
        key: value.clone() for key, value in [*straight.G.named_parameters(), *straight.critic.named_parameters()]
    }
    for _ in range(3):
        losses = straight.step()
    assert set(losses) == {"G", "D", "critic"}
    assert np.isfinite(list(losses.values())).all()
    first.step()
    checkpoint.write(tmp_path / "c", first.state())
    second = begin()
    second.restore(checkpoint.read(tmp_path / "c"))
    for _ in range(2):
        second.step()
    ours, theirs = weights(straight), weights(second)
    assert all((ours[key] == theirs[key]).all() for key in ours)
    moved = [
        key
        for key, value in [*straight.G.named_parameters(), *straight.critic.named_parameters()]
        if (value != before[key]).any()
    ]
    assert len(moved) > 20
    assert not any(weight.requires_grad for weight in straight.reader.parameters())


def test_the_second_stage_lets_rates_and_noise_fall(pictures, first_stage):
    training = refine.Refinement(first_stage, pictures, refine.FactorNet(14), STAGE)
    training.step()
    early, black = training.G_opt.param_groups, torch.zeros(64, 3, 64, 64)
    assert early[1]["lr"] == pytest.approx(early[0]["lr"] * STAGE.mapping_speed)
    rate, loud = early[0]["lr"], training.seen(black).abs().max()
    training.steps += int(2 * STAGE.halving * 1000 / TINY.batch) - 1  # two halvings after the first step
    training.step()
    assert training.G_opt.param_groups[0]["lr"] == pytest.approx(rate / 4, rel=0.01)
    assert training.seen(black).abs().max() < 0.8 * loud


def test_the_critic_learns_to_tell_features_apart():
    torch.manual_seed(0)
    critic, spread = refine.Critic(5), torch.randn(32, 5)
    together, apart = critic(spread * 0.1), critic(spread)
    assert together.shape == (32, 1)
    alone = torch.cat([critic(row[None]) for row in spread])
    assert (alone - apart).abs().max() > 1e-3  # it sees the others of the batch


def test_the_second_stage_needs_the_first(tmp_path):
    run = CliRunner().invoke(refine.main, ["--outdir", str(tmp_path)])
    assert run.exit_code == 2
    assert "run python -m demo.train first" in run.output


def test_convolutions_in_half_precision_are_close_and_give_float32():
    x, weight = torch.randn(2, 8, 9, 9, requires_grad=True), torch.randn(4, 8, 3, 3, requires_grad=True)
    exact = torch.nn.functional.conv2d(x, weight)
    with HalfConvolutions():
        found = torch.nn.functional.conv2d(x, weight)
        few = torch.nn.functional.conv2d(x[:, :3], weight[:, :3])
    assert found.dtype == torch.float32
    assert 0 < abs(found - exact).max() < 0.1 * abs(exact).max()
    assert torch.equal(few, torch.nn.functional.conv2d(x[:, :3], weight[:, :3]))  # too few channels to gain
    found.sum().backward()
    assert weight.grad.dtype == torch.float32


def test_a_checkpoint_becomes_a_network_file(pictures, tmp_path):
    training = train.Training(TINY, pictures)
    training.step()
    checkpoint.write(tmp_path / train.CHECKPOINT, training.state())
    target = tmp_path / "tiny.pkl"
    export.main([str(tmp_path / train.CHECKPOINT), "--output", str(target)], standalone_mode=False)
    opened = open_network(target)
    assert opened.record.entries == ("G", "D", "G_ema")
    assert (opened.source, opened.warnings) == ("sefa_plugin demo", ())
    G, z = load_network(target), torch.randn(3, 8)
    ema = training.G_ema
    with torch.no_grad():
        assert abs(G(z, None, noise_mode="const") - ema(z, None, noise_mode="const")).max() < 1e-5
        mean = ema.mapping(torch.from_numpy(np.random.RandomState(0).randn(export.SAMPLES, 8)))[:, 0].mean(dim=0)
    assert abs(G.mapping.w_avg - mean).max() < 1e-5


@pytest.mark.hard  # seconds
def test_the_one_command_trains_and_writes_equal_bytes_for_equal_seeds(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "Recipe", lambda seed=0, **sizes: replace(TINY, seed=seed))
    monkeypatch.setattr(refine, "Recipe", lambda: STAGE)
    written = []
    for name in "ab":
        target = tmp_path / f"{name}.pkl"
        options = ["--outdir", str(tmp_path / name), "--kimg", "0.004", "--upto", "0.008", "--output", str(target)]
        whole.main(options, standalone_mode=False)
        written.append(target.read_bytes())
    assert written[0] == written[1]
    assert np.isfinite(read_network(tmp_path / "a.pkl").tensors["synthesis.b64.conv1.weight"].numpy()).all()


def test_the_pickler_of_equal_bytes_is_read_by_pytorch():
    held, file = (
        {"a": torch.nn.Parameter(torch.randn(3, 2)), "b": torch.randn(2, 3).t(), "c": torch.zeros(0)},
        io.BytesIO(),
    )
    export._EqualBytes(file, 4).dump(held)
    back = pickle.loads(file.getvalue())
    assert isinstance(back["a"], torch.nn.Parameter)
    assert all(torch.equal(back[key], held[key]) for key in held)
    with pytest.raises(ValueError, match="float64"):
        export._EqualBytes(file, 4).dump(torch.zeros(1).double())


def test_the_command_stops_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "Recipe", lambda seed, correlations: replace(TINY, seed=seed))
    arguments = ["--outdir", str(tmp_path), "--minutes", "100", "--kimg"]
    train.main([*arguments, "0.004"], standalone_mode=False)
    assert checkpoint.read(tmp_path / train.CHECKPOINT)["steps"] == 1
    train.main([*arguments, "0.008"], standalone_mode=False)
    assert checkpoint.read(tmp_path / train.CHECKPOINT)["steps"] == 2
    assert len(list(tmp_path.glob("samples-*.png"))) >= 1


@pytest.mark.hard  # seconds
def test_the_commands_explain_themselves():
    """As ``python demo/train.py`` starts them, one after the other: importing PyTorch takes seconds."""
    code = (
        "import runpy, sys\n"
        "def start(run, place, path):\n"
        "    sys.path[0], sys.argv = path, [place, '--help']\n"
        "    for name in [name for name in sys.modules if name.split('.')[0] == 'demo']: del sys.modules[name]\n"
        "    try: run(place, run_name='__main__')\n"
        "    except SystemExit as end: assert not end.code, place\n"
        "start(runpy.run_module, 'demo', '')\n"
        "for place in ('train', 'refine', 'export'): start(runpy.run_path, f'demo/{place}.py', 'demo')\n"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("Usage") == 4


@pytest.mark.parametrize("command", [predictor, audit, pictures_of_docs])
def test_so_do_those_of_its_measurement(command):
    run = CliRunner().invoke(command.main, ["--help"])
    assert run.exit_code == 0
    assert "Usage" in run.output


# --- the network that ships -----------------------------------------------------------------------------


def test_the_shipped_file_carries_this_source_and_no_other():
    record = read_network(demo_path())
    assert list(record.sources.values()) == [SOURCE]
    assert KNOWN[source_digest(SOURCE)][0] == "stylegan2_ada"
    assert read_network(demo_path(), "G").sources == record.sources
    assert Path(demo_path()).stat().st_size < 12e6


def test_our_two_generators_agree_on_it():
    """The plain one that it was trained with, and the one for every file."""
    from demo.network import Generator

    G, record = load_network("demo"), read_network(demo_path())
    other = Generator(**record.init_kwargs).eval()
    other.load_state_dict({key: torch.from_numpy(value.numpy()) for key, value in record.tensors.items()})
    z = torch.from_numpy(np.random.RandomState(0).randn(4, G.z_dim))
    for options in ({}, {"truncation_psi": 0.5, "truncation_cutoff": 4}):
        with torch.no_grad():
            ours, theirs = (net(z, None, noise_mode="const", **options) for net in (G, other))
        assert abs(ours - theirs).max() < 3e-5  # a third of what is promised of every network


def test_its_average_w_was_measured():
    G = load_network("demo")
    z = torch.from_numpy(np.random.RandomState(1).randn(5000, G.z_dim))
    ws = G.mapping(z, None)[:, 0]
    assert abs(ws.mean(dim=0) - G.mapping.w_avg).max() < 0.1 * ws.std(dim=0).max()


def test_the_small_generator_equals_the_official_numbers(golden):
    from demo.network import Generator

    case = golden("sg2ada-skip-64")
    given = copy.deepcopy(case.info["init_kwargs"])
    del given["synthesis_kwargs"]["architecture"]
    G = Generator(**given).eval()
    G.load_state_dict({key: torch.from_numpy(value) for key, value in case.state.items()})
    z, ws, mixed = (torch.from_numpy(case[name]) for name in ("in/z", "out/ws", "in/ws_mix"))
    cutoff = case.info["truncation"]["cutoff"]
    with torch.no_grad():
        found = {
            "out/ws": G.mapping(z),
            "out/ws_psi07": G.mapping(z, truncation_psi=0.7),
            "out/ws_psi07_cut": G.mapping(z, None, truncation_psi=0.7, truncation_cutoff=cutoff),
            "out/img_const": G(z, None, noise_mode="const", force_fp32=True),
            "out/img_none": G.synthesis(ws, noise_mode="none"),
            "out/img_mix": G.synthesis(mixed, noise_mode="const"),
        }
    for name, value in found.items():
        assert abs(value.numpy() - case[name]).max() < 1e-5 * max(1, abs(case[name]).max()), name


# --- its pictures in the documentation ------------------------------------------------------------------


def test_the_documentation_shows_the_shipped_network():
    held = np.asarray(Image.open(pictures_of_docs.IMAGES / "samples.png").convert("RGB"))
    made = pictures_of_docs.samples()
    assert held.shape == made.shape == (512, 512, 3)
    assert abs(held.astype(int) - made).max() <= 3


def test_every_picture_is_made_by_a_command_and_shown():
    names = {name for pictures in pictures_of_docs.PICTURES.values() for name in pictures}
    names |= {"samples.png", "plane.jpg", "walk.gif", "sharpen-none.jpg", "sharpen-layers.jpg"}
    names |= {"sharpen-clean.jpg", "sharpen-pulls.png"}
    assert {path.name for path in pictures_of_docs.IMAGES.iterdir()} == names
    pages = [ROOT / "README.md", ROOT / "demo" / "README.md", *(ROOT / "docs").glob("*.md")]
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    for name in names:
        assert f"images/{name}" in text
    for options in (*pictures_of_docs.PICTURES, pictures_of_docs.PLANE, pictures_of_docs.EDIT, pictures_of_docs.WALK):
        assert options.split(" --video")[0] in text


def test_the_first_pictures_of_the_readme_are_large_and_a_plane_is_among_them():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    first = re.findall(r"!\[[^]]*\]\((docs/images/[^)]+)\)", text)[:3]
    assert "docs/images/plane.jpg" in first
    for name in first:
        with Image.open(ROOT / name) as picture:
            assert picture.width >= 640, name
