"""What is fuzzed: for each reader, a function of bytes that returns, or raises what the reader says that it raises."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

Reader = Callable[[bytes], Any]
NUM_WS, W_DIM = 4, 8  # of the network that seeds are made for


class NotOneLine(AssertionError):
    """A refusal whose message is no single line of printable text."""


@dataclass(frozen=True)
class Target:
    """One reader.

    Attributes:
        name: of the target.
        about: what it reads.
        prepare: imports what is needed; gives the reader and the exceptions that it may raise.
        seeds: names of the functions in ``fuzz.seeds`` that make honest files for it.
    """

    name: str
    about: str
    prepare: Callable[[], tuple[Reader, tuple[type[BaseException], ...]]]
    seeds: tuple[str, ...]

    def check(self, data: bytes) -> None:
        """Read ``data``; whatever is raised is a finding.

        Raises:
            NotOneLine: the reader refuses with something else than one line.
        """
        reader, allowed = self.prepared()
        try:
            reader(data)
        except allowed as error:
            text = str(error)
            if not text.isprintable() or not 0 < len(text) <= 1000:
                raise NotOneLine(f"{type(error).__name__}: {text[:200]!r}") from error

    def prepared(self) -> tuple[Reader, tuple[type[BaseException], ...]]:
        """The reader and its exceptions; imported once."""
        return _prepared(self.name)


@cache
def _prepared(name: str) -> tuple[Reader, tuple[type[BaseException], ...]]:
    return TARGETS[name].prepare()


@cache
def _place() -> Path:
    """A folder in memory, where there is one, that goes with the process."""
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    holder = tempfile.TemporaryDirectory(prefix="sefa-fuzz-", dir=shared)
    _KEPT.append(holder)
    return Path(holder.name)


_KEPT: list[Any] = []


def _in_a_file(read: Callable[[str], Any], suffix: str = "") -> Reader:
    def reader(data: bytes) -> Any:
        path = _place() / f"file{suffix}"
        path.write_bytes(data)
        return read(str(path))

    return reader


def _inert_pickle() -> tuple[Reader, tuple]:
    from sefa_plugin.reading.pickle_forms import Storage, load
    from sefa_plugin.reading.pickle_machine import InertPickleError

    return lambda data: load(data, resolve=lambda pid: Storage("uint8")), (InertPickleError,)


def _torch_zip() -> tuple[Reader, tuple]:
    from sefa_plugin.reading import torch_file
    from sefa_plugin.reading.pickle_machine import InertPickleError

    return torch_file.read_zip, (InertPickleError, torch_file.TorchFileError)


def _torch_legacy() -> tuple[Reader, tuple]:
    from sefa_plugin.reading import torch_file
    from sefa_plugin.reading.pickle_machine import InertPickleError

    return torch_file.read_legacy, (InertPickleError, torch_file.TorchFileError)


def _network() -> tuple[Reader, tuple]:
    from sefa_plugin.reading.network_file import read_network
    from sefa_plugin.reading.network_record import NetworkFileError

    return _in_a_file(lambda path: read_network(path).digest(), ".pkl"), (NetworkFileError,)


def _opened() -> tuple[Reader, tuple]:
    from sefa_plugin.hook import HookError
    from sefa_plugin.networks.opening import open_network
    from sefa_plugin.reading.network_record import NetworkFileError

    def opened(path: str) -> None:
        found = open_network(path)
        str((found.layers, found.sizes, found.warnings, found.why_no_pictures))

    return _in_a_file(opened, ".pkl"), (NetworkFileError, HookError)


def _converted() -> tuple[Reader, tuple]:
    from sefa_plugin.reading.network_file import read_network
    from sefa_plugin.reading.network_record import NetworkFileError

    return _in_a_file(lambda path: read_network(path).digest(), ".safetensors"), (NetworkFileError,)


def _arrays() -> tuple[Reader, tuple]:
    from sefa_plugin.reading.array_file import ArrayFile, ArrayFileError

    def read(path: str) -> None:
        file = ArrayFile(path)
        for name in file.names[:20]:
            file.read(name)

    return _in_a_file(read, ".npz"), (ArrayFileError,)


def _archives() -> tuple[Reader, tuple]:
    from sefa_plugin.reading import archives
    from sefa_plugin.reading.network_record import NetworkFileError

    def read(path: str) -> None:
        made = _place() / "made"
        with mock.patch.object(archives, "cache_folder", lambda: made):
            try:
                archives.unpacked(path)
            finally:
                shutil.rmtree(made, ignore_errors=True)

    return _in_a_file(read, ".archive"), (NetworkFileError,)


def _directions() -> tuple[Reader, tuple]:
    from sefa_plugin.directions.directions import Directions
    from sefa_plugin.directions.file import DirectionsFileError

    return _in_a_file(Directions.load, ".safetensors"), (DirectionsFileError,)


def _foreign() -> tuple[Reader, tuple]:
    from sefa_plugin.directions.foreign_files import FormatError, read_foreign
    from sefa_plugin.directions.importing import Target as Network
    from sefa_plugin.directions.importing import assemble

    def read(path: str) -> None:
        assemble(read_foreign(path), path, Network(w_dim=0, num_ws=0), layers=f"0-{NUM_WS - 1}")

    return _in_a_file(read, ".npz"), (FormatError,)


def _recipe() -> tuple[Reader, tuple]:
    from sefa_plugin.runs.recipe import Recipe, RecipeError

    def read(path: str) -> None:
        recipe = Recipe.load(path)
        str((recipe.digest, recipe.stem))

    return _in_a_file(read, ".json"), (RecipeError,)


def _latents() -> tuple[Reader, tuple]:
    from sefa_plugin.rendering.latent_files import LatentsError, load_projected_w

    return _in_a_file(lambda path: load_projected_w(path, NUM_WS, W_DIM), ".pt"), (LatentsError,)


def _audit() -> tuple[Reader, tuple]:
    from sefa_plugin.hooks.known_sources import origin
    from sefa_plugin.reading.audit import AuditError, as_json, audit, lines

    def read(path: str) -> None:
        found = audit(path, origin)
        told = [*lines(found), str(as_json(found)["verdict"])]
        if not all(line.isprintable() for line in told):
            raise NotOneLine(repr(told)[:500])

    return _in_a_file(read, ".pkl"), (AuditError,)


def _strict_json() -> tuple[Reader, tuple]:
    from sefa_plugin.reading.json_file import parsed

    def read(data: bytes) -> None:
        try:
            parsed(data, Any)
        except ValueError as error:
            raise Refused(str(error)) from None

    return read, (Refused,)


class Refused(Exception):
    """What a caller makes of a reader's own exceptions."""


def _typed() -> tuple[Reader, tuple]:
    from sefa_plugin.directions import keys, names
    from sefa_plugin.directions.layers import select_layers
    from sefa_plugin.hook import StyleLayer
    from sefa_plugin.rendering import typed_edits as typed

    class Weight:
        shape = (4, W_DIM)

    layers = [StyleLayer(f"b{n}", Weight(), n, "conv", size=2 ** (2 + n), detail=2.0 ** (2 + n)) for n in range(6)]
    layers.append(StyleLayer("rgb", Weight(), 6, "torgb", size=256, detail=256.0))
    parsers = (
        typed.parse_seeds,
        typed.parse_distance,
        keys.parse_keys,
        keys.parse_key,
        typed.parse_edit,
        typed.parse_axis,
        names.check_name,
        lambda text: select_layers(layers, text),
    )

    def read(data: bytes) -> None:
        which, text = data[:1], data[1:].decode("utf-8", "surrogateescape")
        try:
            parsers[(which or b"\0")[0] % len(parsers)](text)
        except ValueError as error:
            raise Refused(str(error)) from None

    return read, (Refused,)


_NETWORKS = ("networks", "torch_zips", "torch_legacies")
TARGETS = {
    target.name: target
    for target in (
        Target("inert_pickle", "pickles", _inert_pickle, ("pickles",)),
        Target("torch_zip", "torch.save's archives", _torch_zip, ("torch_zips",)),
        Target("torch_legacy", "torch.save's older layout", _torch_legacy, ("torch_legacies",)),
        Target("network", "network files, whole", _network, _NETWORKS),
        Target("info", "network files and their hooks", _opened, (*_NETWORKS, "converted")),
        Target("converted", "networks as safetensors", _converted, ("converted",)),
        Target("arrays", ".npy and .npz", _arrays, ("arrays",)),
        Target("archives", "archives of networks", _archives, ("archives",)),
        Target("directions", "directions files", _directions, ("directions",)),
        Target("foreign", "directions of other tools", _foreign, ("foreign",)),
        Target("recipe", "recipes", _recipe, ("recipes",)),
        Target("latents", "files of latents", _latents, ("latents",)),
        Target("audit", "any file, for info --audit", _audit, ("pickles", *_NETWORKS, "arrays")),
        Target("strict_json", "JSON", _strict_json, ("recipes", "jsons")),
        Target("typed", "what is typed: layers, seeds, directions, edits", _typed, ("typed",)),
    )
}  # fmt: skip
