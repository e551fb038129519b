"""Local directions: regions, planted factors, what is kept, and the file."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from sefa_plugin import Directions, factorize, load_network
from sefa_plugin.directions import sharpening
from sefa_plugin.directions.kept import files_of, keep
from sefa_plugin.directions.keys import parse_key
from sefa_plugin.directions.layers import Label
from sefa_plugin.directions.local import LEAK, local
from sefa_plugin.directions.picture_grams import kept_changes
from sefa_plugin.directions.region import SIDE, Region

CENTRE = Region((0.25, 0.25, 0.375, 0.375))


class World:
    """``w = M f``; each factor paints a picture of its own: the first three inside the region, the others elsewhere."""

    def __init__(self, dim: int = 20, rank: int = 20, side: int = 32, seed: int = 0) -> None:
        self.random = np.random.RandomState(seed)
        self.mixing = self.random.randn(dim, rank)
        inside = CENTRE.weights(side, side) == 1
        painted = 0.5 * self.random.randn(rank, 3, side, side) * np.where(inside, 0, 1)
        y, x = np.mgrid[:side, :side] / side
        for factor, (column, row) in enumerate(((0.3, 0.3), (0.55, 0.35), (0.4, 0.55))):
            blob = np.exp(-((x - column) ** 2 + (y - row) ** 2) / 0.005) * inside
            painted[factor] = blob * self.random.uniform(0.5, 1, (3, 1, 1))
        painted[3] += 0.5 * inside  # one that changes all of the picture
        self.painted = painted
        values, columns = np.linalg.eigh(self.mixing @ self.mixing.T)
        held = values > 1e-10 * values.max()
        self.basis = columns[:, held] * np.sqrt(values[held])

    def changes(self, samples: int) -> list[np.ndarray]:
        """Of samples in which each factor paints a little more, or less."""
        of_factors = np.linalg.pinv(self.mixing) @ self.basis  # [rank, p]
        return [
            np.einsum("fp,fchw->pchw", of_factors * self.random.uniform(0.7, 1.3, (len(of_factors), 1)), self.painted)
            for _ in range(samples)
        ]


@pytest.mark.parametrize(("dim", "rank"), [(20, 20), (30, 12)])
def test_planted_local_factors_come_back(dim, rank):
    world = World(dim, rank)
    changes = world.changes(12)
    found = local(world.basis, changes[:8], changes[8:], CENTRE)
    planted = (world.mixing / np.linalg.norm(world.mixing, axis=0)).T[:3]
    cosines = np.abs(planted @ found.sharp.vectors[:3].T)
    assert cosines.max(axis=1).min() > 0.99 and sorted(cosines.argmax(axis=1)) == [0, 1, 2]
    assert found.inside[:3].min() > 0.99 and found.inside[3:].max() < 0.3
    assert len(found.sharp.vectors) == rank and (np.diff(found.sharp.strengths[:3]) <= 0).all()
    np.testing.assert_allclose(np.linalg.norm(found.sharp.vectors, axis=1), 1, atol=1e-9)


def test_a_share_is_of_pictures_that_directions_were_not_found_with():
    world = World()
    changes = world.changes(10)
    other = [change[..., ::-1] for change in changes[8:]]  # the region's mirror image is another place
    assert local(world.basis, changes[:8], other, CENTRE).inside[0] < 0.8
    assert local(world.basis, changes[:8], changes[8:], CENTRE).inside[0] > 0.99


def test_directions_that_hardly_change_the_picture_do_not_come_first():
    world = World()
    world.painted[0] *= 0.01
    changes = world.changes(6)
    found = local(world.basis, changes[:4], changes[4:], CENTRE)
    faint = world.mixing[:, 0] / np.linalg.norm(world.mixing[:, 0])
    assert np.abs(found.sharp.vectors[:2] @ faint).max() < 0.9


def test_a_region_in_which_nothing_changes_is_said():
    world = World()
    world.painted[..., :4, :4] = 0
    with pytest.raises(ValueError, match="no picture changes inside 0,0,0.1,0.1: choose another region"):
        local(world.basis, world.changes(2), world.changes(1), Region((0, 0, 0.1, 0.1)))
    world.painted[:] = 0
    with pytest.raises(ValueError, match="pictures do not change"):
        local(world.basis, world.changes(2), world.changes(1), CENTRE)


def test_a_region_is_typed_as_parts_of_the_picture_or_painted(tmp_path):
    region = Region.of("0.333333, 0.5,0.333333,0.25")
    assert str(region) == "0.3333,0.5,0.3333,0.25" and Region.parse(str(region)) == region
    weights = region.weights(8, 12)
    assert weights.shape == (8, 12) and weights.sum() / weights.size == pytest.approx(0.3333 * 0.25, rel=1e-5)
    assert (weights[4:6, 4:8] > 0.99).all() and not weights[:4].any() and not weights[6:].any()
    picture = np.zeros((200, 100), np.uint8)
    picture[100:, :50] = 255
    Image.fromarray(picture).save(tmp_path / "lower left.png")
    mask = Region.of(tmp_path / "lower left.png")
    assert mask.name == "lower-left" and Region.of(str(mask)) == mask and mask != region
    np.testing.assert_array_equal(mask.weights(2, 2), [[0, 0], [1, 0]])
    assert mask.weights(SIDE, SIDE).sum() == SIDE**2 / 4
    clear = Image.fromarray(np.full((8, 8, 4), 255, np.uint8))
    clear.putalpha(Image.fromarray(np.eye(8, dtype=np.uint8) * 255))
    clear.save(tmp_path / "clear.png")
    assert Region.of(tmp_path / "clear.png").weights(8, 8).trace() == 8
    for label in (region.label, mask.label):
        there = Label("4-7", "region", "0-3", label)
        assert Label.of(str(there)) == there and there.is_selection
        assert parse_key(f"4-7-in-{label}:3") == (f"4-7-in-{label}", 3)
    assert Label.of("all-in-0.1,0.2,0.3,0.4") == Label("all", "region", "", "0.1_0.2_0.3_0.4")
    assert not Label.of("drawn-in-ink").region


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("0.1,0.2,0.3", "x,y,width,height as parts"),
        ("0.1,0.2,0.3,nan", "x,y,width,height as parts"),
        ("100,80,50,50", "not pixels"),
        ("0.5,0.5,0.6,0.2", "more than the picture"),
        ("0.5,0.5,0,0.2", "enclose nothing"),
        ("0,0,1,1", "is the whole picture"),
        ("mouth.png", "there is no such file"),
        ("black.png", "region black: has no white part"),
        ("no picture.txt", "is no picture that can be read"),
        ("mask:mouth:AAAA", "the cells of its mask are not whole"),
    ],
)
def test_what_is_no_region_is_one_line(typed, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("L", (9, 9)).save("black.png")
    (tmp_path / "no picture.txt").write_text("hello")
    with pytest.raises(ValueError, match=text) as error:
        Region.of(typed)
    assert "\n" not in str(error.value)


@pytest.fixture
def few(monkeypatch):
    """Directions from few pictures."""
    monkeypatch.setattr(sharpening, "DIMENSIONS", 6)
    monkeypatch.setattr(sharpening, "FOUND_WITH", 2)
    monkeypatch.setattr(sharpening, "APART", 1)


def test_changes_are_kept_for_another_region(few, tmp_path, monkeypatch):
    G = load_network("demo")
    first = factorize(G, region=(0.3, 0.3, 0.4, 0.3), folder=tmp_path)
    (kept,) = tmp_path.glob(".changes-*")
    assert len(list(kept.iterdir())) == 3

    def refuse(*arguments, **more):
        raise AssertionError("a picture was rendered")

    monkeypatch.setattr(G.synthesis, "forward", refuse)
    other = factorize(G, region="0.3,0.3,0.4,0.4", folder=tmp_path)
    again = factorize(G, region="0.3,0.3,0.4,0.3", folder=tmp_path, num_directions=2)
    np.testing.assert_array_equal(again.vectors, first.vectors[:2])
    assert len(first) == 6 and not first.same_as(other) and first.same_as(again)
    with pytest.raises(AssertionError, match="was rendered"):
        factorize(G, "coarse", region="0.3,0.3,0.4,0.4", folder=tmp_path)


def test_an_interrupted_measurement_goes_on(tmp_path):
    drawn = []

    class Synthesis:
        def __call__(self, ws, *options):
            drawn.append(len(ws))
            if sum(drawn) > 6:
                raise KeyboardInterrupt
            return ws[:, 0, :, None, None].expand(-1, -1, 4, 4)

    G = SimpleNamespace(
        c_dim=0,
        z_dim=3,
        w_dim=3,
        num_ws=1,
        synthesis=Synthesis(),
        mapping=lambda z, c: z.float()[:, None],
        parameters=lambda: iter([torch.zeros(1)]),
    )
    with pytest.raises(KeyboardInterrupt):
        kept_changes(G, np.eye(3), [0], 2, "digest", lambda count: None, tmp_path)
    drawn.clear()
    seen = []
    found = kept_changes(G, np.eye(3), [0], 2, "digest", seen.append, tmp_path)
    assert sum(drawn) == 4 and sum(seen) == 8
    np.testing.assert_allclose(found[1][:, :, 0, 0], np.eye(3), atol=1e-3)


def test_the_file_keeps_the_region_and_what_leaks(few, tmp_path):
    G = load_network("demo")
    held = factorize(G, region=(0.3, 0.3, 0.4, 0.3), folder=tmp_path)
    (file,) = files_of([held.named(0, "eyes")], tmp_path)
    assert file.name == "directions-all-in-0.3_0.3_0.4_0.3.safetensors"
    keep(held.named(0, "eyes"), file)
    again = Directions.load(file)
    assert again.same_as(held) and again.names[0] == "eyes" and again.region == "0.3,0.3,0.4,0.3"
    for key in ("sharpen", "found_with", "caveats", "strengths", "shares", "inside", "label"):
        assert getattr(again, key) == getattr(held, key), key
    other = factorize(G, region=(0.3, 0.3, 0.4, 0.301), folder=tmp_path)
    assert files_of([other], tmp_path)[0] != file and not any(other.names)
    assert held.acts_in(0) == f"{held.inside[0]:.0%} of its change is inside 0.3,0.3,0.4,0.3"
    assert held.method == "local, inside 0.3,0.3,0.4,0.3"
    assert any("of the change of direction" in line for line in held.caveats) == (max(held.inside) < 1 - LEAK)
    moved = held.edited_at((0, 1), "0-1")
    assert moved.inside[0] is None and moved.region == held.region
    assert replace(held, region="").same_as(held)  # what decides is in found_with


def test_what_has_no_local_directions_is_said():
    with pytest.raises(ValueError, match="use space w"):
        factorize(load_network("demo"), space="z", region=(0.3, 0.3, 0.4, 0.3))
    with pytest.raises(ValueError, match="leave sharpening out"):
        factorize(load_network("demo"), sharpen="layers", region=(0.3, 0.3, 0.4, 0.3))
    with pytest.raises(ValueError, match="give the region itself"):
        factorize(load_network("demo"), sharpen="region")
    with pytest.raises(ValueError, match="give one instead of its weights"):
        factorize([np.eye(3)] * 2, region=(0.3, 0.3, 0.4, 0.3))


@pytest.mark.hard
@pytest.mark.parametrize("name", ["sg2ada-cond-32", "sg3t-64", "stylegan1-32", "pggan-32", "rosinality-32"])
def test_every_family_has_local_directions(name, golden, few):
    case = golden(name)
    path = case.pickle if case.pickle.exists() else case.pickle.with_suffix(".pt")
    held = factorize(load_network(path), region=(0.25, 0.25, 0.5, 0.5))
    assert len(held) >= 1 and np.isfinite(held.vectors).all() and max(held.inside) <= 1
