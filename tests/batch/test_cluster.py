"""Jobs that Ray makes; those that need it are skipped where it is not installed."""

import importlib.util
import socket
import time

import pytest
from killed_jobs import WORDS, ended, is_plain, plain_runs, sefa_process, there  # noqa: F401 - fixtures
from typed_commands import refused, sefa

HAS_RAY = importlib.util.find_spec("ray") is not None


@pytest.fixture
def nets(golden, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.pkl").write_bytes(golden("sg2-in-sg3-32").pickle.read_bytes())
    return ["batch", "one.pkl", "-K", "1", "--seeds", "1", "--video", "none", "--distance", "2", "--outdir", "out"]


def test_options_of_ray(nets):
    refused(sefa(*nets, "--ray-address", "auto"), 2, "--ray-address is for --engine ray")
    refused(sefa(*nets, "--engine", "ray", "--workers", "2"), 2, "--workers is for --engine local")


@pytest.mark.skipif(HAS_RAY, reason="Ray is installed")
def test_a_line_says_what_to_install(nets):
    refused(sefa(*nets, "--engine", "ray"), 1, "--engine ray needs Ray: pip install ray")


@pytest.mark.skipif(not HAS_RAY, reason="needs Ray: pip install ray")
@pytest.mark.parametrize(
    ("address", "says"), [("PORT", "no cluster answers there"), ("here", "expected auto or HOST:PORT")]
)
def test_an_address_without_a_cluster_is_named_soon(nets, address, says):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = address.replace("PORT", f"127.0.0.1:{free.getsockname()[1]}")
        start = time.monotonic()
        refused(sefa(*nets, "--engine", "ray", "--ray-address", address), 1, f"--ray-address {address}: {says}")
        assert time.monotonic() - start < 10


@pytest.mark.hard
@pytest.mark.skipif(not HAS_RAY, reason="needs Ray: pip install ray")
def test_ray_makes_what_plain_runs_make(there):  # noqa: F811
    ended(sefa_process(there, "batch", "one.pkl", "two.pkl", *WORDS, "--outdir", "out", "--engine", "ray"))
    is_plain(there)


@pytest.mark.hard
@pytest.mark.skipif(not HAS_RAY, reason="needs Ray: pip install ray")
def test_a_computer_and_then_the_driver_are_lost(there):  # noqa: F811
    """Two raylets, one killed in the middle; then the driver; the next run makes the rest."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        node = cluster.add_node(num_cpus=1)
        words = ["batch", "one.pkl", "two.pkl", *WORDS, "--outdir", "out", "--engine", "ray"]
        driver = sefa_process(there, *words, "--ray-address", cluster.address)
        done = there / "out/.batch/done"
        _until(lambda: done.exists() and len(list(done.glob("[0-9a-f]*"))) > 1, driver)
        cluster.remove_node(node, allow_graceful=False)
        _until(lambda: len(list(done.glob("[0-9a-f]*"))) > 3, driver)
        driver.kill()
        driver.communicate()
        made = {path: path.stat().st_mtime_ns for path in done.glob("[0-9a-f]*/record.json")}
        ended(sefa_process(there, *words, "--ray-address", cluster.address))
        assert all(path.stat().st_mtime_ns == when for path, when in made.items()), "made twice"
    finally:
        cluster.shutdown()
    is_plain(there)


def _until(true, process):
    end = time.monotonic() + 200
    while not true():
        assert process.poll() is None and time.monotonic() < end, process.stderr.read().decode()
        time.sleep(0.05)
