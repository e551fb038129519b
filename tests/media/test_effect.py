"""Words against changes that were planted."""

import numpy as np
import pytest
from moved_pictures import moved
from PIL import Image, ImageFilter

from sefa_plugin import load_network
from sefa_plugin.media.effect import describe, heat_picture, share_inside
from sefa_plugin.rendering.frames import render
from sefa_plugin.rendering.latents import z_from_seeds


@pytest.fixture(scope="module")
def faces():
    G = load_network("demo")
    ws = G.mapping(z_from_seeds(range(2), G.z_dim), None)
    return list(render(G, [ws], batch_size=3))


def each(change):
    return lambda faces: [np.clip(np.rint(change(face.astype(float))), 0, 255).astype(np.uint8) for face in faces]


def grey_mixed(amount):
    return each(lambda x: x.mean(axis=2, keepdims=True) * (1 - amount) + x * amount)


def blurred(faces):
    return [np.asarray(Image.fromarray(face).filter(ImageFilter.GaussianBlur(1.2))) for face in faces]


def hue_turned(face, degrees):
    """All colours of a picture turned in OKLab."""
    from sefa_plugin.media.effect import _LMS_TO_LAB, _RGB_TO_LMS, _lab

    lab = _lab(face)[1]
    turned = (lab[..., 1] + 1j * lab[..., 2]) * np.exp(1j * np.radians(degrees))
    lms = np.stack([lab[..., 0], turned.real, turned.imag], axis=-1) @ np.linalg.inv(_LMS_TO_LAB).T
    linear = np.clip(lms**3 @ np.linalg.inv(_RGB_TO_LMS).T, 0, 1)
    coded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(255 * coded).astype(np.uint8)


PLANTED = {
    "brightness": (each(lambda x: x * 0.85 + 30), each(lambda x: x * 0.85), "brighter", "darker"),
    "contrast": (each(lambda x: 128 + (x - 128) * 1.3), each(lambda x: 128 + (x - 128) * 0.7), "more c", "less c"),
    "saturation": (grey_mixed(1.3), grey_mixed(0.7), "more saturated", "less saturated"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_changes_are_said(faces, name):
    faces, (more, less, up, down) = faces[:1], PLANTED[name]
    there = describe(faces, less(faces), more(faces))
    back = describe(faces, more(faces), less(faces))
    assert up in there.words[0]
    assert down in back.words[0]
    assert there.numbers[name] == pytest.approx(-back.numbers[name])
    assert there.numbers[name] > 3
    assert not [words for words in there.words if "moves" in words or "grows" in words or "tilts" in words]


def test_how_much(faces):
    grey = [np.full((32, 32, 3), 119, np.uint8)]  # L of OKLab: 0.567
    light = [np.full((32, 32, 3), 188, np.uint8)]  # 0.796
    effect = describe(grey, None, light)
    assert effect.numbers["brightness"] == pytest.approx(22.7, abs=0.6)
    assert effect.words == ("brighter by 23 %",)
    assert effect.numbers["change"] == pytest.approx(100 * (188 - 119) / 255, abs=0.1)
    assert describe(grey, light, None).numbers["brightness"] == pytest.approx(-22.7, abs=0.6)
    assert "hue" not in effect.numbers
    assert effect.where == "everywhere"


def test_detail_is_not_contrast(faces):
    faces = faces[:1]
    effect = describe(faces, None, blurred(faces))
    assert "less fine detail" in effect.words[0]
    assert effect.numbers["detail"] < -25
    weak = describe(faces, None, each(lambda x: 128 + (x - 128) * 0.6)(faces))
    assert abs(weak.numbers["detail"]) < 20


def test_hue(faces):
    red, yellow = ([np.full((16, 16, 3), colour, np.uint8)] for colour in ((200, 60, 50), (190, 160, 40)))
    assert "yellower" in " ".join(describe(red, None, yellow).words)
    assert "redder" in " ".join(describe(yellow, None, red).words)
    turned_all = describe(faces, None, [hue_turned(face, 40) for face in faces])
    assert turned_all.kind == "light"
    assert turned_all.numbers["hue"] == pytest.approx(40, abs=6)


@pytest.mark.parametrize(
    ("motion", "name", "amount", "word"),
    [
        ({"shift": (8, 0)}, "shift_x", 6.25, "moves right by 6 %"),
        ({"shift": (0, -10)}, "shift_y", -7.8, "moves up by 8 %"),
        ({"zoom": 1.12}, "zoom", 12, "grows by 12 %"),
        ({"degrees": -9}, "rotation", -9, "tilts anticlockwise by 9°"),
    ],
)
def test_motions_are_said(faces, motion, name, amount, word):
    pairs = [moved(Image.fromarray(face).convert("L").resize((256, 256), 3), **motion) for face in faces[:1]]
    before, after = ([np.rint(255 * pair[i]).astype(np.uint8)[..., None] for pair in pairs] for i in (0, 1))
    effect = describe(before, None, after)
    assert effect.numbers[name] == pytest.approx(amount, abs=0.8)
    assert effect.words[0].split(" by ")[0] == word.split(" by ")[0]


@pytest.mark.parametrize("size", [(512, 256), (256, 512)])
def test_shifts_are_in_per_cent_of_width_and_of_height(size):
    wide, high = size
    grain = np.random.RandomState(0).rand(high // 16, wide // 16).astype(np.float32) * 255
    pair = moved(Image.fromarray(grain).resize(size, 3), shift=(16, -12))  # of the half that is looked at
    before, after = ([np.clip(np.rint(255 * one), 0, 255).astype(np.uint8)[..., None]] for one in pair)
    numbers = describe(before, None, after).numbers
    assert numbers["shift_x"] == pytest.approx(100 * 16 / (wide / 2), abs=0.6)
    assert numbers["shift_y"] == pytest.approx(-100 * 12 / (high / 2), abs=0.6)


@pytest.mark.parametrize(
    ("rows", "columns", "where"),
    [((0, 20), (0, 20), "upper left"), ((44, 64), (22, 42), "bottom"), ((24, 40), (24, 40), "centre")],
)
def test_where_it_changes(faces, rows, columns, where):
    after = [face.copy() for face in faces]
    for face in after:
        face[slice(*rows), slice(*columns)] = 255 - face[slice(*rows), slice(*columns)]
    effect = describe(faces, None, after)
    assert where in effect.where
    assert effect.heat.dtype == np.uint8
    assert effect.heat.shape == (32, 32)
    top, left = np.unravel_index(effect.heat.argmax(), effect.heat.shape)
    assert rows[0] <= 2 * top < rows[1]
    assert columns[0] <= 2 * left < columns[1]
    assert effect.heat.max() == 255


def test_around_the_centre(faces):
    after = [np.where(np.pad(np.ones((32, 32, 1), bool), ((16, 16), (16, 16), (0, 0))), f, 255 - f) for f in faces]
    assert "edges" in describe(faces, None, after).where


def test_a_turn_is_not_mostly_in_one_place(faces):
    """A ninth that holds a fifth is named with its share, and no more is claimed."""
    effect = describe(faces, None, each(lambda x: x * 0.85 + 30)(faces))
    assert effect.where == "everywhere"
    after = [np.asarray(Image.fromarray(face).rotate(-8, resample=2)) for face in faces]
    assert "mostly" not in describe(faces, None, after).where


def turned(colours, degrees):
    """Flat pictures whose OKLab hue lies ``degrees`` from ``colours``, by searching the sRGB cube."""
    from sefa_plugin.media.effect import _lab

    levels = np.arange(0, 256, 15, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(1, -1, 3)
    lab = np.concatenate([_lab(cube[:, i : i + 100])[1] for i in range(0, cube.shape[1], 100)], axis=1)
    hues, pictures = lab[0, :, 1] + 1j * lab[0, :, 2], []
    for colour in colours:
        one = _lab(colour)[1][0, 0]
        wanted = (one[1] + 1j * one[2]) * np.exp(1j * np.radians(degrees))
        off = np.abs(np.angle(hues / wanted)) + 9 * (np.abs(hues) < 0.08)
        pictures.append(np.broadcast_to(cube[0, off.argmin()], colour.shape).copy())
    return pictures


@pytest.mark.parametrize("degrees", [176, 180, 184])
def test_half_a_turn_of_hue_is_not_averaged_away(degrees):
    """+179 and -179 degrees are nearly the same turn; their plain mean is none at all."""
    reds = [np.full((16, 16, 3), c, np.uint8) for c in ((200, 60, 50), (60, 160, 80), (80, 90, 200), (180, 150, 40))]
    value = describe(reds, None, turned(reds, degrees)).numbers["hue"]
    assert abs((value - degrees + 180) % 360 - 180) < 3


def test_subjects_whose_hues_turn_apart_have_no_hue():
    reds = [np.full((16, 16, 3), (200, 60, 50), np.uint8)] * 3
    after = [turned(reds[:1], degrees)[0] for degrees in (60, 130, -120)]
    assert "hue" not in describe(reds, None, after).numbers


def test_nothing_is_nothing(faces):
    effect = describe(faces, faces, faces)
    assert effect.words == ()
    assert effect.where == "nowhere"
    assert not effect.heat.any()
    assert effect.numbers["change"] == 0


def test_what_seeds_disagree_about_is_not_said(faces):
    """One becomes brighter and one much darker: the mean is not zero, but it is no word."""
    after = [*each(lambda x: x * 0.8 + 50)(faces[:1]), *each(lambda x: x * 0.5)(faces[1:2])]
    effect = describe(faces[:2], None, after)
    assert abs(effect.numbers["brightness"]) > 3
    assert not any("bright" in words or "dark" in words for words in effect.words)


def test_other_pictures_are_no_motion(faces):
    rng = np.random.RandomState(0)
    noise = [rng.randint(0, 256, (64, 64, 3)).astype(np.uint8) for _ in faces]
    effect = describe(faces, None, noise)
    assert "zoom" not in effect.numbers
    assert "rotation" not in effect.numbers


@pytest.mark.parametrize(
    "shape",
    [(4, 4, 1), (1, 1, 3), (64, 32, 4), (300, 500, 3), (2, 2, 2), (8, 8, 3), (11, 40, 1), (12, 12, 3), (20, 9, 3)],
)
def test_every_shape(shape):
    rng = np.random.RandomState(0)
    one, other = (rng.randint(0, 256, shape).astype(np.uint8) for _ in range(2))
    effect = describe([one], [other], None)
    assert all(np.isfinite(value) for value in effect.numbers.values())
    assert max(effect.heat.shape) <= 32


def test_the_map_gets_lighter_with_the_change():
    colours = heat_picture(np.arange(256, dtype=np.uint8).reshape(1, 256)).astype(int)
    assert colours.shape == (1, 256, 3)
    assert (np.diff(colours.sum(axis=2)) >= 0).all()


# --- kinds, on pictures that no network made ------------------------------------------------------


def scene(seed, *, shift=0.0, degrees=0.0, squeeze=1.0, paint=0.0, ground=0.0, lamp=0.0):
    """A striped body with a mark on a plain ground, uint8 ``[96, 96, 3]``; arguments plant changes of one kind."""
    rng = np.random.RandomState(seed)
    body, stripe, back = rng.uniform(40, 200, (3, 3))
    y, x = (np.mgrid[:384, :384] + 0.5) / 384 * 2 - 1
    angle = np.radians(degrees) + rng.uniform(-0.3, 0.3)
    u, v = x - shift - rng.uniform(-0.1, 0.1), y - rng.uniform(-0.1, 0.1)
    u, v = np.cos(angle) * u + np.sin(angle) * v, np.cos(angle) * v - np.sin(angle) * u
    picture = np.broadcast_to(back + ground * np.array([60.0, -20.0, -60.0]), (384, 384, 3)).copy()
    inside = (np.abs(u) / 0.45) ** 3 + (np.abs(v) / 0.6) ** 3 < 1
    tint = paint * np.array([50.0, 40.0, -30.0])
    picture[inside] = body + tint
    picture[inside & (np.sin(12 * v) > 0.4)] = stripe + tint
    mark = ((u / squeeze) ** 2 + ((v + 0.1) * squeeze) ** 2 < 0.04) & inside
    picture[mark] = 255 - body
    picture *= (1 + lamp * x)[..., None]
    return np.clip(picture, 0, 255).reshape(96, 4, 96, 4, 3).mean(axis=(1, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("change", "kind", "word"),
    [
        ({"shift": 0.15}, "motion", "moves right by 7 %"),
        pytest.param({"shift": -0.15}, "motion", "moves left by 7 %", marks=pytest.mark.hard),
        ({"degrees": 10}, "motion", "tilts clockwise by 10°"),
        ({"squeeze": 1.5}, "shape", "shape and details change"),
        ({"paint": 1.0}, "colour", "subject"),
        ({"ground": 1.0}, "backdrop", "background"),
        ({"lamp": 0.35}, "light", "lit from the right"),
        pytest.param({"lamp": -0.35}, "light", "lit from the left", marks=pytest.mark.hard),
    ],
)
def test_the_kind_of_a_planted_change(change, kind, word):
    """As told by pictures that have nothing of the bundled network."""
    seeds = range(2)
    effect = describe([scene(s) for s in seeds], None, [scene(s, **change) for s in seeds])
    assert effect.kind == kind
    assert effect.words[0].startswith(word.rstrip(" %°0123456789"))


def test_the_subject_is_named_before_a_weaker_change_of_the_backdrop():
    seeds = range(4)
    effect = describe([scene(s) for s in seeds], None, [scene(s, shift=0.2, ground=0.8) for s in seeds])
    assert effect.words[0].startswith("moves right by")
    assert any("background" in words for words in effect.words[1:])


def test_the_share_of_a_change_that_is_inside():
    before = [np.full((4, 4, 3), 100, np.uint8)] * 2
    high, low = (one.copy() for one in before)
    high[:2] += 30
    low[:1] -= 30
    weights = np.zeros((4, 4))
    weights[0] = 1
    assert share_inside(before[:1], [high], weights) == 0.5
    assert share_inside(before, [high, high, low, low], weights) == pytest.approx(2 / 3)
    assert share_inside(before, before, weights) == 0
