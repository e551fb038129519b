"""The benchmarks measure the same pictures, and say what they measured. No time is tested."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from benchmarks import commands, contest, gpu, jobs, machine, networks, plain, regions, report, shares, working
from benchmarks.__main__ import main
from sefa_plugin.directions.region import Region

SMALL = {"channel_base": 512, "channel_max": 16}
TINY = {
    "sg2": networks.Case("sg2", "stylegan2", 64, {**SMALL, "conv_clamp": 256}),
    "sg3t": networks.Case("sg3t", "stylegan3", 32, {**SMALL, "num_layers": 4}),
    "sg3r": networks.Case("sg3r", "stylegan3", 32, {**networks._R, **SMALL, "num_layers": 4}),
}


@pytest.mark.parametrize("name", list(TINY))
def test_plain_operators_make_our_pictures(name):
    G = networks.ours(TINY[name])
    ws = G.mapping(torch.randn(2, networks.W_DIM), None)
    with torch.no_grad():
        ours, simple = G.synthesis(ws, noise_mode="const"), plain.synthesize(G, ws)
    assert ours.std() > 0.01
    assert abs(ours - simple).max() < 1e-5 * max(1, float(simple.abs().max()))


@pytest.mark.parametrize("name", list(TINY))
def test_work_is_that_of_the_convolutions(name, monkeypatch):
    """Counted while they run, by the sizes they are given."""
    G = networks.ours(TINY[name])
    counted = []

    def counting(run, transposed):
        def conv(x, weight, *args, groups=1, **options):
            y = run(x, weight, *args, groups=groups, **options)
            if groups == 1:  # filters are not counted
                counted.append(2 * weight.numel() * (x if transposed else y)[0, 0].numel())
            return y

        return conv

    for function, transposed in (("conv2d", False), ("conv_transpose2d", True)):
        monkeypatch.setattr(torch.nn.functional, function, counting(getattr(torch.nn.functional, function), transposed))
    with torch.no_grad():
        G.synthesis(G.mapping(torch.randn(1, networks.W_DIM), None), noise_mode="const")
    assert networks.convolution_work(G) == sum(counted)


@pytest.mark.hard
def test_contestants_take_turns_and_one_that_fails_drops_out():
    entries = [
        contest.Entry("good", "contestants:works", (False,)),
        contest.Entry("bad", "contestants:works", (True,)),
    ]
    results = contest.compete(entries, 3, warm_up=1)
    assert len(results["good"].seconds) == 3 and results["good"].peak_bytes > 0 and not results["good"].error
    assert results["bad"].error == "ValueError: no more"


def test_compare(tmp_path):
    result = contest.Result([0.2, 0.4, 0.3], 1000)
    case = replace(TINY["sg2"], batch=2)
    held = {"machine": {"torch": "1"}, "rows": [report.row(case, {"plain": result}, 3e9, {"float32": 4e10})]}
    about = held["rows"][0]["contestants"]["plain"]
    assert about["seconds_per_picture"] == 0.15 and about["share"] == pytest.approx(0.5)
    before, after = tmp_path / "a.json", tmp_path / "b.json"
    before.write_text(json.dumps(held))
    about["seconds"], held["machine"]["torch"] = 0.1, "2"
    after.write_text(json.dumps(held))
    done = CliRunner().invoke(main, ["compare", str(before), str(after)])
    assert done.exit_code == 0, done.output
    assert "3.00x the speed" in done.output and "torch differs: 1 and 2" in done.output


# --- the other jobs -------------------------------------------------------------------------------

SETTING = jobs.Setting(1, None, 1, TINY["sg2"], frames=(3, 4, 8))


@pytest.mark.hard  # seconds
def test_reuse_gives_the_same_pictures(monkeypatch):
    made = jobs.reuse(SETTING)
    assert set(made.contestants) == {"reuse", "full"} and [one["goal"] for one in made.judged] == [1.5]
    one, other = working.edited_frames(SETTING.case, 3, True), working.edited_frames(SETTING.case, 3, False)
    assert one(5) == other(5) != one(6)
    results = {"reuse": contest.Result([1.0], given=["a"]), "full": contest.Result([1.0], given=["b"])}
    monkeypatch.setattr(contest, "compete", lambda *args: results)
    with pytest.raises(ValueError, match="differ"):
        jobs.reuse(SETTING)


@pytest.mark.hard
def test_a_file_of_three_networks_is_loaded():
    made = jobs.load(SETTING)
    about = made.contestants["ours"]
    assert about["added_bytes"] >= 0 and about["file_bytes"] > 1e6 and not made.judged


def test_layers_are_those_of_the_network():
    G = networks.ours(TINY["sg2"])
    affines = [name for name, _ in G.named_modules() if name.endswith("affine")]
    wanted = [name for name in affines if "conv" in name] + [affines[-1]]
    assert working.channels(TINY["sg2"]) == [len(G.get_submodule(name).weight) for name in wanted]
    assert len(working.channels(jobs.CONFIG_F)) == 18


def test_all_factorise_the_same_weights(tmp_path):
    """The authors' side is anything with their function's name, of which nothing else is run."""
    (tmp_path / "utils.py").write_text(
        "import no_such_module\n"
        "def factorize_weight(generator, layer_idx='all'):\n"
        "    last = generator.num_layers - 1\n"
        "    layer = getattr(generator.synthesis, f'output{last // 2}')\n"
        "    return parse_gan_type(generator), layer.style.weight\n"
    )
    theirs = working.authors_factorisation(TINY["sg2"], str(tmp_path))
    kind, last = theirs(theirs.prepare(3))
    ours = working.our_factorisation(TINY["sg2"], "each")
    layers = ours.prepare(3)
    assert kind == "stylegan2" and (last.detach().numpy() == layers[-1].weight).all()
    assert [len(found) for found in ours(layers)] == [networks.W_DIM] * len(layers)
    assert len(working.our_factorisation(TINY["sg2"], "all")(layers)) == 1


@pytest.mark.hard
def test_starts_are_timed_and_must_not_import_torch(monkeypatch):
    made = jobs.start(SETTING)
    assert [len(about["repetitions"]) for about in made.contestants.values()] == [3, 3, 3] and len(made.judged) == 2
    monkeypatch.setattr(commands, "STARTS", {"info": ["-c", "import torch"]})
    with pytest.raises(ValueError, match="info imports torch"):
        jobs.start(SETTING)


@pytest.mark.hard
def test_videos_and_a_whole_run():
    made = jobs.video_memory(SETTING)
    assert [about["peak_bytes"] > 1e7 for about in made.contestants.values()] == [True, True]
    assert made.judged[0]["value"] == pytest.approx(1, abs=0.5)


@pytest.mark.hard
def test_a_whole_run_counts_its_pictures(tmp_path):
    about = commands.whole_run(tmp_path, "demo", 1)
    assert 0 < about["first_sheet_seconds"] <= about["seconds"] and about["pictures"] > 90


def test_a_command_that_fails_is_told_in_its_own_words(tmp_path):
    with pytest.raises(ChildProcessError, match="no such file"):
        commands.whole_run(tmp_path, str(tmp_path / "none.pkl"), 1)


def test_jobs_beside_their_goals():
    made = jobs.Judged(
        {"a": {"seconds": 1.0, "peak_bytes": 2e6}, "b": {"seconds": 4.0, "peak_bytes": 0, "error": "no"}}
    )
    made.ratio("b / a", "b", "a", "<=", 3)
    made.ratio("b / a", "b", "a", ">=", 3)
    made.ratio("c / a", "c", "a", "<=", 3)
    lines = report.job_lines(report.job_row("job", made))
    assert [line.split("(goal ")[1] for line in lines[2:]] == ["<= 3: missed)", ">= 3: met)"]
    held = {"machine": {}, "rows": [report.job_row("job", made)]}
    assert "1.00x the speed" in "".join(report.compare(held, held))


def test_processes_of_their_own_for_each_repetition():
    entries = [contest.Entry("good", "contestants:works", (False,))]
    result = contest.compete_afresh(entries, 2)["good"]
    assert len(result.seconds) == 2 and 0 < result.start_bytes <= result.peak_bytes


# --- where the time goes --------------------------------------------------------------------------


def test_shares_are_those_of_the_operators_by_kind():
    ops = [
        ("aten::mkldnn_convolution", [[1, 8, 4, 4], [8, 8, 3, 3]], 4.0),
        ("aten::mkldnn_convolution", [[1, 8, 4, 4], [8, 1, 4, 4]], 2.0),  # one kernel for each channel
        ("aten::addmm", [], 1.0),
        ("aten::mul_", [], 1.0),
        ("sefa::filtered_lrelu", [], 1.0),
        ("ProfilerStep", [], 100.0),
    ]
    assert shares.summed(ops, 10.0) == {
        "convolutions": 0.5,
        "filters": 0.3,
        "memory": 0.1,
        "python": pytest.approx(0.1),
    }
    assert shares.summed(ops, 1.0)["python"] == pytest.approx(0)  # threads of their own exceed the wall clock


@pytest.mark.parametrize("name", ["sg2", "sg3r"])
def test_shares_of_a_picture(name, monkeypatch):
    monkeypatch.setattr(networks, "CASES", (TINY[name],))
    found = json.loads(shares.of_ours(name, "float32", "cpu")(1))
    assert set(found) == set(shares.PARTS) and sum(found.values()) == pytest.approx(1)
    assert min(found.values()) > 0
    held = report.row(TINY[name], {"ours float32": contest.Result([1.0], 1)}, 1e9, {"float32": 1e9})
    held["contestants"]["ours float32"].update(report.parts(contest.Result([1.0], given=[json.dumps(found)])))
    assert shares.line(found) in report.lines(held)[1]
    both = {"machine": {"processor": "A", "instructions": "avx2"}, "rows": [held]}
    other = {**both, "machine": {"processor": "B", "instructions": "avx2"}}
    lines = report.compare(both, other)
    assert lines[0] == "processor differs: A and B" and "share 1.00 -> 1.00" in lines[1] and "filters" in lines[2]


def test_instruction_sets_are_the_ones_that_multiply():
    assert machine.instructions("fpu avx2 avx sse4_2 amx_bf16 fma") == "amx_bf16 avx avx2 fma"
    assert machine.describe()["processor"]


# --- a GPU ----------------------------------------------------------------------------------------


def test_without_a_gpu_it_says_so(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is one")
    done = CliRunner().invoke(main, ["gpu", "--json", str(tmp_path / "gpu.json")])
    assert done.exit_code == 1 and "no GPU is here" in done.output and "nothing was measured" in done.output
    assert not (tmp_path / "gpu.json").exists()


def test_its_parts_are_tried_on_a_cpu(tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "CASES", (TINY["sg2"],))
    monkeypatch.setattr(gpu, "FRAMES", 3)
    monkeypatch.setattr(machine, "SIZE", 64)
    some = ["parts", "agreement", "memory", "frames", "graphs"]
    path, said = tmp_path / "gpu.json", []
    gpu.measure([TINY["sg2"]], some, None, "cpu", 600, str(path), said.append)
    held = json.loads(path.read_text())
    assert held["machine"]["device"] == "cpu" and [line.split()[0] for line in said] == some
    assert held["agreement"]["sg2"]["own against float32"] == {"mean": 0, "most": 0}
    assert held["frames"]["sg2"]["waiting"] > 0 and held["frames"]["sg2"]["pinned"] == "needs a GPU"
    assert {held[part]["sg2"]["error"] for part in ("memory", "graphs")} == {"needs a GPU"}

    def fails(*given):
        raise RuntimeError("no compiler\nsecond line")

    monkeypatch.setitem(gpu.PARTS, "compile", fails)
    held = gpu.measure([TINY["sg2"]], ["compile"], None, "cpu", 600, str(path), said.append)
    assert held["compile"]["sg2"] == {"error": "RuntimeError: no compiler"}
    held = gpu.measure([TINY["sg2"]], ["compile"], None, "cpu", -1, str(path), said.append)
    assert held["left_out"] == ["compile sg2"] and "compile" not in held


@pytest.mark.hard
def test_previews_beside_full_pictures():
    made = jobs.preview(replace(SETTING, previews=((TINY["sg2"], 32, 2),)))
    assert list(made.contestants) == ["64 in full", "64 at 32", "64 at 32, quick"] and len(made.judged) == 2


@pytest.mark.parametrize("family", ["stylegan2", pytest.param("stylegan3", marks=pytest.mark.hard)])
def test_a_planted_direction_changes_a_spot_alone(family, monkeypatch):
    monkeypatch.setattr(regions, "RESOLUTION", 64)
    with torch.no_grad():
        G, axis = regions.planted(family)
        ws = G.mapping(torch.randn(2, regions.W_DIM, generator=torch.Generator().manual_seed(1)))
        other = torch.from_numpy(np.linalg.qr(np.c_[axis, np.eye(len(axis))])[0][:, 3])
        moved = [
            G.synthesis(ws + ws.std() * step).sub(G.synthesis(ws)).square() for step in (torch.tensor(axis), other)
        ]
    weights = torch.from_numpy(Region.of(regions.PLACE).weights(64, 64))
    shares = [float((change * weights).sum() / change.sum()) for change in moved]
    assert shares[0] > 0.95 and shares[1] < 0.5


def test_leaks_are_compared_at_equal_change_inside():
    """Each number of w brightens a quarter of the picture, one of them the whole."""

    def pictures(ws):
        made = np.zeros((len(ws), 3, 8, 8))
        made[:, :, :4, :4] = ws[:, 0, None, None, None]
        made[:, :, 4:, 4:] = ws[:, 1, None, None, None]
        return made + ws[:, 2, None, None, None]

    ws = np.random.RandomState(0).randn(6, 3)
    box = "0,0,0.5,0.5"
    found = [regions.leaks(np.array([one]), box, pictures, ws, 2) for one in ([3.0, 0, 0], [0, 0, 1.0], [1.0, 2, 0])]
    outside = [one[0].mean() / 64 for one in found]
    np.testing.assert_allclose(outside, [0, 0.75 * regions.INSIDE**2, 4 * 0.25 * regions.INSIDE**2], rtol=0.2)
    np.testing.assert_allclose(found[1][1].mean() / 64, regions.INSIDE**2, rtol=0.2)


def test_another_checkout_is_run_for_its_first_directions(tmp_path):
    (tmp_path / "coordinate.py").write_text("import cv2, tqdm\nFACTOR = 2\n")
    (tmp_path / "compute_direction.py").write_text(
        "import sys\nimport numpy as np\nfrom coordinate import FACTOR\nfrom tqdm import tqdm\n"
        "from utils.image_utils import save_image\nheld = np.load(sys.argv[1])\n"
        "region, folder = sys.argv[sys.argv.index('--region') + 1], sys.argv[sys.argv.index('--save_dir') + 1]\n"
        "first = FACTOR * held[0, 0, 0, 0, 0] * (1 + 9 * ('--full_rank' in sys.argv))\n"
        "np.save(f'{folder}/image_00_region_{region}_name_found.npy', first[None])\nprint('noise')\n"
    )
    jacobians = np.arange(2 * 1 * 2 * 2 * 3, dtype=float).reshape(2, 1, 2, 2, 3)
    found = regions.by_resefa(tmp_path, jacobians, "mouth", False)
    np.testing.assert_allclose(found, 2 * jacobians[:, 0, 0, 0])
    np.testing.assert_allclose(regions.by_resefa(tmp_path, jacobians, "mouth", True), 10 * found)
    assert "coordinate" not in sys.modules
