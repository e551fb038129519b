import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from sefa_plugin.directions.directions import Directions
from sefa_plugin.directions.file import DirectionsFileError
from sefa_plugin.runs.renaming import listed, rename, set_stars, take_back


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "directions.safetensors"
    Directions.of(np.eye(4), np.arange(4, 0, -1), (0, 1)).with_range(2, 0.5, -1.5, 2, "low").save(path)
    return path


def test_naming(file):
    assert "direction 2 is called 'brush size'" in rename(file, "2", "brush size")
    assert rename(file.parent, "brush size", "brush")  # by its name, and in a folder
    held = Directions.load(file)
    assert held.names == ("", "", "brush", "")
    assert held.ranges[2] == (-1.5, 2)
    assert held.broken == ("", "", "low", "")
    assert held.index("brush") == 2
    assert [line.split() for line in listed(file)[1:]] == [["2", "-1.5", "to", "+2", "brush"]]
    assert "no name now" in rename(file, "2", "")
    assert Directions.load(file).names == ("",) * 4


@pytest.mark.parametrize(
    ("key", "name", "says"),
    [
        ("4", "x", "0-3"),
        ("smile", "x", "smile"),
        ("1", "a,b", "comma"),
        ("1", "7", "number"),
        ("1", "taken", "already called"),
    ],
)
def test_what_cannot_be_named(file, key, name, says):
    rename(file, "0", "taken")
    before = file.read_bytes()
    with pytest.raises(ValueError, match=says):
        rename(file, key, name)
    assert file.read_bytes() == before


def test_which_file(file, tmp_path):
    file.rename(tmp_path / "directions-coarse.safetensors")
    assert "coarse" in rename(tmp_path, "0", "x")
    Directions.of(np.eye(4), np.arange(4, 0, -1), (0, 1)).save(tmp_path / "directions-fine.safetensors")
    with pytest.raises(DirectionsFileError, match=r"directions-coarse.safetensors, directions-fine.safetensors"):
        rename(tmp_path, "0", "y")


@pytest.mark.parametrize("variant", ["directions", "directions-all"])
def test_a_number_is_of_the_usual_set_whichever_came_first(tmp_path, variant):
    usual = ({"directions", "directions-all"} - {variant}).pop()
    made = Directions.of(np.eye(4), np.arange(4, 0, -1), (0, 1))
    for stem, normalize in ((usual, True), (variant, False)):
        replace(made, label="all", normalize=normalize).save(tmp_path / f"{stem}.safetensors")
    rename(tmp_path, "0", "hair")
    rename(tmp_path, "all:1", "turn")
    rename(tmp_path, f"{variant}:0", "other")
    assert Directions.load(tmp_path / f"{usual}.safetensors").names == ("hair", "turn", "", "")
    assert Directions.load(tmp_path / f"{variant}.safetensors").names == ("other", "", "", "")


def auto(file, **names):
    """Names as re-scoring gives them: ``d2="skin"`` for direction 2, all measured."""
    held = Directions.load(file)
    found = {int(key[1:]): (name, 0.5) for key, name in names.items()}
    held.with_auto_names(found, range(len(held))).save(file)
    return Directions.load(file)


def test_automatic_names_are_kept_with_their_purity_and_used_like_any(file):
    held = auto(file, d2="skin-light", d0="-hair")
    assert held.names == ("-hair", "", "skin-light", "")
    assert held.named_by == ("auto", "", "auto", "")
    assert held.purity == (0.5, None, 0.5, None)
    assert held.index("-hair") == 0
    assert listed(file)[1:] == ["     0                  -hair (auto, purity 0.50)"] + [
        "     2  -1.5 to +2      skin-light (auto, purity 0.50)"
    ]


def test_a_persons_name_wins_whoever_comes_first(file):
    rename(file, "0", "mine")
    held = auto(file, d0="skin", d1="mine", d2="hair")
    assert held.names == ("mine", "mine 2", "hair", "")
    assert held.named_by == ("person", "auto", "auto", "")
    rename(file, "hair", "beard")  # over an automatic one, by it
    held = auto(file, d1="skin", d2="hair")
    assert held.names == ("mine", "skin", "beard", "")
    assert held.purity == (None, 0.5, None, None)
    rename(file, "3", "skin")  # a name that only re-scoring had given
    held = Directions.load(file)
    assert held.names == ("mine", "", "beard", "skin")
    assert held.named_by == ("person", "", "person", "person")
    with pytest.raises(ValueError, match="direction 3 is already called 'skin'"):
        rename(file, "1", "skin")


def test_automatic_names_are_unique_and_replaced(file):
    held = auto(file, d3="skin", d1="skin", d0="skin")  # in this order
    assert held.names == ("skin 3", "skin 2", "", "skin")
    held = auto(file, d1="skin")
    assert held.names == ("", "skin", "", "")
    # what was not measured this time keeps its name
    kept = held.with_auto_names({2: ("skin", 1.0)}, [2, 3])
    assert kept.names == ("", "skin", "skin 2", "")
    with pytest.raises(ValueError, match="comma"):
        held.with_auto_names({0: ("a,b", 1.0)}, [0])


def test_names_of_files_of_before_are_a_persons(file):
    from safetensors import safe_open
    from safetensors.numpy import save_file

    auto(file, d0="skin")
    with safe_open(file, framework="np") as held:
        about = {key: text for key, text in held.metadata().items() if key not in ("named_by", "purity")}
        tensors = {name: held.get_tensor(name) for name in held.keys()}  # noqa: SIM118
    save_file(tensors, str(file), about)
    assert Directions.load(file).named_by == ("person", "", "", "")
    assert auto(file, d0="hair").names[0] == "skin"


def test_names_of_the_same_directions_elsewhere(file):
    held = auto(file, d2="skin", d0="hair")
    other = Directions.of(held.vectors, held.eigenvalues, (3,), label="3", names=("skin", "own", "", "b"))
    merged = other.with_names_of(held)
    assert merged.names == ("hair", "own", "skin", "b")
    assert merged.named_by == ("auto", "person", "auto", "person")
    assert merged.purity == (0.5, None, 0.5, None)
    late = Directions.of(held.vectors, held.eigenvalues, (3,), label="3", names=("", "", "", "skin"))
    assert late.with_names_of(held).names == ("hair", "", "skin", "")
    typed = other.named(0, "mine").with_names_of(held)  # what a person types for this very set stays
    assert typed.names == ("mine", "own", "skin", "b")
    assert other.named(3, "hair").with_names_of(held).names == ("", "own", "skin", "hair")


def stars_of(directions, starred, file):
    """A file as the page saves it."""
    digests = [hashlib.sha256(vector.tobytes()).hexdigest() for vector in directions.vectors]
    stars = [
        {
            "set": directions.label,
            "index": index,
            "direction": digests[index],
            "layers": directions.layers,
            "starred": on,
        }
        for index, on in starred.items()
    ]
    file.write_text(json.dumps({"format": "sefa_stars", "version": 1, "stars": stars}))
    return file


def test_stars_of_a_page(file, tmp_path):
    rename(file, "3", starred=True)
    held = Directions.load(file)
    stars = stars_of(held, {1: True, 2: True, 3: False}, tmp_path / "stars.json")
    assert set_stars(tmp_path, stars) == [f"{file}: stars: 2 set, 1 taken away"]
    assert Directions.load(file).starred == (False, True, True, False)
    assert set_stars(file, stars) == [f"{file}: stars: as they were"]
    assert "taken back" in take_back(file)  # all of them, in one step
    assert Directions.load(file).starred == (False, False, False, True)


def test_stars_are_of_vectors_and_rows_whatever_the_label_is(file, tmp_path):
    other = Directions.of(np.eye(4)[::-1], np.arange(4, 0, -1), (2, 3), label="2-3")
    other.save(tmp_path / "directions-2-3.safetensors")
    stars = stars_of(replace(other, label="fine"), {0: True}, tmp_path / "stars.json")
    (line,) = set_stars(tmp_path, stars)
    assert "directions-2-3" in line and Directions.load(tmp_path / "directions-2-3.safetensors").starred[0]
    assert not any(Directions.load(file).starred)


def test_stars_of_other_directions_are_said(file, tmp_path):
    held = Directions.load(file)
    stranger = Directions.of(np.roll(np.eye(4), 1, 0)[:1] * -1, np.ones(1), (0, 1), label="x")
    stars = stars_of(stranger, {0: True}, tmp_path / "stars.json")
    with pytest.raises(ValueError, match="none of its directions"):
        set_stars(file, stars)
    both = json.loads(stars.read_text())
    both["stars"] += json.loads(stars_of(held, {0: True}, stars).read_text())["stars"]
    stars.write_text(json.dumps(both))
    assert set_stars(file, stars)[1:] == ["not in these files, left out: x:0"]
    stars_of(held, {}, stars)
    assert set_stars(file, stars) == [f"{stars}: holds no star"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "sefa_stars", "version": 2, "stars": []}', "[" * 9999])
def test_what_is_no_file_of_stars(file, tmp_path, text):
    stars = tmp_path / "stars.json"
    stars.write_text(text)
    before = file.read_bytes()
    with pytest.raises(ValueError, match="no file of stars"):
        set_stars(file, stars)
    assert file.read_bytes() == before
