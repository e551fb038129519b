"""Our implementation of ``torch_utils.misc`` and ``torch_utils.training_stats``."""

import itertools
import math
import warnings

import numpy as np
import pytest
import torch

from sefa_plugin.third_party.torch_utils import misc, training_stats


def test_constant():
    one = misc.constant([1, 2, 3])
    assert one.dtype == torch.float32 and one.tolist() == [1, 2, 3]
    assert misc.constant([1, 2, 3]) is one
    assert misc.constant([1.0, 2, 3]) is not one and misc.constant([1, 2, 4]).tolist() == [1, 2, 4]
    assert misc.constant((1, 2, 3), dtype=torch.int64).dtype == torch.int64
    spread = misc.constant(2, shape=[2, 3])
    assert spread.shape == (2, 3) and spread.is_contiguous() and bool((spread == 2).all())
    assert misc.constant(2).shape == ()
    last = misc.constant(np.ones((1, 2, 3, 4)), memory_format=torch.channels_last)
    assert last.stride(1) == 1
    assert misc.constant([1], device="meta").device.type == "meta"
    source = np.zeros(3, dtype=np.float32)
    kept = misc.constant(source)
    source += 1
    assert not kept.any() and misc.constant(source).all()
    with pytest.raises(RuntimeError):
        misc.constant([1, 2], shape=[3])


def test_nan_to_num():
    x = torch.tensor([math.nan, math.inf, -math.inf, 1])
    assert misc.nan_to_num(x, nan=0, posinf=5, neginf=-5).tolist() == [0, 5, -5, 1]


def test_assert_shape():
    x = torch.ones(2, 3)
    misc.assert_shape(x, [2, 3])
    misc.assert_shape(x, [None, torch.tensor(3)])
    with pytest.raises(AssertionError, match="2 axes, not 3"):
        misc.assert_shape(x, [2, 3, 1])
    with pytest.raises(AssertionError, match="axis 1 has size 3, not 4"):
        misc.assert_shape(x, [None, 4])
    with pytest.raises(AssertionError, match="axis 0 has another size"):
        misc.assert_shape(x, [torch.tensor(3), None])
    with pytest.raises(AssertionError, match="told"):
        misc.symbolic_assert(False, "told")


def test_shapes_can_be_asserted_while_a_graph_is_traced():
    class Net(torch.nn.Module):
        def forward(self, x):
            misc.assert_shape(x, [None, 3])
            return x * 2

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        traced = torch.jit.trace(Net(), torch.ones(2, 3))
    assert torch.equal(traced(torch.ones(5, 3)), torch.full((5, 3), 2.0))


def test_warnings_of_the_tracer_are_silenced_and_nothing_else():
    before = list(warnings.filters)
    with pytest.warns(UserWarning, match="other") as seen, misc.suppress_tracer_warnings():
        warnings.warn("a constant", torch.jit.TracerWarning, stacklevel=1)
        warnings.warn("other", UserWarning, stacklevel=1)
    assert len(seen) == 1
    with pytest.raises(ZeroDivisionError), misc.suppress_tracer_warnings():
        raise ZeroDivisionError
    assert warnings.filters == before


def test_profiled_function():
    @misc.profiled_function
    def doubled(x, *, by=2):
        """Told."""
        return x * by

    assert (doubled.__name__, doubled.__doc__) == ("doubled", "Told.")
    with torch.autograd.profiler.profile() as profile:
        assert doubled(torch.ones(1), by=3) == 3
    assert "doubled" in {event.name for event in profile.function_events}


def taken(count, size, **options):
    return [int(i) for i in itertools.islice(misc.InfiniteSampler(range(size), **options), count)]


def test_infinite_sampler():
    assert taken(7, 3, shuffle=False) == [0, 1, 2, 0, 1, 2, 0]
    assert taken(4, 5, shuffle=False, rank=1, num_replicas=2) == [1, 3, 0, 2]
    assert taken(3, 1) == [0, 0, 0]
    once = taken(100, 10, seed=1)
    assert once == taken(100, 10, seed=1) and once != taken(100, 10, seed=2)
    assert once[:10] != once[10:20]  # shuffles as it goes
    assert np.bincount(once, minlength=10).min() >= 5
    near = taken(200, 10, window_size=0.3)  # exchanged among three, an index comes back 8 steps later at the soonest
    assert min(later - i for i in range(150) for later in range(i + 1, 200) if near[later] == near[i]) == 8
    fixed = taken(20, 10, window_size=0)
    assert fixed[:10] == fixed[10:] != list(range(10))
    # Processes share the one order between them.
    parts = [taken(30, 10, seed=1, rank=r, num_replicas=3) for r in range(3)]
    assert [parts[i % 3][i // 3] for i in range(90)] == once[:90]
    for wrong in ({"rank": 1}, {"rank": -1}, {"window_size": 1.5}):
        with pytest.raises(AssertionError):
            misc.InfiniteSampler([1], **wrong)
    with pytest.raises(AssertionError, match="empty"):
        misc.InfiniteSampler([])


class Net(torch.nn.Module):
    def __init__(self, width=2):
        super().__init__()
        self.first = torch.nn.Linear(3, width)
        self.act = torch.nn.ReLU()
        self.norm = torch.nn.BatchNorm1d(width)

    def forward(self, x):
        x = self.act(self.first(x))
        return self.norm(x), x


def test_tensors_of_modules():
    net, other = Net(), Net()
    names = [name for name, _ in misc.named_params_and_buffers(net)]
    assert names == [*dict(net.named_parameters()), *dict(net.named_buffers())]
    assert [id(t) for t in misc.params_and_buffers(net)] == [id(t) for _, t in misc.named_params_and_buffers(net)]
    net.norm.running_mean.fill_(7)
    net.first.weight.requires_grad_(False)
    misc.copy_params_and_buffers(net, other, require_all=True)
    assert torch.equal(other.first.weight, net.first.weight) and other.norm.running_mean[0] == 7
    assert other.first.weight.requires_grad and other.first.weight.is_leaf
    assert other.first.weight.data_ptr() != net.first.weight.data_ptr()
    alone = torch.nn.Linear(3, 2)
    misc.copy_params_and_buffers(alone, net)
    with pytest.raises(AssertionError, match=r"^first\.weight: the source has no tensor"):
        misc.copy_params_and_buffers(alone, net, require_all=True)


def test_exchange_between_processes():
    net = Net()
    with misc.ddp_sync(net, sync=False):
        assert net(torch.ones(2, 3))[0].requires_grad
    # Gloo's threads can wait for each other for ever when they end.
    group = pytest.importorskip("torch.testing._internal.distributed.fake_pg")
    torch.distributed.init_process_group("fake", store=group.FakeStore(), rank=0, world_size=1)
    try:
        misc.check_ddp_consistency(net)
        spread = torch.nn.parallel.DistributedDataParallel(net)
        for sync in (False, True):
            with misc.ddp_sync(spread, sync):
                assert spread.require_backward_grad_sync == sync
        net.first.weight.data[0, 0] = math.nan
        misc.check_ddp_consistency(net)
    finally:
        torch.distributed.destroy_process_group()


def test_tensors_that_differ_between_processes(monkeypatch):
    net = Net()
    monkeypatch.setattr(torch.distributed, "broadcast", lambda tensor, src: tensor.add_(1))
    with pytest.raises(AssertionError, match=r"Net\.first\.weight differs"):
        misc.check_ddp_consistency(net)
    with pytest.raises(AssertionError, match=r"Net\.norm\.running_mean differs"):
        misc.check_ddp_consistency(net, r"Net\..*(weight|bias)")
    misc.check_ddp_consistency(net, ".*")


def test_module_summary(capsys):
    net = Net()
    outputs = misc.print_module_summary(net, [torch.ones(4, 3)])
    assert len(outputs) == 2
    assert capsys.readouterr().out.splitlines() == [
        "Net     parameters  buffers  gives",
        "first            8           float32 [4, 2]",
        "act                          float32 [4, 2]",
        "norm             4        5  float32 [4, 2]",
        "in all          12        5",
    ]
    misc.print_module_summary(net, [torch.ones(4, 3)], skip_redundant=False)
    assert "(all)                        float32 [4, 2], float32 [4, 2]" in capsys.readouterr().out
    misc.print_module_summary(net, [torch.ones(4, 3)], max_nesting=0, skip_redundant=False)
    printed = capsys.readouterr().out
    assert "first" not in printed and "(all)" in printed
    assert not net._forward_hooks and not net.first._forward_pre_hooks


@pytest.fixture
def stats(monkeypatch):
    monkeypatch.setattr(training_stats, "_totals", {})
    monkeypatch.setattr(training_stats, "_rank", 0)
    return training_stats


def test_statistics(stats):
    stats.report("loss", 100)
    every, fresh = stats.Collector(), stats.Collector("loss|other", keep_previous=False)
    assert every.names() == ["loss"] and every.num("loss") == 0 and math.isnan(every["loss"])
    assert math.isnan(every.std("loss"))
    given = torch.tensor([1.0, 2, 6], requires_grad=True)
    assert stats.report("loss", given) is given
    stats.report("loss", [[3], [3]])
    stats.report("time", np.float32(0.5))
    stats.report("nothing", [])
    assert every.num("loss") == 0  # until it is updated
    every.update(), fresh.update()
    assert every.num("loss") == 5 and every["loss"] == every.mean("loss") == 3
    assert every.std("loss") == pytest.approx(np.std([1, 2, 6, 3, 3]))
    assert every.std("time") == 0 and every.as_dict().time == {"num": 1, "mean": 0.5, "std": 0}
    assert list(every.as_dict()) == ["loss", "time", "nothing"]
    assert math.isnan(every.as_dict().nothing.mean)
    assert fresh.names() == ["loss"]
    with pytest.raises(AssertionError, match="does not match"):
        fresh.mean("time")
    every.update(), fresh.update()
    assert every.num("loss") == 5 and fresh.num("loss") == 0
    stats.report("loss", math.inf)
    every.update()
    assert every.mean("loss") == math.inf and math.isnan(every.std("loss"))


def test_statistics_of_one_process_only(stats):
    stats.init_multiprocessing(rank=1, sync_device=None)
    collector = stats.Collector()
    assert stats.report0("a", 3) == 3
    stats.report("b", 3)
    collector.update()
    assert (collector.num("a"), collector.num("b")) == (0, 1)
    with pytest.raises(NotImplementedError, match="one process"):
        stats.init_multiprocessing(0, torch.device("cpu"))
