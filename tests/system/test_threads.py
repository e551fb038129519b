import os
import sys
import threading

import numpy as np
import pytest

from sefa_plugin.system.processor import one_thread_each, share_cores


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


@pytest.mark.parametrize("limits", [True, False])
def test_tasks_run_in_order_with_and_without_threadpoolctl(limits, monkeypatch):
    if limits:
        pytest.importorskip("threadpoolctl")
    else:
        monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    matrices = [np.diag([1.0, 2.0, float(index)]) for index in range(5)]
    workers = set()

    def largest(matrix):
        workers.add(threading.current_thread())
        return np.linalg.eigvalsh(matrix)[-1]

    assert one_thread_each(largest, matrices) == [2, 2, 2, 3, 4]
    assert (threading.main_thread() in workers) is not limits


def test_an_error_of_a_task_is_the_errors_of_all():
    with pytest.raises(ValueError, match="three"):
        one_thread_each(lambda item: (_ for _ in ()).throw(ValueError("three")) if item == 3 else item, range(5))
