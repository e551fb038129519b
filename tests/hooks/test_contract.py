"""The contract of a hook: what a third party may register, and the check of what a hook gives."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from torch import nn

from sefa_plugin.hook import (
    SIZES,
    Hook,
    HookError,
    NetworkRecord,
    StyleLayer,
    check_layers,
    find_hook,
    listing_of,
    reason_of,
    remarks_of,
)
from sefa_plugin.hooks import BUILT_IN, all_hooks, registered
from sefa_plugin.networks.building import build_network
from sefa_plugin.networks.opening import OpenNetwork


def test_layers_of_a_hook_are_checked():
    good = StyleLayer("a", np.zeros((3, 4)), 0)
    assert check_layers([good], 4, 1, "h") == [good]
    for bad, says in (
        ([], "no style layer"),
        ([good, good], "listed twice"),
        ([StyleLayer("a", np.zeros((3, 5)), 0)], "expected"),
        ([StyleLayer("a", np.zeros(4), 0)], "expected"),
        ([StyleLayer("a", np.zeros((3, 4)), 1)], "outside 0-0"),
        ([StyleLayer("a", np.zeros((3, 4)), 0, "dense")], "dense"),
    ):
        with pytest.raises(HookError, match=says):
            check_layers(bad, 4, 1, "h")


class Entry:
    """An entry point whose object is ``given``."""

    name, value = "mine", "mine:hook"

    def __init__(self, given):
        self.given = given

    def load(self):
        return self.given


def listed(record):
    return [StyleLayer("a", np.zeros((3, 4)), 0)]


def plain(**changes):
    """An object with the attributes of a hook and nothing else; None leaves one out."""
    held = {
        "name": "mine",
        "fits": lambda record: True,
        "check": lambda record: None,
        "describe": lambda record: {**dict.fromkeys(SIZES, 1), "w_dim": 4, "z_dim": 2},
        "style_layers": listed,
        "mapping_layer": lambda record: StyleLayer("b", np.zeros((3, 2)), -1, "mapping"),
        "build": lambda record: None,
        **changes,
    }
    return SimpleNamespace(**{key: value for key, value in held.items() if value is not None})


class Derived(Hook):
    """A hook that is derived from the base class, of nothing that is there."""

    name = "derived"

    def fits(self, record):
        return True

    def check(self, record):
        pass

    def describe(self, record):
        return plain().describe(record)

    def style_layers(self, record):
        return listed(record)

    def mapping_layer(self, record):
        return plain().mapping_layer(record)

    def build(self, record):
        raise AssertionError


class Failing(Derived):
    def __init__(self):
        raise OSError("no such file")


class WithoutFits(Derived):
    fits = Hook.fits  # still abstract


RECORD = NetworkRecord("x.pkl", "G_ema", ("G_ema",), "Generator", (), {}, {"a": np.zeros((3, 4))})


@pytest.fixture
def registering(monkeypatch):
    def register(given):
        monkeypatch.setattr(registered, "entry_points", lambda **group: [Entry(given)])

    return register


def test_hooks_of_third_parties_are_found_and_tried_first(registering):
    registering(plain())
    assert [hook.name for hook in all_hooks()] == ["mine", *BUILT_IN]
    assert find_hook(RECORD, all_hooks()).name == "mine"


def test_what_a_third_party_registers_becomes_a_hook(registering):
    own = Derived()
    registering(own)
    assert next(all_hooks()) is own
    registering(Derived)
    assert isinstance(next(all_hooks()), Derived)
    registering(plain())
    hook = next(all_hooks())
    assert isinstance(hook, Hook) and hook.has_mapping
    assert (hook.state(RECORD), hook.cannot_render(RECORD), tuple(hook.remarks(RECORD))) == (RECORD.tensors, "", ())
    optional = {"state": lambda r: None, "cannot_render": lambda r: "no", "remarks": lambda r: ["x"]}
    registering(plain(**optional, has_mapping=False))
    hook = next(all_hooks())
    assert (hook.state(RECORD), hook.cannot_render(RECORD), hook.remarks(RECORD)) == (None, "no", ["x"])
    assert not hook.has_mapping


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (plain(fits=None), "hook mine lacks fits "),
        (plain(name=None, build=None), "hook mine lacks name, build "),
        (plain(check=3), "hook mine: check cannot be called"),
        (plain(remarks=[]), "hook mine: remarks cannot be called"),
        (plain(name=7), "hook mine: name is 7, expected text"),
        (plain(name=""), "hook mine: name is '', expected text"),
        (plain(has_mapping="yes"), "hook mine: has_mapping is 'yes', expected True or False"),
        (WithoutFits, "hook mine lacks fits "),
        (Failing, "hook mine cannot be made of its class Failing: no such file"),
        (type("Nameless", (Derived,), {"name": None}), "hook mine: name is None, expected text"),
    ],
)
def test_what_breaks_the_contract_is_refused_when_it_enters(registering, given, says):
    registering(given)
    with pytest.raises(HookError, match=re.escape(says)):
        next(all_hooks())


def test_a_hook_that_cannot_be_imported_is_named(registering, monkeypatch):
    monkeypatch.setattr(Entry, "load", lambda self: 1 / 0)
    registering(None)
    with pytest.raises(HookError, match=re.escape("hook mine (mine:hook) cannot be loaded: division by zero")):
        next(all_hooks())


@pytest.mark.parametrize(
    ("part", "given", "says"),
    [
        ("describe", None, "describes a network by None, expected a dict"),
        ("describe", {"z_dim": 1}, "describes a network without c_dim, w_dim, num_ws, resolution, channels"),
        ("describe", {**dict.fromkeys(SIZES, 1), "w_dim": 4.0}, "gives w_dim as 4.0, expected a whole number from 0"),
        ("describe", {**dict.fromkeys(SIZES, 1), "c_dim": -1}, "gives c_dim as -1"),
        ("describe", {**dict.fromkeys(SIZES, 1), "c_dim": True}, "gives c_dim as True"),
        ("style_layers", None, "lists None, expected a list of StyleLayer"),
        ("style_layers", ["a"], "lists a str, expected a StyleLayer"),
        ("style_layers", [StyleLayer("", np.zeros((3, 4)), 0)], "lists a layer with the name '', expected text"),
        ("style_layers", [StyleLayer("a", None, 0)], "layer a: weight is None, expected an array"),
        ("style_layers", [StyleLayer("a", np.zeros((3, 4)), 0.5)], "layer a: ws_index is 0.5, expected a whole number"),
        ("style_layers", [StyleLayer("a", np.zeros((3, 4)), 0, size=2.5)], "layer a: size is 2.5"),
        ("style_layers", [StyleLayer("a", np.zeros((3, 4)), 0, weight_gain=None)], "layer a: weight_gain is None"),
        ("style_layers", [StyleLayer("a", np.zeros((3, 4)), 0, detail="fine")], "layer a: detail is 'fine'"),
        ("mapping_layer", None, "lists None, expected a StyleLayer"),
        ("mapping_layer", StyleLayer("b", np.zeros((3, 4)), -1), "layer b: kind 'conv', expected 'mapping'"),
        (
            "mapping_layer",
            StyleLayer("b", np.zeros((3, 1)), -1, "mapping"),
            "weight is (3, 1), expected (channels, 2 or",
        ),
        ("remarks", "one", "gives a str as remarks, expected a list of lines"),
        ("remarks", None, "gives None as remarks"),
        ("remarks", [1], "gives an int among its remarks"),
        ("cannot_render", None, "gives None as the reason not to render, expected text"),
    ],
)
def test_what_a_hook_gives_is_checked(registering, part, given, says):
    registering(plain(**{part: lambda record: given}))
    hook = next(all_hooks())
    take = {"remarks": remarks_of, "cannot_render": reason_of}.get(part, listing_of)
    with pytest.raises(HookError, match=f"^hook mine.* {re.escape(says)}"):
        take(RECORD, hook)


def test_what_a_hook_gives_is_taken_as_plain_numbers(registering):
    sizes = {**dict.fromkeys(SIZES, np.int64(1)), "w_dim": 4, "further": "left out"}
    registering(plain(describe=lambda record: sizes, has_mapping=False, mapping_layer=lambda record: 1 / 0))
    listing = listing_of(RECORD, next(all_hooks()))
    assert listing.sizes == {**dict.fromkeys(SIZES, 1), "w_dim": 4} and listing.mapping is None
    assert all(type(value) is int for value in listing.sizes.values())


class Made(nn.Module):
    z_dim, c_dim, w_dim, num_ws, img_resolution, img_channels = 2, 1, 4, 1, 1, 1
    mapping = synthesis = None


@pytest.mark.parametrize(
    ("made", "state", "says"),
    [
        (None, {}, "hook mine built a NoneType, expected an nn.Module"),
        (nn.Linear(2, 2), {}, "hook mine built a generator without z_dim, c_dim, w_dim, num_ws, img_resolution, "),
        (type("Wider", (Made,), {"w_dim": 5})(), {}, "hook mine built a generator with w_dim 5, and describes w_dim 4"),
        (Made(), [], "hook mine gives a list as state, expected a dict of arrays"),
        (Made(), {"other": np.zeros(2)}, "x.pkl: hook mine built another network: "),
    ],
)
def test_what_a_hook_builds_is_checked(registering, made, state, says):
    registering(plain(build=lambda record: made, state=lambda record: state))
    hook = next(all_hooks())
    listing = listing_of(RECORD, hook)
    opened = OpenNetwork(RECORD, hook, listing, "none", (), "")
    with pytest.raises(HookError, match=re.escape(says)):
        build_network(opened)
