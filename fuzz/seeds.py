"""Honest files to start from, small and made on the spot; nothing is stored.

The writers are those of the tests (``tests/support/pickle_writer.py``, ``tests/support/torch_writer.py``).
"""

from __future__ import annotations

import gzip
import io
import json
import pickle
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.append(str(Path(__file__).parent.parent / "tests" / "support"))

from pickle_writer import call, dumps, network, numpy_array, numpy_scalar, tensorflow_network  # noqa: E402
from torch_writer import TorchWriter  # noqa: E402

from .targets import NUM_WS, W_DIM  # noqa: E402

_BASIS = np.eye(W_DIM, dtype="f4")[:3]


def made(names: tuple[str, ...]) -> Iterator[bytes]:
    """The honest files of these makers."""
    for name in names:
        yield from MAKERS[name]()


def _written(write: Callable[[Path], Any]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        write(path)
        return next(Path(folder).iterdir()).read_bytes()


def _saved(value: Any, zipped: bool) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


def _npz(**arrays: Any) -> bytes:
    return _written(lambda path: np.savez(path, **arrays))


def _npy(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version)
    return file.getvalue()


# --- networks -------------------------------------------------------------------------------------


def _tensors(G: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in G.state_dict().items()}


def _generators() -> Iterator[tuple[dict[str, np.ndarray], dict[str, Any]]]:
    """Tensors and constructor arguments of small networks that the hooks know."""
    from sefa_plugin.generators import stylegan2, stylegan3

    torch.manual_seed(0)
    sizes = {"z_dim": W_DIM, "c_dim": 0, "w_dim": W_DIM, "img_resolution": 8, "img_channels": 1}
    slim = {"channel_base": 16, "channel_max": 2}
    mapping = {"mapping_kwargs": {"num_layers": 1}}
    yield (
        _tensors(stylegan2.Generator(**sizes, **mapping, synthesis_kwargs=slim)),
        {**sizes, **mapping, "synthesis_kwargs": slim},
    )
    slim3 = {"channel_base": 64, "channel_max": 4, "num_layers": 2, "num_critical": 1}
    sizes3 = {**sizes, "img_resolution": 16}
    yield _tensors(stylegan3.Generator(**sizes3, **mapping, **slim3)), {**sizes3, **mapping, **slim3}


def networks() -> Iterator[bytes]:
    """Pickles of NVIDIA's toolkits, of PyTorch and of TensorFlow."""
    for protocol, (tensors, kwargs) in zip((4, 2), _generators()):
        source = "import torch\n\nclass Generator(torch.nn.Module):\n    pass\n"
        G = network(tensors, kwargs, source=source, attributes={"synthesis": {"gain": numpy_scalar(1.5)}})
        D = network({"w": np.zeros(2, "f4")}, {}, "Discriminator")
        value = {"G_ema": G, "D": D, "training_set_kwargs": call("dnnlib.util.EasyDict", pairs=(("a", 1),))}
        yield dumps(value, protocol)
    yield dumps(network({"synthesis.b4.const": np.zeros((2, 4, 4), "f4")}, {"z_dim": 4}, none=("b",)), 0)
    for version in (2, 4):
        part = tensorflow_network(
            version, "G_synthesis", {}, {"4x4/Const/const": np.ones((1, 2, 4, 4), "f4"), "lod": 0.0}
        )
        parts = {"synthesis": part} if version > 2 else None
        whole = tensorflow_network(version, "G_main", {"resolution": 4}, {"dlatent_avg": np.ones(4, "f4")}, parts)
        yield dumps((whole, whole, whole), 4)


def torch_zips() -> Iterator[bytes]:
    """State dicts and networks as ``torch.save`` writes them now."""
    yield from _torch_files(legacy=False)


def torch_legacies() -> Iterator[bytes]:
    """The same as it wrote them before 1.6."""
    yield from _torch_files(legacy=True)


def _torch_files(legacy: bool) -> Iterator[bytes]:
    tensors, kwargs = next(_generators())
    writer = TorchWriter(legacy)
    yield writer.dumps({"G_ema": network({n: writer.tensor(v) for n, v in tensors.items()}, kwargs)})
    yield _saved({"g_ema": {"conv1.weight": torch.ones(2, 3)}, "latent_avg": torch.zeros(4)}, not legacy)
    shared = torch.arange(12.0)
    kinds = {
        name: torch.ones(2, dtype=getattr(torch, name)) for name in ("half", "bfloat16", "int64", "bool", "complex64")
    }
    yield _saved(
        {"a": shared.view(3, 4).t(), "b": shared[2:5], "p": torch.nn.Parameter(torch.ones(1)), **kinds}, not legacy
    )


def converted() -> Iterator[bytes]:
    """Networks as ``sefa convert`` writes them."""
    from sefa_plugin.reading.network_file import read_network, write_converted

    for data in networks():
        with tempfile.TemporaryDirectory() as folder:
            path, to = Path(folder) / "a.pkl", Path(folder) / "a.safetensors"
            path.write_bytes(data)
            write_converted(read_network(path), to)
            yield to.read_bytes()


# --- pickles, arrays, directions, latents ---------------------------------------------------------


def pickles() -> Iterator[bytes]:
    """Pickles of every protocol: plain values, calls, arrays, networks."""
    shared: list = [1]
    plain = {
        "a": [1, -2, 2**70, 1.5, None, True, "text", b"bytes", shared, shared],
        ("t", 1): {1, 2},
        "f": frozenset({"x"}),
    }
    for protocol in range(6):
        yield pickle.dumps(plain, protocol)
        yield pickle.dumps({"array": np.arange(6.0).reshape(2, 3), "scalar": np.float32(2)}, protocol)
        yield dumps([numpy_array([1.0, 2.0]), call("a.b", state={"x": 1})], min(protocol, 4))
    kind = b"ccopy_reg\n_reconstructor\n(cargparse\nNamespace\nc__builtin__\nobject\nNtR"  # Python 2
    yield b"(dp1\nS'a'\np2\n(lp3\nI1\naL2L\naF1.5\nasS'n'\n" + kind + b"p4\n(dp5\nS'b'\nI01\nsbs."


def arrays() -> Iterator[bytes]:
    """NumPy's files."""
    yield _npy(_BASIS)
    yield _npy(np.asfortranarray(_BASIS.astype("f8")), (2, 0))
    yield _npy(np.arange(5, dtype=">i2"))
    yield _npz(w=np.zeros((1, NUM_WS, W_DIM), "f4"))
    yield _npz(eigvecs=_BASIS.T.astype("f2"), eigvals=np.arange(3.0))
    yield _written(lambda path: np.savez_compressed(path, lat_comp=_BASIS[:, None], lat_stdev=np.ones(3)))


def archives() -> Iterator[bytes]:
    """Zip, tar and gzip archives of one network."""
    files = {"a/net.pkl": bytes(range(256)) * 4, "a/config.json": b"{}", "README.md": b"text"}
    for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", packing) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        yield file.getvalue()
    for kind in (tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w", format=kind) as archive:
            for name, data in files.items():
                member = tarfile.TarInfo(name)
                member.size, member.mtime = len(data), 0.5 if kind == tarfile.PAX_FORMAT else 0
                archive.addfile(member, io.BytesIO(data))
        yield file.getvalue()
        yield gzip.compress(file.getvalue())
    yield gzip.compress(files["a/net.pkl"])


def foreign() -> Iterator[bytes]:
    """Directions of other tools."""
    from safetensors.numpy import save

    yield from arrays()
    for zipped in (True, False):
        yield _saved({"ckpt": "x.pt", "eigvec": torch.from_numpy(_BASIS.T.copy())}, zipped)
        yield _saved({"comp": torch.from_numpy(_BASIS[:, None].copy()), "std": torch.ones(3)}, zipped)
        yield _saved({"smile": torch.ones(W_DIM), "age": torch.ones(1, W_DIM)}, zipped)
        yield _saved(torch.from_numpy(_BASIS.copy()), zipped)
    record = {"name": "Smile", "sigma_range": 2.5, "component_index": 4, "lat_comp": _BASIS[:1], "latent_space": "W"}
    record.update(act_stdev=1.5, lat_stdev=2.0, edit_type="latent", edit_start=1, edit_end=3, decomposition={"n": 1})
    for protocol in (0, 2, 4):
        yield pickle.dumps(record, protocol)
    order = {"component_order": json.dumps(["component_1", "component_0"]), "method": "ganspace"}
    parts = {f"component_{n}": np.ones((1, W_DIM), "f4") for n in range(2)}
    yield save(parts, order)
    yield save(parts)


def latents() -> Iterator[bytes]:
    """Projected pictures."""
    ws = np.zeros((1, NUM_WS, W_DIM), "f4")
    yield _npy(ws)
    yield _npz(w=ws)
    for zipped in (True, False):
        yield _saved(torch.from_numpy(ws), zipped)
        yield _saved({"a.png": torch.zeros(NUM_WS, W_DIM), "b.png": torch.zeros(NUM_WS, W_DIM)}, zipped)
        yield _saved({"a.png": {"img": torch.zeros(1, 3, 2, 2), "latent": torch.zeros(W_DIM), "noise": []}}, zipped)
    yield pickle.dumps(ws, 4)


def directions() -> Iterator[bytes]:
    """Our own files of directions."""
    from sefa_plugin.directions.directions import Directions

    measured = {"sigmas": (1.0, None, 2.0), "ranges": ((-1.0, 2.0), None, (-3.0, 3.0)), "broken": ("", "low", "both")}
    names = {"names": ("smile", "", "age"), "named_by": ("person", "", "auto"), "purity": (None, None, 0.5)}
    rows = {"layers": (0, 1), "layer_names": ("a", "b"), "num_ws": NUM_WS}
    yield _written(Directions.of(_BASIS, np.array([3.0, 2, 1]), **rows, **names, **measured).save)
    yield _written(Directions.of(np.stack([_BASIS] * 2, axis=1), np.ones(3), (0, 2), origin="GANSpace edit").save)
    yield _written(Directions.of(_BASIS, np.ones(3), (0, 1), space="z", label="z").save)


def recipes() -> Iterator[bytes]:
    """Recipes."""
    from sefa_plugin.rendering.edits import Edit
    from sefa_plugin.rendering.look import Look
    from sefa_plugin.runs.recipe import Recipe

    about = {"path": "ffhq.pkl", "name": "ffhq", "digest": "ab" * 32, "which": "G_ema"}
    edits = (
        Edit(_BASIS[0], 2.5, (0, 1), name="größer", label="coarse"),
        Edit(np.stack([_BASIS[0]] * 2), -0.5, (1, 3), index=7, label="rows"),
        Edit(_BASIS[1], 0.1, (), space="z", label="z", normalize=False),
    )
    look = Look(trunc=0.7, trunc_cutoff=4, label=3, translate=(0.1, -0.2), rotate=30.0)
    yield Recipe(about, (5, 2**32 - 1), look, edits, np.zeros((1, NUM_WS, W_DIM), "f4"), "w.npz").data()
    yield Recipe(about, (1,), Look(), ()).data()


def jsons() -> Iterator[bytes]:
    """JSON of every kind."""
    yield b'\xef\xbb\xbf{"a": [1, -2.5e3, true, null, "\\u00e9\\ud83d\\ude00"], "b": {"c": {}}}'
    yield b"[[[[]]], 12345678901234567890, 0.1, 1e308]"
    yield b'"text"'


def typed() -> Iterator[bytes]:
    """What people type; the first byte chooses the parser."""
    words = (
        ("0,1,4-6", "4294967295"),
        ("3", "-5,5", "auto", "1e3"),
        ("0,3,7-9,smile", "-1", "-3--1"),
        ("coarse:0", "0-3,5:smile", "z:2"),
        ("0=+2.5", "smile=-1", "coarse:0=2", "3=auto", "3=-50%", "0=2@4-7"),
        ("0", "smile=2", "coarse:0=-1,3@4-7"),
        ("smile", "größer", "a b"),
        ("all", "coarse,middle", "each", "0-1,5", "fine,0", "input"),
    )
    for number, texts in enumerate(words):
        for text in texts:
            yield bytes([number]) + text.encode()


MAKERS: dict[str, Callable[[], Iterator[bytes]]] = {
    maker.__name__: maker
    for maker in (
        networks, torch_zips, torch_legacies, converted, pickles, arrays,
        archives, foreign, latents, directions, recipes, jsons, typed,
    )
}  # fmt: skip
