import numpy as np
import pytest
from places import GOLDEN

from sefa_plugin.directions.factorization import factorize_group
from sefa_plugin.directions.layers import select_layers
from sefa_plugin.hook import StyleLayer
from sefa_plugin.networks.opening import open_network


@pytest.fixture(scope="module")
def layers(golden):
    held = {}

    def get(name):
        if name not in held:
            held[name] = open_network(golden(name).pickle).layers
        return held[name]

    return get


def rows(layers, spec, torgb="last"):
    return [(group.label, list(group.ws_indices)) for group in select_layers(layers, spec, torgb)]


def names(layers, spec, torgb="last"):
    (group,) = select_layers(layers, spec, torgb)
    return [layer.name.removeprefix("synthesis.").removesuffix(".affine") for layer in group.layers]


def test_one_weight_for_each_row_of_stylegan2(layers):
    net = layers("sg2ada-skip-64")
    assert names(net, "all") == [
        "b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1",
        "b32.conv0", "b32.conv1", "b64.conv0", "b64.conv1", "b64.torgb",
    ]  # fmt: skip
    assert rows(net, "all") == [("all", list(range(10)))]
    assert names(net, "0-1") == ["b4.conv1", "b8.conv0"]
    assert names(net, "9") == ["b64.torgb"]


def test_torgb_layers(layers):
    net = layers("sg2ada-skip-64")
    assert "b64.torgb" not in names(net, "all", "never")
    assert rows(net, "all", "never") == [("all", list(range(9)))]
    assert names(net, "0-1", "always") == ["b4.conv1", "b4.torgb", "b8.conv0"]
    assert rows(net, "0-1", "always") == [("0-1", [0, 1])]  # an inner ToRGB adds no row
    assert len(names(net, "all", "always")) == 14
    with pytest.raises(ValueError, match="layer 9 is a ToRGB layer"):
        select_layers(net, "8-9", "never")
    with pytest.raises(ValueError, match="last, never, always"):
        select_layers(net, "all", "first")


def test_groups_of_stylegan2(layers):
    net = layers("sg2ada-skip-64")
    assert rows(net, "coarse,middle,fine") == [
        ("coarse", [0, 1, 2]),
        ("middle", [3, 4, 5, 6]),
        ("fine", [7, 8, 9]),
    ]


def test_groups_of_stylegan3_go_by_cutoff_not_by_size(layers):
    """Its first layers already run at 36 pixels, but draw nothing finer than a 4-pixel picture could show."""
    net = layers("sg3t-64")
    for name, indices in rows(net, "coarse,middle,fine"):
        for layer in net:
            if layer.ws_index in indices:
                low, high = {"coarse": (0, 8), "middle": (8, 32), "fine": (32, 1e9)}[name]
                assert low < layer.detail * (1 - 1e-6) + 1e-9 or name == "coarse"
                assert layer.detail <= high * (1 + 1e-6)
    assert rows(net, "fine")[0][1][-1] == 15
    assert sum((indices for _, indices in rows(net, "coarse,middle,fine")), []) == list(range(1, 16))


def test_an_empty_group_takes_a_layer_from_its_neighbour():
    def net(*details):
        return [StyleLayer(f"l{i}", np.eye(2), i, detail=d) for i, d in enumerate(details)]

    assert rows(net(4, 8, 8, 16, 16, 32, 32), "coarse,middle,fine") == [
        ("coarse", [0, 1, 2]),
        ("middle", [3, 4, 5]),
        ("fine", [6]),
    ]
    assert rows(net(4, 8, 8, 8), "coarse,middle,fine") == [("coarse", [0, 1]), ("middle", [2]), ("fine", [3])]
    assert rows(net(64, 64, 128), "coarse,middle,fine") == [("coarse", [0]), ("middle", [1]), ("fine", [2])]
    assert rows(net(4, 4, 64, 64, 64), "middle") == [("middle", [2])]
    assert rows(net(4, 4, 4, 64, 64), "coarse,middle,fine") == [
        ("coarse", [0, 1]),
        ("middle", [2]),
        ("fine", [3, 4]),
    ]
    assert rows(net(4, 4, 64, 64), "coarse,middle,fine") == [  # of equal neighbours the fine one gives
        ("coarse", [0, 1]),
        ("middle", [2]),
        ("fine", [3]),
    ]
    assert rows(net(8 * (1 + 1e-9), 16, 64), "coarse") == [("coarse", [0])]
    with pytest.raises(ValueError, match="too few layers"):
        select_layers(net(4, 8), "coarse")
    with pytest.raises(ValueError, match="no coarse, middle and fine"):
        select_layers(net(None, None, None), "coarse")


def test_each_and_mixed_specifications(layers):
    net = layers("sg2ada-skip-64")
    each = select_layers(net, "each")
    assert [group.label for group in each] == [f"layer{i:02d}" for i in range(10)]
    assert all(len(group.layers) == 1 for group in each)
    assert rows(net, "0-1, 5 ,8-9") == [("0-1_5_8-9", [0, 1, 5, 8, 9])]
    assert [label for label, _ in rows(net, "3,coarse,5")] == ["3_5", "coarse"]


def test_labels_fit_file_names_and_nothing_is_made_twice(layers):
    net = layers("sg2ada-skip-64")
    assert [label for label, _ in rows(net, "5,0-0,1,7-8,8")] == ["0-1_5_7-8"]
    assert rows(net, "all,coarse,all,coarse") == rows(net, "all,coarse")
    assert len(select_layers(net, "each,each,all")) == 11


def test_the_input_of_stylegan3_only_when_asked_for(layers):
    net = layers("sg3t-64")
    assert rows(net, "all") == [("all", list(range(1, 16)))]
    assert names(net, "input") == ["input"]
    assert rows(net, "input") == [("input", [0])]
    assert all("input" not in name for name in names(net, "all", "always"))
    with pytest.raises(ValueError, match="--layers input"):
        select_layers(net, "0-3")
    with pytest.raises(ValueError, match="only StyleGAN3"):
        select_layers(layers("sg2ada-skip-64"), "input")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("10", "layers 0-9"),
        ("3-99999999999999999999", "layers 0-9"),
        ("5-3", "runs backwards"),
        ("middling", "neither all"),
        ("", "neither all"),
        ("1,,2", "neither all"),
        ("-1", "neither all"),
    ],
)
def test_specifications_that_make_no_sense(layers, spec, says):
    with pytest.raises(ValueError, match=says):
        select_layers(layers("sg2ada-skip-64"), spec)


@pytest.mark.parametrize(
    ("selection", "spec", "torgb"),
    [("all", "all", "last"), ("all-but-torgb", "all", "never"), ("ws1-2", "1-2", "last"), ("ws3-6", "3-6", "last")],
)
def test_selected_weights_of_stylegan3_give_the_golden_directions(layers, selection, spec, torgb):
    want = np.load(GOLDEN / "sefa-sg3t-64.npz")
    (group,) = select_layers(layers("sg3t-64"), spec, torgb)
    made = factorize_group(group)
    assert abs(made.eigenvalues - want[f"{selection}/eigenvalues_f64"]).max() < 1e-6
    assert abs(made.vectors - want[f"{selection}/directions_f64"]).max() < 1e-5


@pytest.mark.parametrize("spec", ["all", "0-1", "2-5", "6-9"])
def test_selected_weights_of_stylegan2_give_the_authors_directions(layers, spec):
    want = np.load(GOLDEN / "sefa-sg2ada-skip-64.npz")
    (group,) = select_layers(layers("sg2ada-skip-64"), spec)
    made = factorize_group(group)
    assert abs(made.eigenvalues - want[f"{spec}/eigenvalues_f64"]).max() < 1e-6
    assert abs(made.vectors - want[f"{spec}/directions_f64"]).max() < 1e-5
