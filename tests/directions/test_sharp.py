"""Sharp directions: the rotation, planted factors, what decides them, and their file."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sefa_plugin import Directions, factorize, load_network
from sefa_plugin.directions import codes
from sefa_plugin.directions.codes import covariance
from sefa_plugin.directions.kept import files_of, keep
from sefa_plugin.directions.layers import Label
from sefa_plugin.directions.picture_grams import picture_grams
from sefa_plugin.directions.sharp import POOL, jointly_diagonal, scales, sharpen

FACTORS = 12


def rotation(rng: np.random.RandomState, size: int) -> np.ndarray:
    return np.linalg.qr(rng.randn(size, size))[0]


class World:
    """Independent factors behind w: ``w = M f``; every layer stretches each factor by a number of its own."""

    def __init__(self, dim: int = 40, layers: int = 6, seed: int = 0) -> None:
        rng = np.random.RandomState(seed)
        self.mixing = rng.randn(dim, dim)
        backwards = np.linalg.inv(self.mixing)
        self.weights = []
        for _ in range(layers):
            stretch = np.r_[rng.uniform(0.5, 3, FACTORS), np.full(dim - FACTORS, 0.01)]
            self.weights.append(np.linalg.qr(rng.randn(2 * dim, dim))[0] * stretch @ backwards)
        self.codes = rng.randn(20_000, dim) @ self.mixing.T
        self.factors = (self.mixing / np.linalg.norm(self.mixing, axis=0)).T[:FACTORS]

    def found(self, vectors: np.ndarray) -> np.ndarray:
        """For each factor, the absolute cosine of the direction that is most like it."""
        return np.abs(self.factors @ vectors.T).max(axis=1)


def test_grams_with_common_eigenvectors_become_diagonal_whatever_their_order():
    rng = np.random.RandomState(3)
    for size in (1, 2, 5, 8):
        common = rotation(rng, size)
        grams = np.stack([common * rng.uniform(0, 4, size) @ common.T for _ in range(4)])
        R = jointly_diagonal(grams)
        np.testing.assert_allclose(R.T @ R, np.eye(size), atol=1e-12)
        np.testing.assert_allclose(np.abs(R.T @ common).max(axis=0), 1, atol=1e-9)


def test_the_rotation_is_a_minimum_where_no_rotation_makes_all_diagonal():
    def off(grams: np.ndarray) -> float:
        return float((grams**2).sum() - (np.diagonal(grams, axis1=1, axis2=2) ** 2).sum())

    rng = np.random.RandomState(5)
    grams = np.stack([(half := rng.randn(6, 6)) @ half.T for _ in range(5)])
    R = jointly_diagonal(grams)
    least = off(R.T @ grams @ R)
    assert least < 0.7 * off(grams)
    for i in range(5):
        for angle in (-0.02, 0.02):
            turn = np.eye(6)
            turn[i, i] = turn[i + 1, i + 1] = np.cos(angle)
            turn[i, i + 1], turn[i + 1, i] = -np.sin(angle), np.sin(angle)
            assert off((R @ turn).T @ grams @ (R @ turn)) > least


def test_planted_factors_come_back_and_sefa_mixes_them():
    world = World()
    sharp = sharpen(world.weights, np.cov(world.codes.T))
    assert world.found(sharp.vectors).min() > 0.99
    assert np.median(world.found(factorize(world.weights, normalize=False).vectors[:POOL])) < 0.9
    np.testing.assert_allclose(np.linalg.norm(sharp.vectors, axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(sharp.parts.sum(axis=1), sharp.strengths, rtol=1e-9)
    assert (np.diff(sharp.strengths) <= 0).all() and sharp.strengths[FACTORS] < 0.01 * sharp.strengths[FACTORS - 1]
    assert (sharp.vectors[np.arange(len(sharp.vectors)), np.abs(sharp.vectors).argmax(axis=1)] > 0).all()


def test_the_strength_is_the_change_of_styles_for_one_standard_deviation():
    world = World()
    varied = np.cov(world.codes.T)
    sharp = sharpen(world.weights, varied)
    A = np.concatenate(world.weights)
    for vector, strength in zip(sharp.vectors[:3], sharp.strengths):
        # The step of one standard deviation along n: n / sqrt(n^T C^-1 n).
        step = vector / np.sqrt(vector @ np.linalg.solve(varied, vector))
        assert strength == pytest.approx(float(np.square(A @ step).sum()), rel=1e-6)


def test_a_set_is_no_larger_than_the_rank_and_says_which_directions_are_equal():
    rng = np.random.RandomState(1)
    thin = rng.randn(5, 20)
    sharp = sharpen([rng.randn(30, 20), rng.randn(30, 20)], thin.T @ thin)
    assert len(sharp.vectors) == 5 and sharp.equal == []
    weights = [np.diag([3.0, 2.0, 2.0]), np.diag([1.0, 4.0, 4.0])]
    (pair,) = sharpen(weights, np.eye(3)).equal
    assert {round(float(sharpen(weights, np.eye(3)).strengths[i]), 6) for i in pair} == {20.0}


def test_what_cannot_be_sharpened_is_said():
    with pytest.raises(ValueError, match="two layers or more: here is one"):
        sharpen([np.eye(3)], np.eye(3))
    with pytest.raises(ValueError, match="codes do not vary"):
        sharpen([np.eye(3)] * 2, np.zeros((3, 3)))
    with pytest.raises(ValueError, match="weights of these layers are zero"):
        sharpen([np.zeros((3, 3))] * 2, np.eye(3))
    with pytest.raises(ValueError, match="give one instead of its weights"):
        factorize([np.eye(3)] * 2, sharpen="layers")
    G = load_network("demo")
    with pytest.raises(ValueError, match="100 code samples: at least 1024"):
        factorize(G, sharpen="layers", code_samples=100)
    with pytest.raises(ValueError, match="use space w"):
        factorize(G, space="z", sharpen="layers")


@pytest.mark.command
@pytest.mark.parametrize("way", ["layers", "pictures"])
def test_direction_3_is_the_same_however_many_are_asked_for(golden, way, monkeypatch):
    monkeypatch.setattr("sefa_plugin.directions.sharpening.SAMPLES", 2)
    G = load_network(golden("sg2-in-sg3-32").pickle)
    held = factorize(G, "middle", sharpen=way)
    assert len(held) == POOL and held.label == str(Label("middle", way)) and held.sharpen == way
    assert held.layers == factorize(G, "middle").layers
    few = factorize(G, "middle", sharpen=way, num_directions=4)
    np.testing.assert_array_equal(few.vectors, held.vectors[:4])
    assert held.index(-1) == POOL - 1
    np.testing.assert_allclose([sum(entry.shares) for entry in held.entries], 1, atol=1e-3)


def test_codes_of_a_class_differ_from_each_other_not_from_those_of_other_classes():
    class Mapping:
        def __call__(self, z, c):
            return (z[:, :3] * torch.tensor([1.0, 2.0, 3.0]) + 100 * c[:, :1]).float()[:, None]

    G = SimpleNamespace(c_dim=2, z_dim=4, w_dim=3, mapping=Mapping(), parameters=lambda: iter([torch.zeros(1)]))
    np.testing.assert_allclose(covariance(G, 20_000), np.diag([1.0, 4.0, 9.0]), atol=0.3)
    G.c_dim, G.mapping = 0, lambda z, c: (5 + z[:, :3]).float()[:, None]
    np.testing.assert_allclose(covariance(G, 20_000), np.eye(3), atol=0.05)


def test_codes_are_the_same_whatever_the_batch(monkeypatch):
    G = load_network("demo")
    whole = codes.deviations(G, 3000)
    assert whole.shape == (3000, G.w_dim) and np.abs(whole.mean(axis=0)).max() < 1e-5
    monkeypatch.setattr(codes, "TOGETHER", 1000)
    np.testing.assert_allclose(codes.deviations(G, 3000), whole, atol=1e-5)


def test_grams_are_of_the_differences_of_pictures():
    """A network that paints w_0 into the left half and w_1 w_2 into the right one has known derivatives."""

    class Synthesis:
        def __call__(self, ws, *options):
            w = ws[:, 1]
            picture = torch.zeros(len(ws), 1, 16, 16)
            picture[..., :8] = 3 * w[:, 0, None, None, None]
            picture[..., 8:] = (w[:, 1] * w[:, 2])[:, None, None, None]
            return picture

    G = SimpleNamespace(
        c_dim=0,
        z_dim=3,
        w_dim=3,
        num_ws=2,
        synthesis=Synthesis(),
        mapping=lambda z, c: z.float()[:, None].repeat(1, 2, 1),
        parameters=lambda: iter([torch.zeros(1)]),
    )
    drawn = [np.random.RandomState(codes.SEED + 1 + sample).randn(3) for sample in range(4)]
    seen = []
    grams = picture_grams(G, np.eye(3), [1], samples=4, advance=seen.append)
    assert grams.cells.shape == (64, 3, 3) and sum(seen) == 4 * 4
    pixels = 4  # in each of the 8 x 8 cells
    np.testing.assert_allclose(grams.cells[0], np.diag([9.0 * pixels, 0, 0]), atol=1e-3)
    slopes = [np.array([0, z[2], z[1]]) for z in drawn]
    np.testing.assert_allclose(grams.cells[-1], pixels * np.mean([np.outer(s, s) for s in slopes], axis=0), atol=1e-3)
    mean = np.mean(slopes, axis=0)  # what the samples have in common
    halves = 32 * pixels * (np.diag([9.0, 0, 0]) + np.outer(mean, mean))
    np.testing.assert_allclose(grams.common, halves, atol=0.1)
    assert not picture_grams(G, np.eye(3), [0], samples=1).cells.any()  # a row that the network does not read


def test_an_interrupted_measurement_of_pictures_goes_on(tmp_path):
    G, file = load_network("demo"), tmp_path / "part.npz"
    basis = scales(covariance(G, 1024))[:, :4]

    class Stop(Exception):
        pass

    rendered = []

    def stop(pictures):
        rendered.append(pictures)
        if len(rendered) == 3:
            raise Stop

    with pytest.raises(Stop):
        picture_grams(G, basis, range(10), samples=4, advance=stop, file=file)
    assert file.exists()
    advanced = []
    again = picture_grams(G, basis, range(10), samples=4, advance=advanced.append, file=file)
    assert advanced == [10, 5, 5] and not file.exists()
    for mine, whole in zip(again, picture_grams(G, basis, range(10), samples=4)):
        np.testing.assert_allclose(mine, whole, rtol=1e-12)


def test_a_partial_picture_is_what_the_network_adds_up_on_its_way():
    G = load_network("demo")
    assert G.synthesis.sums_pictures
    ws = G.mapping(torch.randn(2, G.z_dim, generator=torch.Generator().manual_seed(0)))
    seen = []
    hook = G.synthesis.b16.register_forward_hook(lambda block, given, made: seen.append(made[1]))
    with torch.no_grad():
        whole = G.synthesis(ws, noise_mode="const", force_fp32=True)
        hook.remove()
        partial = G.synthesis(ws, noise_mode="const", force_fp32=True, up_to=16)
    assert partial.shape == (2, 3, 16, 16) and whole.shape == (2, 3, 64, 64)
    torch.testing.assert_close(partial, seen[0], rtol=0, atol=1e-6)


def test_the_file_keeps_what_decides_sharp_directions(tmp_path):
    held = factorize(load_network("demo"), sharpen="layers")
    held.named(2, "turn").save(tmp_path / "d.safetensors")
    again = Directions.load(tmp_path / "d.safetensors")
    assert again.same_as(held) and again.names[2] == "turn"
    for key in ("sharpen", "found_with", "caveats", "strengths", "shares", "label"):
        assert getattr(again, key) == getattr(held, key), key


def test_names_stay_with_the_method(tmp_path):
    G = load_network("demo")
    plain, sharp = factorize(G, num_directions=5), factorize(G, sharpen="layers")
    (file,) = files_of([plain], tmp_path)
    keep(plain.named(0, "pose"), file)
    (other,) = files_of([sharp], tmp_path)
    assert other != file
    keep(sharp, other)
    assert not any(Directions.load(other).names) and Directions.load(file).names[0] == "pose"
    more = factorize(G, sharpen="layers", code_samples=2048)
    assert not more.same_as(sharp) and files_of([more], tmp_path)[0] not in (file, other)
    assert replace(sharp, found_with="").same_as(sharp) is False


@pytest.mark.hard
@pytest.mark.parametrize("name", ["sg2ada-cond-32", "sg3t-64", "stylegan1-32", "pggan-32", "rosinality-32"])
@pytest.mark.parametrize("way", ["layers", "pictures"])
def test_every_family_has_sharp_directions_or_says_why_not(name, way, golden, monkeypatch):
    monkeypatch.setattr("sefa_plugin.directions.sharpening.SAMPLES", 1)
    case = golden(name)
    path = case.pickle if case.pickle.exists() else case.pickle.with_suffix(".pt")
    G = load_network(path)
    if name == "pggan-32" and way == "layers":
        with pytest.raises(ValueError, match="two layers or more"):
            factorize(G, sharpen=way)
        return
    held = factorize(G, sharpen=way)
    assert 1 <= len(held) <= POOL and held.dim == G.w_dim
    assert np.isfinite(held.vectors).all() and held.strengths[0] >= held.strengths[-1]


def test_a_direction_says_in_which_layers_it_acts():
    held = factorize(load_network("demo"), "0-3", sharpen="layers")
    one = held.with_entries({0: replace(held.entries[0], shares=(0.2, 0.1, 0.6, 0.1))})
    assert one.acts_in(0) == "acts in layer 2 (60%)"
    two = held.with_entries({0: replace(held.entries[0], shares=(0.3, 0.1, 0.3, 0.3))})
    assert two.acts_in(0) == "acts in layers 0, 2 (60%)"
    assert factorize(load_network("demo"), num_directions=1).acts_in(0) == ""
    assert held.edited_at((5, 6), "5-6").acts_in(0) == ""
