"""Imports of a file's source: ours for a toolkit's, for that source alone."""

import sys

import pytest

from sefa_plugin import third_party
from sefa_plugin.third_party import source_imports, torch_utils
from sefa_plugin.third_party.torch_utils import persistence


def run(source):
    names = {"__builtins__": source_imports.builtins_for_sources()}
    exec(source, names)
    return names


@pytest.mark.parametrize(
    "source, name, expected",
    [
        ("import dnnlib", "dnnlib", lambda: third_party.dnnlib),
        ("import dnnlib.util", "dnnlib", lambda: third_party.dnnlib),
        ("import dnnlib.util as u", "u", lambda: third_party.dnnlib.util),
        ("import torch_utils.persistence", "torch_utils", lambda: torch_utils),
        ("from torch_utils import persistence", "persistence", lambda: persistence),
        ("from torch_utils import *", "torch_utils", lambda: None),
        ("from torch_utils.persistence import persistent_class as p", "p", lambda: persistence.persistent_class),
        ("from src.torch_utils import persistence", "persistence", lambda: persistence),
        ("from pytorch_utils import persistence", "persistence", lambda: persistence),
        ("from lib.dnnlib.util import EasyDict", "EasyDict", lambda: third_party.dnnlib.EasyDict),
        ("def f():\n import dnnlib\n return dnnlib\nx = f()", "x", lambda: third_party.dnnlib),
    ],
)
def test_a_toolkits_names_are_ours(source, name, expected):
    before = set(sys.modules)
    assert run(source).get(name) is expected()
    new = set(sys.modules) - before
    assert not any(held.split(".")[0] in ("dnnlib", "torch_utils", "src", "lib") for held in new)


def test_other_names_are_what_they_are():
    names = run("import json\nfrom os import path\nimport os.path as p")
    assert names["json"] is sys.modules["json"]
    assert names["path"] is names["p"] is sys.modules["os"].path


@pytest.mark.parametrize(
    "source, name",
    [
        ("import torch_utils.nothing", "torch_utils.nothing"),
        ("from torch_utils.ops_of_a_fork import x", "torch_utils.ops_of_a_fork"),
        ("import src.dnnlib", "src"),
        ("import nothing_at_all", "nothing_at_all"),
    ],
)
def test_what_is_missing_is_named_as_the_source_names_it(source, name):
    with pytest.raises(ModuleNotFoundError) as caught:
        run(source)
    assert caught.value.name == name


def test_a_missing_name_of_a_module_is_an_import_error():
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        run("from dnnlib.util import nothing")
