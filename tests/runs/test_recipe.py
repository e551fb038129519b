"""Recipes as files: they come back as they were, and of a stranger's nothing is trusted."""

import json
import os
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_values import ANYTHING

from sefa_plugin.rendering.edits import Edit
from sefa_plugin.rendering.look import Look
from sefa_plugin.runs.recipe import MAX_BYTES, Recipe, RecipeError

NETWORK = {"path": "nets/ffhq.pkl", "name": "ffhq", "which": "G_ema", "digest": "ab" * 32}
SIZES = {"num_ws": 6, "w_dim": 8, "z_dim": 8}


def unit(seed, *shape):
    vector = np.random.RandomState(seed).randn(*shape)
    return vector / np.sqrt(np.square(vector).sum(axis=-1).mean())


def recipe(**change):
    edits = (
        Edit(unit(0, 8), 2.5, (0, 1, 2), name="größer", label="coarse"),
        Edit(unit(1, 2, 8), -1 / 3, (3, 5), index=7, label="rows"),
        Edit(unit(2, 8), 0.1, (), space="z", label="z", normalize=False),
    )
    look = Look(trunc=0.7, trunc_cutoff=4, label=3, translate=(0.1, -0.2), rotate=30.0, bf16=True)
    ws = np.random.RandomState(3).randn(2, 6, 8).astype("f4")
    held = {"network": NETWORK, "seeds": (5, 2**32 - 1), "look": look, "edits": edits, "ws": ws, "ws_file": "w.npz"}
    return Recipe(**{**held, **change})


def test_a_recipe_comes_back_as_it_was(tmp_path):
    made = recipe()
    made.save(tmp_path / "recipe.json")
    again = Recipe.load(tmp_path / "recipe.json")
    assert (again.network, again.seeds, again.look) == (made.network, made.seeds, made.look)
    assert (again.ws == made.ws).all()
    assert again.ws_file == "w.npz"
    for one, other in zip(again.edits, made.edits):
        assert (one.vector == other.vector).all()
        for key in ("distance", "rows", "space", "index", "name", "label", "normalize", "torgb"):
            assert getattr(one, key) == getattr(other, key)
    assert again.digest == made.digest
    assert again.data() == made.data() == (tmp_path / "recipe.json").read_bytes()
    assert "[0, 1, 2]" in (tmp_path / "recipe.json").read_text()  # for people


@pytest.mark.parametrize("look", [Look(label=(0.5, 0.0, -1.5)), Look(background=(16, 32, 48)), Look(label=0)])
def test_labels_and_backgrounds_come_back_as_they_were(look):
    made = recipe(look=look)
    assert Recipe.parse(made.data()).look == look
    assert made.digest != recipe(look=Look()).digest
    assert b"background" not in recipe().data()  # files without one are as before


def test_the_digest_is_of_what_decides_the_picture():
    made = recipe()
    named = tuple(replace(edit, name="other", index=1) for edit in made.edits)
    same = recipe(network={**NETWORK, "path": "x", "name": "y"}, edits=named, ws_file="v.npz")
    assert same.digest == made.digest
    first = made.edits[0]
    others = [
        recipe(network={**NETWORK, "digest": "cd" * 32}),
        recipe(seeds=(5,)),
        recipe(look=replace(made.look, trunc=0.71)),
        recipe(look=replace(made.look, bf16=False)),
        recipe(edits=made.edits[:2]),
        recipe(edits=(replace(first, distance=2.6), *made.edits[1:])),
        recipe(edits=(replace(first, rows=(0, 1)), *made.edits[1:])),
        recipe(edits=(replace(first, vector=-first.vector), *made.edits[1:])),
        recipe(ws=None),
        recipe(ws=made.ws + 1),
    ]
    assert len({made.digest, *(other.digest for other in others)}) == len(others) + 1
    assert recipe(look=Look(trunc=1)).digest == recipe(look=Look(trunc=1.0)).digest


def test_names_of_folders():
    first = Edit(unit(0, 8), 2.5, (0,))
    assert recipe(ws=None, seeds=(5,), edits=(first,)).stem == "seed5_0+2.5"
    assert recipe(edits=(first,)).stem == "w0-w1-5-4294967295_0+2.5"
    assert recipe(ws=None, seeds=tuple(range(9)), edits=()).stem == "seed0-and-8-more_unedited"
    wild = [replace(first, name="../..\\x: <b>|", label="coarse"), replace(first, name="大" * 90)]
    stem = recipe(ws=None, seeds=(5,), edits=tuple(wild)).stem
    assert re.fullmatch(r"[\w+@.-]+", stem)
    assert stem.startswith("seed5_coarse-..-..-x")
    assert len(stem.encode()) <= 80


def test_what_fits():
    made = recipe()
    made.check_fits(name="ffhq", digest="ab" * 32, **SIZES)
    made.check_fits(name="other", digest="cd" * 32, other=True, **SIZES)
    for change, says in (
        ({"digest": "cd" * 32}, "made with 'ffhq', and net is another network.*--network.*--other-network"),
        ({"w_dim": 9}, "edits have 8 components, w of net has 9"),
        ({"z_dim": 9}, "edits have 8 components, z of net has 9"),
        ({"num_ws": 5}, "edits row 5 of ws, net has 0-4"),
    ):
        with pytest.raises(RecipeError, match=says):
            made.check_fits(**{"name": "net", "digest": "ab" * 32, **SIZES, **change})
    with pytest.raises(RecipeError, match=r"ws are \[2, 6, 8\], net needs \[N, 6, 9\]"):
        recipe(edits=()).check_fits(name="net", digest="ab" * 32, num_ws=6, w_dim=9, z_dim=8)


def test_settings_that_no_recipe_can_hold():
    for look, says in ((Look(trunc=1e9), "trunc"), (Look(rotate=1e9), "rotate")):
        with pytest.raises(ValueError, match=says):
            recipe(look=look).data()


# --- strangers' files -----------------------------------------------------------------------------

GOOD = json.loads(recipe().data())


def changed(path, value):
    """The good recipe with one thing changed, or (``...``) left out."""
    held = json.loads(json.dumps(GOOD))
    place = held
    for key in path[:-1]:
        place = place[key]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(held).encode()


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (["format"], "other", r"format: Invalid enum value 'other'"),
        (["version"], 2, r"version: Invalid enum value 2"),
        (["version"], ..., "missing required field `version`"),
        (["extra"], 1, "unknown field `extra`"),
        (["network"], "x", "network: Expected `object`, got `str`"),
        (["network", "which"], 3, r"network\.which: Expected .str., got .int."),
        (["network", "digest"], 5, r"network\.digest: Expected `str`"),
        (["network", "path"], "a\0b", "network: path is not a printable text"),
        (["seeds"], [1.5], r"seeds\[0\]: Expected `int`, got `float`"),
        (["seeds"], [-1], r"seeds\[0\]: Expected `int` >= 0"),
        (["seeds"], [0] * 10_001, "seeds: Expected `array` of length <= 10000"),
        (["look", "trunc"], "1", r"look\.trunc: Expected `float`, got `str`"),
        (["look", "trunc"], 1e300, r"look\.trunc: Expected `float` <= 1000000.0"),
        (["look", "noise_mode"], "loud", r"look\.noise_mode: Invalid enum value 'loud'"),
        (["look", "fov_deg"], 0, "fov_deg"),
        (["look", "class"], -1, r"look\.class: Expected `int` >= 0"),
        (["look", "translate"], [0], r"look\.translate: Expected `array` of length 2"),
        (["look", "more"], 0, "look: Object contains unknown field `more`"),
        (["edits"], {}, "edits: Expected `array`, got `object`"),
        (["edits", 0, "vector"], "!!", r"edits\[0\]\.vector: Invalid base64"),
        (["edits", 0, "vector"], "AAAA", "3 bytes for float32"),
        (["edits", 0, "vector"], "AADAfw==" * 8, r"edits\[0\]\.vector: Invalid base64"),
        (["edits", 0, "shape"], [4], "32 bytes for float32 numbers of shape"),
        (["edits", 0, "shape"], [2, 2, 2], r"edits\[0\]\.shape: Expected `array` of length <= 2"),
        (["edits", 0, "shape"], [10**6, 10**6], "32 bytes for"),
        (["edits", 0, "rows"], [3, 1], "changes rows"),
        (["edits", 0, "rows"], [-1], r"edits\[0\]\.rows\[0\]: Expected `int` >= 0"),
        (["edits", 0, "distance"], 1e7, r"edits\[0\]\.distance: Expected `float` <= 1000000.0"),
        (["edits", 0, "distance"], True, r"edits\[0\]\.distance: Expected `float`, got `bool`"),
        (["edits", 0, "space"], "q", r"edits\[0\]\.space: Invalid enum value 'q'"),
        (["edits", 0, "name"], "a,b", "comma"),
        (["edits", 0, "normalize"], 1, r"edits\[0\]\.normalize: Expected `bool`, got `int`"),
        (["projected", "shape"], [96], r"projected\.shape: Expected `array` of length 3"),
        (["projected", "data"], None, r"projected\.data: Expected `bytes`, got `null`"),
    ],
)
def test_recipes_that_make_no_sense(tmp_path, path, value, says):
    file = tmp_path / "recipe.json"
    file.write_bytes(changed(path, value))
    with pytest.raises(RecipeError, match=says) as caught:
        Recipe.load(file)
    assert str(caught.value).startswith(str(file))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < len(str(file)) + 300


def test_vectors_with_nan(tmp_path):
    import base64

    data = base64.b64encode(np.full(8, np.nan, "f4").tobytes()).decode()
    with pytest.raises(ValueError, match="vector of an edit holds NaN"):
        Recipe.parse(changed(["edits", 0, "vector"], data))
    with pytest.raises(ValueError, match="neither seeds nor"):
        Recipe.parse(changed(["projected"], None).replace(b'"seeds": [5, 4294967295]', b'"seeds": []'))


@pytest.mark.parametrize("data", [b"", b"no", b"\x80\x04K\x01.", b"[" * 300_000, b'{"a":' * 100_000, b"[]", b"null"])
def test_files_that_are_something_else(tmp_path, data):
    (tmp_path / "recipe.json").write_bytes(data)
    with pytest.raises(RecipeError, match="not a recipe"):
        Recipe.load(tmp_path / "recipe.json")


def test_files_that_are_huge_or_none(tmp_path):
    path = tmp_path / "recipe.json"
    with open(path, "wb") as file:
        file.truncate(1 << 30)  # sparse
    with pytest.raises(RecipeError, match=f"larger than {MAX_BYTES >> 20} MB"):
        Recipe.load(path)
    with pytest.raises(RecipeError, match="no such file"):
        Recipe.load(tmp_path / "none.json")
    with pytest.raises(RecipeError, match="no file"):
        Recipe.load(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(RecipeError, match="no file"):
            Recipe.load(tmp_path / "pipe")


PLACES = [[key] for key in GOOD] + [["edits", 0, key] for key in GOOD["edits"][0]]
PLACES += [[part, key] for part in ("look", "network", "projected") for key in GOOD[part]]


@given(st.sampled_from(PLACES), ANYTHING)
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=100)
def test_anything_anywhere_is_read_or_refused(path, value):
    data = changed(path, value)
    try:
        held = Recipe.parse(data)
    except ValueError as error:
        assert len(str(error)) < 400
    else:
        assert Recipe.parse(held.data()).digest == held.digest  # what was accepted can be kept


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data):
    with pytest.raises(ValueError):
        Recipe.parse(data)
