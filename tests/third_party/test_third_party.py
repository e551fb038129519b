"""Our implementations of the interfaces that network files import: persistence, and how they are reached."""

import ast
import copy
import importlib
import pickle
import pkgutil
import subprocess
import sys
import traceback

import pytest
import torch
from places import ROOT

from sefa_plugin import third_party
from sefa_plugin.third_party.dnnlib import EasyDict
from sefa_plugin.third_party.torch_utils import persistence

MODULE = """
import torch


class Net(torch.nn.Module):
    def __init__(self, width, scale=1.0):
        super().__init__()
        self.scale = scale
        self.inner = torch.nn.Linear(width, width)
        self.child = Child(scale)

    def forward(self, x):
        return self.inner(x) * self.child.scale


class Child(torch.nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale
"""


@pytest.mark.hard  # seconds
def test_persistent_objects_carry_their_source_and_their_arguments(tmp_path):
    """Written in one process, where the class exists; read in another, where it does not."""
    (tmp_path / "nets.py").write_text(MODULE)
    head = f"import sys, pickle, torch; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'third_party')!r}]\n"
    write = head + (
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "import nets\nfrom torch_utils import persistence\n"
        "nets.Child = persistence.persistent_class(nets.Child)\n"
        "Net = persistence.persistent_class(nets.Net)\n"
        "assert persistence.persistent_class(Net) is Net and persistence.is_persistent(Net)\n"
        "assert not persistence.is_persistent(torch.nn.Linear(1, 1))\n"
        "net = Net(3, scale=2.0)\n"
        f"open({str(tmp_path / 'net.pkl')!r}, 'wb').write(pickle.dumps(net))\n"
        f"torch.save(net(torch.ones(1, 3)), {str(tmp_path / 'out.pt')!r})"
    )
    read = head + (
        f"net = pickle.load(open({str(tmp_path / 'net.pkl')!r}, 'rb'))\n"
        "assert net.init_args == (3,) and net.init_kwargs == {'scale': 2.0}\n"
        f"assert (net(torch.ones(1, 3)) == torch.load({str(tmp_path / 'out.pt')!r})).all()\n"
        "again = pickle.loads(pickle.dumps(net))\n"
        "assert (again.inner.weight == net.inner.weight).all()\n"
        "assert type(again.child).__name__ == 'Child'"
    )
    for code in (write, read):
        run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        (tmp_path / "nets.py").unlink(missing_ok=True)


NETS = """
import threading

import torch


class Plain(torch.nn.Module):
    def __init__(self, *held, **named):
        super().__init__()
        self.held = held
        self.named = named


class Sub(Plain):
    def forward(self, x):
        return x + 1


class Saving:
    def __init__(self, value):
        self.value = value
        self.lock = threading.Lock()

    def __getstate__(self):
        return {k: v for k, v in self.__dict__.items() if k != "lock"}


def inner():
    class Hidden:
        pass

    return Hidden
"""


@pytest.fixture
def nets(tmp_path, monkeypatch):
    """A module of classes, which persistence has not seen before."""
    for name in ("_sources", "_modules"):
        monkeypatch.setattr(persistence, name, {})
    monkeypatch.setattr(persistence, "_changes", [])
    (tmp_path / "third_party_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("third_party_nets")
    yield module
    del sys.modules["third_party_nets"]


def written(obj):
    """What an object is pickled as."""
    function, (meta,) = obj.__reduce__()
    assert function is persistence._reconstruct_persistent_obj
    return meta


def test_arguments_are_remembered_as_they_were(nets):
    made = persistence.persistent_class(nets.Plain)
    listed = [1]
    net = made(listed, width=EasyDict(a=2))
    listed.append(2)
    assert net.init_args == ([1],) and net.init_kwargs.width.a == 2 and type(net.init_kwargs) is EasyDict
    net.init_args[0].append(3)
    net.init_kwargs.width.a = 3
    assert net.init_args == ([1],) and net.init_kwargs.width.a == 2
    assert made.__name__ == "Plain" and isinstance(net, nets.Plain)


def test_what_is_written(nets):
    meta = written(persistence.persistent_class(nets.Plain)(1))
    assert set(meta) == {"type", "version", "module_src", "class_name", "state"}
    assert (meta["type"], meta["version"], meta["module_src"], meta["class_name"]) == ("class", 6, NETS, "Plain")
    assert meta["state"]["held"] == (1,) and meta["state"]["_init_args"] == (1,)


def test_a_class_that_exists_is_used_and_one_that_does_not_is_made_once(nets):
    net = persistence.persistent_class(nets.Plain)(1)
    assert isinstance(pickle.loads(pickle.dumps(net)), nets.Plain)
    meta = written(net)
    meta["module_src"] += "# another\n"
    one, two = (persistence._reconstruct_persistent_obj(meta) for _ in "12")
    assert not isinstance(one, nets.Plain)
    assert sys.modules[type(one).__module__] is sys.modules[type(two).__module__]
    assert written(one)["module_src"] == meta["module_src"]
    again = copy.deepcopy(one)
    assert again is not one and again.held == (1,) and again.init_args == (1,)


def test_a_subclass_is_persistent_only_by_itself(nets):
    nets.Plain = persistence.persistent_class(nets.Plain)

    class Sub(nets.Plain):
        pass

    assert persistence.is_persistent(nets.Plain) and persistence.is_persistent(nets.Plain())
    assert not persistence.is_persistent(Sub) and not persistence.is_persistent(nets.Sub)
    assert not persistence.is_persistent([]) and not persistence.is_persistent("Plain")
    made = persistence.persistent_class(nets.Sub)
    meta = written(made(5))
    assert meta["class_name"] == "Sub"
    assert made(5).init_args == (5,)
    assert pickle.loads(pickle.dumps(made(5))).forward(1) == 2


def test_objects_inside_objects(nets):
    nets.Plain = persistence.persistent_class(nets.Plain)
    inner = nets.Plain(torch.nn.Linear(2, 2), torch.ones(3))
    outer = pickle.loads(pickle.dumps(nets.Plain(inner, [inner])))
    assert outer.held[1][0] is outer.held[0]
    assert torch.equal(outer.held[0].held[0].weight, inner.held[0].weight)


def test_what_a_class_says_of_its_state_is_what_is_written(nets):
    made = persistence.persistent_class(nets.Saving)
    read = pickle.loads(pickle.dumps(made(3)))
    assert read.value == 3 and not hasattr(read, "lock") and read.init_args == (3,)


@pytest.mark.parametrize("wrong", [lambda: None, [sys], {"deep": ({1: open},), "gen": (i for i in ())}])
def test_what_cannot_be_pickled_is_refused_when_it_is_made(nets, wrong):
    made = persistence.persistent_class(nets.Plain)
    with pytest.raises(TypeError, match=r"^third_party_nets\.Plain: holds what cannot be pickled"):
        made(wrong)
    module = torch.nn.Linear(1, 1)
    module.wrong = wrong
    with pytest.raises(TypeError, match="holds what cannot be pickled"):
        made(inside=module)


def test_the_probe_reads_no_tensors(nets, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "__reduce_ex__", lambda *args: pytest.fail("a tensor was pickled"))
    net = persistence.persistent_class(nets.Plain)()
    net.weight = torch.nn.Parameter(torch.ones(2))
    persistence._Trial(net).dump(net)


def test_a_class_that_could_not_be_found_again_is_refused(nets):
    with pytest.raises(TypeError, match=r"nets\.Hidden: a persistent class must stand at the top"):
        persistence.persistent_class(nets.inner())()


def test_import_hooks(nets):
    net = persistence.persistent_class(nets.Plain)(1)

    @persistence.import_hook
    def renamed(meta):
        meta.module_src = meta.module_src.replace("self.held = held", "self.kept = held")
        meta.state.kept = meta.state.pop("held")
        return meta

    @persistence.import_hook
    def marked(meta):
        assert "kept" in meta.state and meta.class_name == "Plain" and (meta.type, meta.version) == ("class", 6)
        meta.state.mark = True
        return meta

    read = pickle.loads(pickle.dumps(net))
    assert read.kept == (1,) and read.mark and type(read)(2).kept == (2,)
    assert not hasattr(net, "mark")

    @persistence.import_hook
    def forgets(meta):
        pass

    with pytest.raises(ValueError, match="'forgets' gave nothing back"):
        pickle.loads(pickle.dumps(net))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"version": 5}, "version 5"),
        ({"type": "function"}, "'function'"),
        ({"class_name": "Nothing"}, "no class 'Nothing'"),
        ({"class_name": "inner"}, "no class 'inner'"),
    ],
)
def test_what_is_not_known_is_refused(nets, change, message):
    meta = written(persistence.persistent_class(nets.Plain)())
    with pytest.raises(ValueError, match=message):
        persistence._reconstruct_persistent_obj({**meta, **change})


def test_source_that_fails_leaves_nothing_behind(nets):
    meta = written(persistence.persistent_class(nets.Plain)())
    meta["module_src"] = "class Plain:\n    pass\n\nimport not_installed_anywhere  # the line\n"
    before = set(sys.modules), set(persistence._modules)
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="not_installed_anywhere"):
            persistence._reconstruct_persistent_obj(meta)
    assert (set(sys.modules), set(persistence._modules)) == before


def test_tracebacks_show_the_source_that_came_with_the_object(nets):
    meta = written(persistence.persistent_class(nets.Plain)())
    meta["module_src"] = NETS.replace("self.held = held", "self.held = 1 / 0")
    made = type(persistence._reconstruct_persistent_obj(meta))
    with pytest.raises(ZeroDivisionError) as error:
        made()
    assert "self.held = 1 / 0" in traceback.format_tb(error.value.__traceback__)[-1]


def test_objects_are_pickled_by_the_name_that_toolkits_know(nets, monkeypatch):
    net = persistence.persistent_class(nets.Plain)(EasyDict(a=1))
    assert b"sefa_plugin.third_party.torch_utils.persistence" in pickle.dumps(net)
    names = {"dnnlib", "dnnlib.util", "torch_utils", "torch_utils.persistence"}
    for name in names:
        monkeypatch.setitem(sys.modules, name, importlib.import_module(f"sefa_plugin.third_party.{name}"))
    data = pickle.dumps(net)
    assert b"sefa_plugin" not in data
    assert pickle.loads(data).held[0].a == 1


def modules():
    return [m.name for m in pkgutil.walk_packages(third_party.__path__, f"{third_party.__name__}.")]


def test_every_module_works_under_the_names_that_sources_import():
    """As a loader would alias them, with a source that imports in every usual way."""
    assert len(modules()) > 15
    code = (
        f"import sys, importlib; sys.path.insert(0, {str(ROOT)!r})\n"
        f"for name in {modules()!r}:\n"
        "    sys.modules[name.split('third_party.')[1]] = importlib.import_module(name)\n"
        "import dnnlib, torch_utils.ops.bias_act as first\n"
        "from torch_utils import misc, persistence, training_stats, custom_ops\n"
        "from torch_utils.ops import bias_act, conv2d_gradfix, conv2d_resample, fma\n"
        "from torch_utils.ops import filtered_lrelu, grid_sample_gradfix, upfirdn2d\n"
        "from torch_utils.ops.conv2d_resample import conv2d_resample as again\n"
        "assert first is bias_act and again is conv2d_resample.conv2d_resample\n"
        "assert dnnlib.util.EasyDict is dnnlib.EasyDict and misc.__name__.startswith('sefa_plugin.')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT.parent)


def test_they_import_no_toolkit_and_little_of_ours():
    """A host's own ``dnnlib`` or ``torch_utils`` must neither be needed nor be found by them."""
    ours = set()
    for path in (ROOT / "third_party").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found = {f"{node.module}.{alias.name}" for alias in node.names}
            else:
                continue
            assert not {name.split(".")[0] for name in found} & {"dnnlib", "torch_utils", "pkg_resources"}, path
            ours |= {name for name in found if name.startswith("sefa_plugin")}
    assert ours == {
        "sefa_plugin.reading.download",
        "sefa_plugin.generators.ops",
        "sefa_plugin.third_party.dnnlib.EasyDict",
    }
