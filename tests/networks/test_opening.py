from pathlib import Path

import numpy as np
import pytest
import torch

from sefa_plugin import load_network
from sefa_plugin.networks.opening import demo_path, open_network
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


def test_a_broken_download_tells_how_to_get_another(monkeypatch, tmp_path):
    """The copy is kept, so the same command again would take it again."""
    kept = tmp_path / "kept.pkl"
    kept.write_bytes(Path(demo_path()).read_bytes()[:100_000])
    monkeypatch.setattr("sefa_plugin.reading.download.fetch", lambda *rest, **options: kept)
    with pytest.raises(NetworkFileError, match=r"kept\.pkl: .*\(to have it fetched anew, delete this copy\)$"):
        open_network("https://example.org/network.pkl")
    with pytest.raises(NetworkFileError, match=r"copy it again$"):
        open_network(kept)
