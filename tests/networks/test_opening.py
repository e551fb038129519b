from pathlib import Path

import numpy as np
import pytest
import torch
from pickle_writer import Global, call, dumps, module_state, network, persistent, tensor

from sefa_plugin import load_network
from sefa_plugin.hook import HookError
from sefa_plugin.hooks import known_sources
from sefa_plugin.networks.opening import demo_path, open_network
from sefa_plugin.reading.module_walk import source_digest
from sefa_plugin.reading.network_record import NetworkFileError


def test_the_entry_can_be_chosen(golden):
    path = golden("sg2ada-cond-32").pickle
    ema, raw = load_network(path), load_network(path, which="G")
    assert ema.sefa.digest != raw.sefa.digest
    assert raw.sefa.which == "G"


def test_a_digest_can_be_asked_for(golden):
    path = golden("sg3t-64").pickle
    import hashlib

    right = hashlib.sha256(path.read_bytes()).hexdigest()
    assert open_network(path, sha256=right.upper()).record.class_name == "Generator"
    with pytest.raises(NetworkFileError, match="has SHA-256"):
        open_network(path, sha256="0" * 64)


def test_the_bundled_network():
    """It is of our own making, from our own source, and shows faces that differ."""
    opened = open_network("demo")
    assert (opened.source, opened.warnings) == ("sefa_plugin demo", ())
    assert opened.record.entries == ("G", "D", "G_ema")
    G = load_network("demo")
    z = torch.from_numpy(np.random.RandomState(0).randn(64, G.z_dim))
    img = G(z, None, noise_mode="const")
    assert img.shape == (64, 3, 64, 64)
    assert img.std(dim=0).mean() > 0.25  # they differ from each other
    assert abs(img).mean() < 1


KNOWN = "class Part:\n    pass\nclass Generator(Part):\n    pass\n"


@pytest.fixture
def snapshot(golden, tmp_path, monkeypatch):
    """Write a training snapshot of a network whose source text is known, with something beside it."""
    monkeypatch.setitem(known_sources.KNOWN, source_digest(KNOWN), ("stylegan2_ada", "a toolkit"))
    case = golden("sg2ada-orig-32")
    G = network(case.state, case.info["init_kwargs"], source=KNOWN)

    def write(**beside):
        path = tmp_path / "net.pkl"
        path.write_bytes(dumps({"G_ema": G, **beside}))
        return path

    return write


@pytest.mark.parametrize(
    "beside, says",
    [
        ({"D": call("some.Discriminator", state={"a": 1})}, "the name some.Discriminator"),
        ({"D": Global("some", "name")}, "the name some.name"),
        ({"D": persistent("Discriminator", module_state(), "import os\n")}, "a source text that is not known"),
        ({"D": persistent("Other", module_state(), KNOWN)}, "Other, which its source text does not define"),
        ({"augment_pipe": persistent("Pipe", module_state(), "gain = 2\n")}, "a source text that is not known"),
        ({"G": persistent("Generator", {}, KNOWN)}, "G: module root lacks _backward_hooks"),
        ({"x": tensor(np.ones(4, "f4"), stride=(0,))}, "tensor"),
    ],
)
def test_strict_is_for_the_whole_file(snapshot, beside, says):
    path = snapshot(**beside)
    assert open_network(path).warnings == ()
    with pytest.raises(HookError, match=says) as caught:
        open_network(path, strict=True)
    assert "`sefa info --audit` lists" in str(caught.value) and "refused because of --strict" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_strict_takes_what_toolkits_write(snapshot, golden):
    beside = {
        "G": None,
        "D": persistent("Part", module_state(), KNOWN),
        "training_set_kwargs": call("dnnlib.util.EasyDict", pairs=(("path", "a.zip"), ("max_size", None))),
        "augment_pipe": None,
        "progress": call("argparse.Namespace", state={"cur_nimg": 25_000}),
    }
    assert open_network(snapshot(**beside), strict=True).source == "a toolkit"
    for name in ("sg3t-64", "stylegan2-tf-32", "pggan-32"):
        assert open_network(golden(name).pickle, strict=True).warnings == ()
    assert open_network("demo", strict=True).source == "sefa_plugin demo"


def test_what_is_assumed_of_a_state_dict_is_refused(golden, tmp_path):
    assert open_network(golden("rosinality-32").pickle.with_suffix(".pt"), strict=True).warnings == ()
    path = tmp_path / "net.pt"
    torch.save({name: torch.tensor(value) for name, value in golden("sg2ada-orig-32").state.items()}, path)
    assert "assumed" in open_network(path).warnings[0]
    with pytest.raises(HookError, match="assumed: .*refused because of --strict"):
        open_network(path, strict=True)


def test_a_broken_download_tells_how_to_get_another(monkeypatch, tmp_path):
    """The copy is kept, so the same command again would take it again."""
    kept = tmp_path / "kept.pkl"
    kept.write_bytes(Path(demo_path()).read_bytes()[:100_000])
    monkeypatch.setattr("sefa_plugin.reading.download.fetch", lambda *rest, **options: kept)
    with pytest.raises(NetworkFileError, match=r"kept\.pkl: .*\(to have it fetched anew, delete this copy\)$"):
        open_network("https://example.org/network.pkl")
    with pytest.raises(NetworkFileError, match=r"copy it again$"):
        open_network(kept)
