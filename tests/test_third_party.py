"""Our implementations of the interfaces that network files import."""

import subprocess
import sys
from pathlib import Path

import pytest

from sefa_plugin.third_party.dnnlib import EasyDict

ROOT = Path(__file__).parent.parent
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


def test_easy_dict():
    held = EasyDict(a=1)
    held.b = 2
    assert (held.a, held["b"]) == (1, 2)
    del held.a
    assert dict(held) == {"b": 2}
    with pytest.raises(AttributeError, match="c"):
        held.c  # noqa: B018
    with pytest.raises(AttributeError, match="c"):
        del held.c


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
