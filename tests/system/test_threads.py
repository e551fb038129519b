import os
import sys
import threading

import numpy as np
import pytest

from sefa_plugin.system import processor
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


@pytest.mark.parametrize(
    "files, granted",
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
)
def test_a_container_limits_the_threads(files, granted, tmp_path, monkeypatch):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert processor.allowed_processors(tmp_path) == granted
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    environ = {}
    monkeypatch.setattr("os.environ", environ)
    monkeypatch.setattr(processor, "limited", "")
    processor.limit_threads(tmp_path)
    assert environ == ({"OMP_NUM_THREADS": str(int(granted))} if granted else {})
    number = "1 thread" if granted == 1.5 else "4 threads"
    assert processor.limited == (f"{number}: of 64 processors this container may use {granted:g}" if granted else "")
    environ["OMP_NUM_THREADS"] = "7"
    processor.limit_threads(tmp_path)
    assert environ["OMP_NUM_THREADS"] == "7"
