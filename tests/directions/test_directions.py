import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from made_directions import altered
from safetensors import safe_open
from safetensors.numpy import save_file
from safetensors.torch import save_file as torch_save

from sefa_plugin import Directions, factorize, load_network
from sefa_plugin.directions.directions import Direction
from sefa_plugin.directions.file import DirectionsFileError, is_directions_file


@pytest.fixture(scope="module")
def made(golden):
    return factorize(load_network(golden("sg2ada-skip-64").pickle), layers="0-2", num_directions=4)


def test_indices_and_names(made):
    named = altered(made, names=("smile", "", "age", ""))
    assert named.index("age") == 2
    assert [named.index(key) for key in (0, 3)] == [0, 3]
    with pytest.raises(ValueError, match=r"direction 4 asked for, there are 4 \(0-3\); named: smile, age"):
        named.index(4)
    with pytest.raises(ValueError, match="direction smil asked for, which is none of these; named: smile, age"):
        named.index("smil")
    with pytest.raises(ValueError, match=r"direction smile asked for, but no direction of .* has a name$"):
        made.index("smile")
    with pytest.raises(ValueError, match="direction -1"):
        named.index(-1)
    with pytest.raises(ValueError, match="direction  asked"):
        named.index("")
    with pytest.raises(ValueError, match="comma"):
        altered(made, names=("a,b", "", "", ""))


def test_a_file_holds_everything(made, tmp_path):
    path = tmp_path / "d.safetensors"
    named = altered(made, names=("smile", "", "größer", ""))
    named.save(path)
    again = Directions.load(path)
    assert [vars(entry) | {"vector": entry.vector.tolist()} for entry in again.entries] == [
        vars(entry) | {"vector": entry.vector.tolist()} for entry in named.entries
    ]
    for field in set(Directions.__dataclass_fields__) - {"entries"}:
        ours, theirs = getattr(named, field), getattr(again, field)
        assert (ours == theirs).all() if isinstance(ours, np.ndarray) else ours == theirs, field
    with safe_open(str(path), framework="np") as file:
        assert set(file.keys()) == {"directions", "eigenvalues"}
        assert file.get_tensor("directions").dtype == np.float32
        assert json.loads(file.metadata()["names"]) == ["smile", "", "größer", ""]


def test_files_that_are_no_directions(made, tmp_path):
    path = tmp_path / "d.safetensors"
    made.save(path)
    with safe_open(str(path), framework="np") as file:
        about = dict(file.metadata())
    tensors = {"directions": made.vectors, "eigenvalues": made.eigenvalues}

    def refused(tensors, about, says):
        save_file(tensors, str(path), about)
        with pytest.raises(DirectionsFileError, match=says) as caught:
            Directions.load(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)

    refused(tensors, {}, "not written by this program")
    refused({"directions": made.vectors}, about, "holds directions")
    refused({**tensors, "eigenvalues": made.eigenvalues[:2]}, about, "do not agree")
    refused({**tensors, "directions": made.vectors * np.float32(2)}, about, "unit length")
    refused({**tensors, "directions": made.vectors * np.float32(np.nan)}, about, "unit length|NaN")
    refused(tensors, {**about, "version": "9"}, "version is '9'")
    refused(tensors, {**about, "space": "q"}, "space")
    refused(tensors, {**about, "layers": "[true]"}, "layers")
    refused(tensors, {**about, "layers": "[-1]"}, "layers")
    refused(tensors, {**about, "names": '["a"]'}, "1 names for 4")
    refused(tensors, {**about, "names": "[" * 100_000}, "not a valid")
    refused(tensors, {**about, "num_ws": '"x"'}, "num_ws")
    refused(tensors, {**about, "layers": "[]"}, "ws indices")
    refused(tensors, {**about, "layers": "[1, 1]"}, "ws indices")
    refused(tensors, {**about, "torgb": "some"}, "torgb")
    refused(tensors, {**about, "names": '["a\\nb", "", "", ""]'}, "line break")
    refused({**tensors, "directions": np.eye(4, 32, dtype=int)}, about, "int64, not floating point")
    for label in ("../../x", "a/b", "", ".hidden", "a b\n", "x" * 200, "C:x"):  # it becomes part of file names
        refused(tensors, {**about, "label": label}, "label")
    torch_save({"directions": torch.eye(4, 32).bfloat16(), "eigenvalues": torch.ones(4)}, str(path), about)
    with pytest.raises(DirectionsFileError, match=r"d\.safetensors: is not a valid"):
        Directions.load(path)
    save_file(tensors, str(path), about)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DirectionsFileError, match="not a whole safetensors file"):
        Directions.load(path)
    path.write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(DirectionsFileError, match="not a whole safetensors file"):
        Directions.load(path)
    with pytest.raises(DirectionsFileError, match="no such file"):
        Directions.load(tmp_path / "none")


def test_a_network_may_be_called_anything(made, tmp_path):
    odd = replace(made, network="a\nb\udcff\x1b[31m")
    odd.save(tmp_path / "d.safetensors")
    assert Directions.load(tmp_path / "d.safetensors").network == odd.network == "a?b??[31m"


def test_directions_must_fit_the_network(made):
    fits = {"network": "other", "w_dim": 32, "z_dim": 48, "num_ws": 10}
    assert made.check_fits(**fits) == ""
    assert "not in other" in made.check_fits(**fits, digest="0" * 64)
    with pytest.raises(DirectionsFileError, match="32 components, other needs 512"):
        made.check_fits(**{**fits, "w_dim": 512})
    with pytest.raises(DirectionsFileError, match="10 layers .*, other has 8"):
        made.check_fits(**{**fits, "num_ws": 8})
    with pytest.raises(DirectionsFileError, match="change layer 2, other has 0-1"):
        replace(made, num_ws=0).check_fits(**{**fits, "num_ws": 2})


def test_files_of_before_have_no_ranges(tmp_path):
    """Metadata that an older version did not write is absent, not wrong."""

    path = tmp_path / "d.safetensors"
    Directions.of(np.eye(3), np.array([3.0, 2, 1]), (0, 1)).save(path)
    with safe_open(path, framework="np") as file:
        about = {
            key: text for key, text in file.metadata().items() if key not in ("ranges", "sigmas", "broken", "lessons")
        }
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, str(path), about)
    held = Directions.load(path)
    assert held.ranges == held.sigmas == (None,) * 3
    assert held.broken == ("",) * 3 and held.priors == (None,) * 3


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("ranges", "[[1,2],null,null]"),  # 0 is not within
        ("ranges", "[[-1,1]]"),
        ("ranges", '[["a",1],null,null]'),
        ("ranges", "{}"),
        ("sigmas", "[1,2,[3]]"),
        ("sigmas", "[1e999,1,1]"),
        ("sigmas", "[true,1,1]"),
        ("broken", '["up","",""]'),
        ("broken", '["low"]'),
        ("broken", "[1,2,3]"),
        ("lessons", "[[0,1],null,null]"),
        ("lessons", "[[1,-1],null,null]"),
        ("lessons", "[[1,1]]"),
        ("lessons", "[1,1,1]"),
        ("lessons", "[[1e999,1],null,null]"),
        ("named_by", '["somebody","",""]'),
        ("named_by", '["auto"]'),
        ("named_by", "[1,2,3]"),
        ("purity", "[2,null,null]"),
        ("purity", "[0.5]"),
        ("purity", '["0.5",null,null]'),
    ],
)
def test_odd_measurements_are_refused(tmp_path, key, text):

    path = tmp_path / "d.safetensors"
    Directions.of(np.eye(3), np.array([3.0, 2, 1]), (0, 1)).save(path)
    with safe_open(path, framework="np") as file:
        about = {**file.metadata(), key: text}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, str(path), about)
    with pytest.raises(DirectionsFileError, match="not a valid directions file"):
        Directions.load(path)


def test_measurements_as_small_as_they_can_be():
    one = Direction(np.eye(3)[0], 1.0, range=(0.0, 1e-3), sigma=0.0, prior=(1e-3, 0.0))
    assert (one.range, one.prior) == ((0.0, 1e-3), (1e-3, 0.0))
    for prior in ((0.0, 0.0), (1.0, -1e-3)):
        with pytest.raises(ValueError, match="which cannot be"):
            replace(one, prior=prior)


def test_only_a_name_that_was_measured_has_a_purity():
    by = {who: Direction(np.eye(3)[0], 1.0, "smile", who, 0.5) for who in ("auto", "person", "")}
    assert {who: (one.named_by, one.purity) for who, one in by.items()} == {
        "auto": ("auto", 0.5),
        "person": ("person", None),
        "": ("person", None),
    }


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"eigenvalues": [np.nan, 1.0]}, "NaN or infinity"),
        ({"vectors": [[np.inf, 0.0], [0.0, 1.0]]}, "NaN or infinity"),
        ({"next_eigenvalue": np.inf}, "NaN or infinity"),
        ({"origin": "x" * 101}, "no short line"),
        ({"origin": "a\nb"}, "no short line"),
    ],
)
def test_each_odd_fact_is_refused_by_itself(facts, says):
    fine = {"vectors": np.eye(2), "eigenvalues": [2.0, 1.0], "layers": (0,), "origin": "x" * 100}
    assert len(Directions.of(**fine)) == 2
    with pytest.raises(ValueError, match=says):
        Directions.of(**{**fine, **facts})


def test_what_is_no_directions_file_is_none(made, tmp_path):
    made.save(tmp_path / "d.safetensors")
    save_file({"a": np.ones(3)}, str(tmp_path / "other.safetensors"))
    (tmp_path / "text.safetensors").write_text("no tensors")
    names = ("d", "other", "text", "missing")
    assert [is_directions_file(tmp_path / f"{name}.safetensors") for name in names] == [True, False, False, False]


def test_directions_with_a_row_for_each_layer(tmp_path):
    rows = np.random.RandomState(0).randn(2, 3, 5)
    rows /= np.sqrt(np.square(rows).sum(axis=2).mean(axis=1))[:, None, None]
    made = Directions.of(rows, np.zeros(2), (0, 2, 3), label="rows", names=("", "smile"))
    assert (made.per_row, made.dim, len(made)) == (True, 5, 2)
    made.save(tmp_path / "d.safetensors")
    again = Directions.load(tmp_path / "d.safetensors")
    assert again.same_as(made) and again.layers == (0, 2, 3) and again.per_row
    assert again.check_fits(network="x", w_dim=5, z_dim=9, num_ws=4) == ""
    with pytest.raises(DirectionsFileError, match="have 5 components, x needs 3"):
        again.check_fits(network="x", w_dim=3, z_dim=9, num_ws=4)
    for change in ({"layers": (0, 1)}, {"space": "z"}):  # they are not to be had at other layers
        with pytest.raises(ValueError, match="3 rows each, one for a layer"):
            altered(made, **change)
    Directions.of(rows * 2, np.zeros(2), (0, 2, 3)).save(tmp_path / "long.safetensors")
    with pytest.raises(DirectionsFileError, match="unit length"):
        Directions.load(tmp_path / "long.safetensors")


def test_negative_numbers_count_from_the_weakest():
    whole = Directions.of(np.eye(4), [4, 3, 2, 1], (0, 1))
    assert [whole.index(key) for key in (-1, -4, np.int64(-2))] == [3, 0, 2]
    with pytest.raises(ValueError, match="direction -5"):
        whole.index(-5)
    some = Directions.of(np.eye(4)[:2], [4, 3], (0, 1))
    with pytest.raises(ValueError, match="from the weakest of 4, here are only 2"):
        some.index(-1)


def test_edits_at_other_layers():
    held = Directions.of(np.eye(4), [4, 3, 2, 1], (0, 1), names=("a", "", "", "")).with_range(0, 1.0, -1, 1)
    moved = held.edited_at([2, 3], "fine")
    assert (moved.layers, moved.label, moved.names, moved.sigmas) == ((2, 3), "all@fine", held.names, held.sigmas)
    assert moved.ranges == (None,) * 4  # they were measured with the other rows
    assert not moved.same_as(held)
    assert moved.edited_at([0], "0").label == "all@0"
    assert held.edited_at([0, 1], "all") is held
    with pytest.raises(ValueError, match="--space w"):
        Directions.of(np.eye(4), [4, 3, 2, 1], (0, 1), space="z").edited_at([0], "0")


def test_some_of_them_in_the_order_asked_for():
    held = Directions.of(np.eye(4)[:3], [3.0, 2, 1], (1, 2), names=("smile", "", "age"))
    held = altered(held, sigmas=(1.0, None, 3.0), ranges=(None, (-1, 1), None), broken=("", "low", ""))
    some = held.chosen([2, "smile"])
    assert some.names == ("age", "smile") and some.eigenvalues.tolist() == [1, 3] and some.sigmas == (3.0, 1.0)
    assert (some.vectors == held.vectors[[2, 0]]).all() and some.layers == held.layers
    assert some.named_by == ("person", "person")
    with pytest.raises(ValueError, match="direction 3 asked for"):
        held.chosen([3])


def test_a_set_prints_in_five_lines():
    """Network, layers, space, method, and the first ones; in a list, one line each."""
    held = Directions.of(np.eye(8), np.arange(8.0, 0, -1), (1, 2, 3), label="middle", network="ffhq", num_ws=18)
    held = held.named(1, "smile").with_range(1, 0.5, -2.0, 3.5)
    assert str(held).splitlines() == [
        "8 directions of ffhq",
        "changes: middle layers (rows 1-3 of ws)",
        "space: w, 8 components",
        "method: SeFa, closed form",
        "first: 0 (8), 1 smile (7), 2 (6), 3 (5), 4 (4), ...",
    ]
    assert repr([held]) == "[<8 directions of ffhq, middle layers>]"
    raw = Directions.of(np.eye(2)[:1], [1.0], (0,), normalize=False, torgb="always", label="0")
    assert str(raw).splitlines()[::3] == [
        "1 direction of an unnamed network",
        "method: SeFa, closed form, rows of weights not normalised, ToRGBs: always",
    ]
    assert altered(held, origin="GANSpace").method == "imported from GANSpace"
    assert "imported" not in str(held) and replace(held, sharpen="layers").method == "SeFa, sharpened by layers"
    in_z = Directions.of(np.eye(2), [2.0, 1.0], (0,), space="z", label="z")
    assert str(in_z).splitlines()[1] == "changes: z (of the mapping network)"


def test_a_notebook_shows_a_table():
    held = Directions.of(np.eye(12), np.arange(12.0, 0, -1), (0,), network="<i>net</i>").named(0, "a & <b>")
    table = held.with_range(0, 0.5, -2.0, 3.5)._repr_html_()
    assert "<p>12 directions of &lt;i&gt;net&lt;/i&gt;, all layers; SeFa, closed form</p>" in table
    row = "<tr><td>0</td><td>a &amp; &lt;b&gt;</td><td>12</td><td>-2 to +3.5</td><td>0.5</td></tr>"
    assert row in table and table.count("<tr>") == 1 + 10 and table.endswith("<p>and 2 more</p>")
    imported = Directions.of(np.eye(2), [0.0, 0.0], (0,), origin="GANSpace")
    assert imported._repr_html_().count("<td>0</td><td></td><td></td>") == 1  # no strength is known
