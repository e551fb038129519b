import sys

import pytest

from sefa_plugin.threads import share_cores


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, "5000"),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, None),
    ],
)
def test_the_users_own_setting_wins(monkeypatch, before, after):
    environ = dict(before)
    monkeypatch.setattr("os.environ", environ)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    share_cores()
    assert environ.get("GOMP_SPINCOUNT") == after


def test_too_late_once_torch_is_there(monkeypatch):
    environ = {}
    monkeypatch.setattr("os.environ", environ)
    monkeypatch.setitem(sys.modules, "torch", object())
    share_cores()
    assert environ == {}
