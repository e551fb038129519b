"""The bundled predictor: what it reads from fresh faces, what it takes, and what its file may be."""

import json
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest
import torch
from places import ROOT
from safetensors.torch import load_file, save_file

from demo import predictor as training
from demo import world
from sefa_plugin.evaluate.scorers.predictor import (
    FILE,
    FactorNet,
    Predictor,
    PredictorError,
    load_predictor,
    save_predictor,
)

RANGES = {name: np.ptp(ends) for name, ends in world.FACTORS.items()}


@pytest.fixture(scope="module")
def predictor():
    return load_predictor()


@pytest.fixture(scope="module")
def fresh():
    """Faces that neither the training nor the card has seen."""
    return world.faces(4321, 300)


# Held-out R^2 of the card, less what 300 faces may differ by.
BOUNDS = {
    "turn": 0.98,
    "tilt": 0.985,
    "size": 0.985,
    "smile": 0.97,
    "eyes": 0.97,
    "hair_length": 0.965,
    "hair_colour": 0.985,
    "skin": 0.985,
    "wrinkles": 0.93,
    "background": 0.985,
    "light": 0.985,
    "x": 0.985,
    "y": 0.985,
}


def test_it_reads_every_factor_of_fresh_faces(predictor, fresh):
    pictures, factors = fresh
    found, truth = predictor(pictures), dict(zip(world.NAMES, factors.T))
    for name, bound in BOUNDS.items():
        assert training.r2(truth[name], found[name]) > bound, name
    assert ((found["glasses"] >= 0.5) == (truth["glasses"] >= 0.5)).mean() > 0.99
    assert 0 <= found["glasses"].min() <= found["glasses"].max() <= 1


def test_an_edit_of_one_factor_moves_its_reading_and_hardly_others(predictor):
    """Where the truth is known: a face drawn at both ends of one factor."""
    middle = {name: (low + high) / 2 for name, (low, high) in world.FACTORS.items()}
    middle.update(glasses=0.0, wrinkles=0.3)
    for name, (low, high) in world.FACTORS.items():
        ends = [world.draw([{**middle, name: end}[key] for key in world.NAMES]) for end in (low, high)]
        found = predictor(np.stack(ends))
        change = {key: (values[1] - values[0]) / RANGES[key] for key, values in found.items()}
        assert change[name] > 0.8, name
        assert max(abs(value) for key, value in change.items() if key != name) < 0.2, name


def test_names_card_and_size(predictor):
    assert predictor.names == world.NAMES
    assert predictor.card["recipe"] == asdict(training.Recipe())
    held = predictor.card["held_out"]
    assert set(held) >= set(world.NAMES) - {"glasses"} | {"glasses (accuracy)"}
    assert all(held[name] >= bound for name, bound in BOUNDS.items())
    assert FILE.stat().st_size < 2e6


def test_equal_pictures_give_equal_readings_however_they_come(predictor, fresh):
    pictures = fresh[0][:40]
    whole, again = predictor(pictures), load_predictor()(pictures)
    parts = [predictor(part) for part in np.split(pictures, [1, 7])]
    for name, values in whole.items():
        assert values.dtype == np.float64
        assert values.shape == (40,)
        assert (values == again[name]).all()
        assert np.allclose(values, np.concatenate([part[name] for part in parts]), atol=1e-4)


def test_more_pictures_than_a_batch(predictor, fresh, monkeypatch):
    whole = predictor.features(fresh[0][:10])
    monkeypatch.setattr("sefa_plugin.evaluate.scorers.predictor.BATCH", 4)
    assert np.allclose(predictor.features(fresh[0][:10]), whole, atol=1e-4)
    assert whole.shape == (10, 128)
    assert whole.dtype == np.float32
    assert whole.std(axis=0).max() > 0


@pytest.mark.parametrize(("high", "wide"), [(128, 128), (256, 192), (100, 64), (48, 48)])
def test_other_sizes_are_resized(predictor, fresh, high, wide):
    from PIL import Image

    large = [np.asarray(Image.fromarray(picture).resize((wide, high), Image.BICUBIC)) for picture in fresh[0][:60]]
    one, other = predictor(fresh[0][:60]), predictor(np.stack(large))
    for name in ("turn", "tilt", "skin", "background", "light", "x", "y"):
        assert abs(one[name] - other[name]).mean() < 0.06 * RANGES[name], name


def test_channels(predictor, fresh):
    pictures = fresh[0][:5]
    opaque = np.concatenate([pictures, np.full_like(pictures[..., :1], 255)], axis=3)
    grey = pictures.mean(axis=3, keepdims=True).astype(np.uint8)
    for name, values in predictor(pictures).items():
        assert (values == predictor(opaque)[name]).all()
        assert (predictor(grey)[name] == predictor(grey.repeat(3, axis=3))[name]).all()
    assert {values.shape for values in predictor(pictures[:0]).values()} == {(0,)}
    assert predictor.features(pictures[:0]).shape == (0, 128)


def test_blur_and_noise_as_a_generator_makes_them_hardly_matter(predictor, fresh):
    from PIL import Image

    pictures, factors = fresh
    half = [Image.fromarray(picture).resize((32, 32), Image.BILINEAR) for picture in pictures]
    blurred = np.stack([np.asarray(small.resize((64, 64), Image.BICUBIC)) for small in half])
    noise = np.random.RandomState(0).randn(*pictures.shape) * 8
    noisy = (pictures + noise).clip(0, 255).astype(np.uint8)
    for changed, least in ((blurred, 0.8), (noisy, 0.88)):
        scores = training.held_out_scores(predictor(changed), factors)
        assert min(scores[name] for name in BOUNDS) > least
        assert scores["glasses (accuracy)"] > 0.99


@pytest.mark.parametrize(
    "pictures",
    [np.zeros((2, 64, 64, 3), np.float32), np.zeros((64, 64, 3), np.uint8), np.zeros((1, 64, 64, 5), np.uint8)],
)
def test_what_is_no_pictures_is_refused(predictor, pictures):
    with pytest.raises(ValueError, match=r"expected uint8 \[N, H, W, 1-4\]"):
        predictor(pictures)


def broken_files(folder):
    """Name -> what is in the file, and a word of the message."""
    good = FILE.read_bytes()
    about = {"version": 1, "names": ["a"], "probabilities": [], "mean": [0], "std": [1], "card": {}}
    made = {
        "empty": b"",
        "cut": good[:-1000],
        "text": b"hello, this is no network at all",
        "foreign": None,
        "list": "[]",
        "malformed": "{",
        "deep": "[" * 100_000,
        "newer": json.dumps({**about, "version": 99}),
        "bare": json.dumps({"version": 1}),
        "nameless": json.dumps({**about, "names": 3}),
        "unknown": json.dumps({**about, "probabilities": ["glasses"]}),
        "short": json.dumps({**about, "names": ["a", "b"]}),
        "other": json.dumps(about),
    }
    for name, content in made.items():
        path = folder / f"{name}.safetensors"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            save_file({"head.weight": torch.zeros(1, 128)}, str(path), content and {"sefa_predictor": content})
        yield path


def test_bad_files_give_one_line(tmp_path):
    paths = [*broken_files(tmp_path), tmp_path / "absent", tmp_path]
    for path in paths:
        with pytest.raises(PredictorError) as caught:
            load_predictor(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < len(str(path)) + 300


def test_numbers_that_are_none_are_refused(tmp_path):
    tensors, path = load_file(FILE), tmp_path / "p.safetensors"
    from safetensors import safe_open

    with safe_open(str(FILE), "pt") as file:
        about = file.metadata()
    tensors["head.weight"][0, 0] = float("nan")
    save_file(tensors, str(path), about)
    with pytest.raises(PredictorError, match="not finite"):
        load_predictor(path)


def test_what_is_saved_is_read(tmp_path):
    torch.manual_seed(0)
    net, path = FactorNet(2).eval(), tmp_path / "p.safetensors"
    save_predictor(path, net, ("age", "glasses"), ([5, 0], [2, 1]), {"held_out": {}})
    first = path.read_bytes()
    save_predictor(path, net, ("age", "glasses"), ([5, 0], [2, 1]), {"held_out": {}})
    assert path.read_bytes() == first
    made = load_predictor(path)
    pictures = np.random.RandomState(0).randint(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        wanted, features = (part.numpy() for part in net(x))
    found = made(pictures)
    assert isinstance(made, Predictor)
    assert np.allclose(found["age"], wanted[:, 0] * 2 + 5, atol=0.02)  # weights went through float16
    assert np.allclose(found["glasses"], 1 / (1 + np.exp(-wanted[:, 1])), atol=0.01)
    assert np.allclose(made.features(pictures), features, atol=0.02 * features.max())


@pytest.mark.hard  # seconds
def test_the_package_alone_reads():
    """Without demo/, from anywhere."""
    code = (
        "import sys; from sefa_plugin.evaluate.scorers.predictor import load_predictor; import numpy as np\n"
        "print(len(load_predictor()(np.zeros((1, 64, 64, 3), np.uint8))), 'demo' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["14", "False"]


# --- its training ---------------------------------------------------------------------------------------


@pytest.mark.hard  # it trains for a quarter of a minute
def test_training_learns_and_repeats(tmp_path, monkeypatch):
    written = []
    for name in "ab":
        path = tmp_path / f"{name}.safetensors"
        monkeypatch.setattr(training, "Recipe", small_recipe)
        options = ["--outdir", str(tmp_path / "out"), "--pictures", "256", "--epochs", "4", "--output", str(path)]
        training.main(options, standalone_mode=False)
        written.append(path.read_bytes())
    assert written[0] == written[1]
    held = load_predictor(path).card["held_out"]
    assert held["skin"] > 0.3
    assert held["background"] > 0.3


def small_recipe(**options):
    from dataclasses import replace

    return replace(RECIPE, held_out=64, batch=16, **options)


RECIPE = training.Recipe()


def test_soiling_keeps_the_picture(fresh):
    torch.manual_seed(0)
    x = torch.from_numpy(fresh[0][:64]).permute(0, 3, 1, 2).float() / 127.5 - 1
    soiled = training.soiled(x, RECIPE)
    assert soiled.shape == x.shape
    assert soiled.abs().max() <= 1
    change = (soiled - x).square().mean(dim=(1, 2, 3)).sqrt()
    assert 0.005 < change.median() < 0.15


def test_scores_of_planted_readings():
    truth = world.sample_factors(np.random.RandomState(0), 1000)
    read = {name: values.copy() for name, values in zip(world.NAMES, truth.T)}
    read["skin"] = truth[:, world.NAMES.index("skin")].mean() * np.ones(1000)
    read["glasses"] = 1 - read["glasses"]
    held = training.held_out_scores(read, truth)
    assert held["x"] == 1
    assert held["skin"] == 0
    assert held["glasses (accuracy)"] == 0
    assert held["wrinkles (shown)"] == 1
    json.dumps(held)
