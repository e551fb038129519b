"""The reference run: what the commands of README.md and docs/ make, recorded so that two versions can be compared.

    python tests/support/reference_run.py record OUT.json [--code CHECKOUT] [--keep FOLDER]
    python tests/support/reference_run.py compare A.json B.json
    python tests/support/reference_run.py check [--code CHECKOUT]

``record`` runs every command below as a process of its own, with the package of CHECKOUT (the repository that holds
this script, if nothing is said), and notes its exit code, what it said, and every file that it made or changed.
``compare`` says what differs between two recordings, ``check`` records and compares with ``reference_run.json``.

Files are compared by what they mean, not by their bytes: decoded pixels and frames, tensors, JSON with sorted keys.
Everything but the pixels and tensors of other processors must be equal. So each part of a recording has two values:

* ``exact``: a digest (or a short text itself), compared where both recordings are of the same kind of machine: same
  processor, same number of cores, same versions of the packages;
* ``summary``: a few numbers, compared between unlike machines, within the tolerances below.

What changes from run to run is masked, and nothing else is; see ``MASKS`` and ``VOLATILE_KEYS``.

Nothing of sefa_plugin is imported here: its modules move.
"""

from __future__ import annotations

import argparse
import base64
import csv
import fnmatch
import hashlib
import io
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import imageio
import numpy as np
from PIL import Image, ImageSequence
from safetensors import safe_open

# Differences from reference_run.json that are meant: (command id, file glob, reason). The file is a path below the
# command's folder, or "exit", "stdout", "stderr"; the id may be a glob as well. An entry that allows nothing any more
# is reported by ``compare``.
ALLOWED: list[tuple[str, str, str]] = []

HERE = Path(__file__).resolve()
REPOSITORY = HERE.parents[2]
REFERENCE = HERE.with_name("reference_run.json")
GOLDEN = HERE.parents[1] / "golden"
FORMAT = 1
AT_ONCE = 2  # chains that run side by side, with one thread each
READABLE = 1500  # characters of a text that is kept itself, and not as a digest
PATIENCE = 900  # seconds for one command; StyleGAN3's filters may have to be compiled first

# Between unlike machines:
PIXEL_TOLERANCE = 4  # levels of 255, of the means and deviations of 8 x 8 parts
NUMBER_TOLERANCE = 0.02  # of the sum of absolute values, for sums over the numbers of a text or of tensors

# Statistics of a handful of samples: a rounding decides which direction is an attribute's, and whether a difference is
# told. Between unlike machines no more is compared than exit codes and which files there are.
OF_FEW_SAMPLES = ("evaluate/baselines", "evaluate/hierarchy", "evaluate/truth")

EMBEDDED = '''"""A generator of a class that nobody knows, to be run by --trust-pickle and used in memory."""

import pickle

import torch


class Mapping(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(6, 8)
        self.register_buffer("w_avg", torch.randn(8))

    def forward(self, z, c, truncation_psi=1, truncation_cutoff=None):
        w = torch.nn.functional.leaky_relu(self.first(z), 0.2)
        return self.w_avg.lerp(w, truncation_psi)[:, None].repeat(1, 3, 1)


class Stage(torch.nn.Module):
    def __init__(self, channels, out, size):
        super().__init__()
        self.entry = torch.nn.Linear(8, channels)
        self.weight = torch.nn.Parameter(torch.randn(out, channels, 1, 1))
        self.size = size

    def forward(self, x, w):
        x = torch.nn.functional.interpolate(x, size=(self.size, self.size), mode="bilinear")
        return torch.nn.functional.conv2d(x * self.entry(w)[:, :, None, None], self.weight)


class Synthesis(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.start = torch.nn.Parameter(torch.randn(1, 5, 4, 4))
        self.early, self.late = Stage(5, 6, 8), Stage(6, 3, 32)

    def forward(self, ws):
        x = self.early(self.start.expand(len(ws), -1, -1, -1), ws[:, 0])
        return self.late(x, ws[:, 1]).tanh()


class Generator(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim, self.num_ws, self.img_resolution, self.img_channels = 6, 0, 8, 3, 32, 3
        self.mapping, self.synthesis = Mapping(), Synthesis()

    def forward(self, z, c, **given):
        return self.synthesis(self.mapping(z, c, **given))


def make():
    torch.manual_seed(0)
    return Generator().eval()
'''
WRITE_EMBEDDED = """import pickle, strange
with open("strange.pkl", "wb") as file:
    pickle.dump({"G_ema": strange.make()}, file, protocol=4)
"""
FROM_PYTHON = """import numpy as np
import strange
import torch
from sefa_plugin import Directions, edit, factorize, load_network, render, style_layers, write_video

G = load_network("demo")
directions = factorize(G, layers="middle")
torch.manual_seed(0)
ws = G.mapping(torch.randn(1, G.z_dim), None, truncation_psi=0.7)[0]
steps = [edit(ws, directions, {0: step / 2, 1: -step}) for step in range(-3, 4)]
write_video("direction0.mp4", render(G, steps), fps=30)
np.save("frames.npy", np.stack([np.asarray(frame) for frame in render(G, steps)]))
directions.save("demo.safetensors")
print(Directions.load("demo.safetensors").label, directions.label)

G = strange.make()
for layer in style_layers(G):
    print(layer.ws_index, layer.kind, layer.name)
found = factorize(G, normalize=False)
found.save("strange.safetensors")
np.save("edited.npy", edit(G.mapping(torch.ones(1, 6), None), found, {0: 3}).detach().numpy())
"""
COLOURS = """import numpy as np


def score(pictures):
    means = pictures.astype(np.float32).mean(axis=(1, 2))
    return {"red": means[:, 0], "blue": means[:, 2]}
"""
ARRAYS = """import numpy as np
draw = np.random.RandomState(0)
np.save("boundary.npy", draw.randn(1, 64).astype("float32"))
np.save("rows.npy", draw.randn(10, 64).astype("float32"))
np.savez("w.npz", w=draw.randn(2, 1, 64).astype("float32"))
"""
TOOLKIT = ("dnnlib/__init__", "dnnlib/util", "torch_utils/__init__", "torch_utils/persistence", "legacy", "gen_images")


@dataclass(frozen=True)
class Chain:
    """Commands that run one after the other in one folder.

    Attributes:
        name: first part of the ids of its commands.
        commands: name and words of each; ``sefa`` and ``gen_sefa`` are the package's, ``python`` is this Python.
        networks: golden networks that are put into the folder before.
        texts: files that are put there before.
        prepare: Python that is run there before, without the package.
    """

    name: str
    commands: dict[str, str]
    networks: tuple[str, ...] = ()
    texts: dict[str, str] = field(default_factory=dict)
    prepare: str = ""


DEMO = "--network demo --seeds 0,1"
SHORT = f"{DEMO} -K 1 --frames 6"
# The longest first, so that two of them at a time end together.
CHAINS = (
    Chain(
        "evaluate",
        {
            "run": "sefa sheet --network demo --seeds 0 -K 2",
            "rescore": "sefa evaluate rescore --network demo --samples 16 -K 2",
            "named": "sefa name sefa-out/demo",
            "own-scorer": "sefa evaluate rescore --network demo --scorer colours.py:score --samples 8 --directions 0,-1"
            " --distance 2 --no-names --outdir own",
            "ganspace": "sefa evaluate ganspace --network demo -K 2 --code-samples 500",
            "boundary": "sefa evaluate boundary --network demo --train-samples 100 --samples 8 --only smile,x"
            " --condition y",
            "baselines": "sefa evaluate baselines --network demo --samples 8 --code-samples 500 -K 2"
            " --methods sefa,ganspace,chance",
            "hierarchy": "sefa evaluate hierarchy --network demo --samples 2 -K 1",
            "truth": "sefa evaluate truth --network demo --samples 4 --sets 1 --variants 0,3,8 -K 3",
        },
        texts={"colours.py": COLOURS},
    ),
    Chain(
        "variants",
        {
            "sheet": "sefa sheet --network demo --seeds 0-2 -K 2 --trunc 0.5 --outdir sheet",
            "grid": f"sefa render {DEMO} -K 2 --frames 6 --grid --captions --distance 2 --outdir grid",
            "png": f"sefa render {SHORT} --video png --easing sine --loop once --distance 2 --outdir png",
            "small-gif": f"sefa render {SHORT} --video gif --size 96 --fps 10 --max-mb 0.02 --distance 2 --outdir gif",
            "each": "sefa sheet --network demo --seeds 0 -K 1 --layers each --distance 2 --outdir each",
            "indices": "sefa sheet --network demo --seeds 0 -K 1 --layers 0-1,5 --distance 2 --outdir indices",
            "z": f"sefa render {SHORT} --space z --outdir z",
            "plain": f"gen_sefa {SHORT} --no-normalize --torgb always --video none --outdir plain",
            "edit-layers": f"gen_sefa {SHORT} --edit-layers coarse --outdir edit-layers",
            "distance": f"gen_sefa {SHORT} --distance=-2,3 --outdir distance",
            "weakest": f"gen_sefa {DEMO} --frames 6 --directions 0,-1 --distance 2 --video png --outdir weakest",
            "file": f"sefa render {DEMO} --directions-file weakest/directions.safetensors --directions 1 --frames 6"
            " --video png --distance 1 --outdir file",
            "noise": f"sefa sheet {DEMO} -K 1 --noise-mode none --trunc 0.7 --trunc-cutoff 4 --distance 2"
            " --outdir noise",
        },
    ),
    Chain(
        "demo",
        {
            "first": f"gen_sefa {SHORT}",
            "again": f"gen_sefa {SHORT}",
            "name": 'sefa name sefa-out/demo 0 "brush size"',
            "names": "sefa name sefa-out/demo",
            "by-name": f'sefa render {DEMO} --directions "brush size" --frames 6 --video gif',
            "layers": f"gen_sefa {SHORT} --layers coarse,middle --video none",
            "no-edit": 'sefa edit --network demo --seeds 4 --edit "brush size=1.5" --edit 1@coarse=1 --edit z:0=1',
            "edit": 'sefa edit --network demo --seeds 4 --edit "brush size=1.5" --edit 1=1@coarse --edit z:0=1',
        },
    ),
    Chain(
        "families",
        {
            "sg2ada": "gen_sefa --network sg2ada-skip-64.pkl --seeds 0,1 -K 1 --frames 6",
            "sg2ada-class": "gen_sefa --network sg2ada-cond-32.pkl --seeds 0,1 -K 1 --frames 6 --class 2",
            "stylegan1": "sefa sheet --network stylegan1-32.pkl --seeds 0,1 -K 1 --trunc 0.7",
            "pggan": "sefa sheet --network pggan-32.pkl --seeds 0,1 -K 1",
            "stylegan2-tf": "sefa sheet --network stylegan2-tf-32.pkl --seeds 0,1 -K 1",
            "stylegan2-ada-tf": "sefa sheet --network stylegan2-ada-tf-32.pkl --seeds 0 -K 1 --distance 2 --class 1",
            "rosinality": "sefa sheet --network rosinality-32.pt --seeds 0,1 -K 1",
            "legacy": "sefa sheet --network rosinality-32-legacy.pt --seeds 0 -K 1 --distance 2",
            "no-class": "sefa sheet --network sg2ada-cond-32.pkl --seeds 0 -K 1",
            "convert": "sefa convert --network stylegan2-tf-32.pkl",
            "converted": "sefa sheet --network stylegan2-tf-32.safetensors --seeds 0,1 -K 1 --outdir converted",
            "convert-pt": "sefa convert --network rosinality-32.pt --output small.safetensors",
            "info-converted": "sefa info small.safetensors --json",
            "info-pt": "sefa info rosinality-32.pt --json",
            "info-tf": "sefa info stylegan2-tf-32.pkl --json",
            "info-class": "sefa info sg2ada-cond-32.pkl",
            "audit-pt": "sefa info rosinality-32.pt --audit --json",
            "audit-tf": "sefa info stylegan1-32.pkl --audit --json",
            "audit": "sefa info sg2ada-skip-64.pkl --audit",
            "audit-converted": "sefa info small.safetensors --audit --json",
        },
        networks=(
            "sg2ada-skip-64.pkl",
            "sg2ada-cond-32.pkl",
            "stylegan1-32.pkl",
            "pggan-32.pkl",
            "stylegan2-tf-32.pkl",
            "stylegan2-ada-tf-32.pkl",
            "rosinality-32.pt",
            "rosinality-32-legacy.pt",
        ),
    ),
    Chain(
        "stylegan3",
        {
            "translated": "sefa sheet --network sg3t-64.pkl --seeds 0,1 -K 1 --translate 0.1,-0.2 --rotate 15",
            "turned": "sefa render --network sg3r-64.pkl --seeds 0,1 -K 1 --frames 6 --video png --distance 3"
            " --rotate 30",
            "input": "sefa factorize --network sg3t-64.pkl --layers input,coarse -K 4 --outdir input",
            "stylegan2": "sefa sheet --network sg2-in-sg3-32.pkl --seeds 0 -K 1 --distance 2",
            "info": "sefa info sg3t-64.pkl --json",
            "audit": "sefa info sg3r-64.pkl --audit --json",
        },
        networks=("sg3t-64.pkl", "sg3r-64.pkl", "sg2-in-sg3-32.pkl"),
    ),
    Chain(
        "editing",
        {
            "edit": f"sefa edit {DEMO} --edit 2=+1.9 --edit 0=auto --edit 1=-50% --edit coarse:0=-1 --outdir stills",
            "kept": f"sefa edit {DEMO} --edit 2=+1.9 --edit 0=auto --edit 1=-50% --edit coarse:0=-1 --outdir stills",
            "recipe": "sefa render --recipe stills/recipe.json --outdir again",
            "other-seeds": "sefa render --recipe stills --seeds 20 --outdir other",
            "animate-edit": "sefa render --recipe stills --animate edit --easing sine --frames 6 --outdir edit",
            "sequence": "sefa render --recipe stills --animate sequence --video gif --frames 8 --outdir sequence",
            "walk": "sefa render --recipe stills/recipe.json --animate walk --video png --frames 6 --outdir walk",
            "spherical": "sefa render --recipe stills --animate walk --easing spherical --seeds 3,5 --frames 4"
            " --outdir spherical",
            "projected": "sefa render --network demo --projected-w stills/seed0001.npz --directions 0 --frames 6"
            " --distance 2 --video png --outdir projected",
            "edit-projected": "sefa edit --network demo --projected-w stills/seed0000.npz --edit 0=-2 --edit-layers 4-7"
            " --outdir edit-projected",
            "plane": "sefa plane --network demo --across 2 --down 1 --seeds 4 --frames 6 --outdir plane",
            "corners": "sefa plane --network demo --across coarse:0=2 --down fine:0=-1,3 --path corners --seeds 0"
            " --frames 8 --video gif --outdir corners",
            "another-network": "sefa render --recipe stills/recipe.json --network sg2ada-skip-64.pkl --outdir another",
        },
        networks=("sg2ada-skip-64.pkl",),
    ),
    Chain(
        "formats",
        {
            "factorize": "sefa factorize --network demo --outdir own",
            "factorize-other": "sefa factorize --network demo --no-normalize --torgb never -K 8 --outdir other",
            "each": "sefa factorize --network demo --layers each -K 2 --outdir each",
            "export-factor": "sefa export other/directions.safetensors --format factor --output factor.pt",
            "export-npy": "sefa export own/directions.safetensors --format npy --directions 0,-1 --output two.npy",
            "export-rows": "sefa export own/directions.safetensors --format npy-rows --directions 3 --output row.npy",
            "export-npz": "sefa export other/directions.safetensors --format npz --output other.npz",
            "export-comfyui": "sefa export other/directions.safetensors --format comfyui --output comfyui.safetensors",
            "compare": "sefa compare factor.pt own/directions.safetensors --directions 3-5",
            "compare-json": "sefa compare own other --directions 0-3 --json",
            "compare-networks": "sefa compare demo other --layers coarse --directions 0-2 --json",
            "import-factor": "sefa import factor.pt --network demo --output from-factor.safetensors",
            "import-npz": "sefa import other.npz --layers 0-9",
            "import-comfyui": "sefa import comfyui.safetensors --network demo",
            "import-npy": "sefa import boundary.npy --network demo --layers middle",
            "import-rows": "sefa import rows.npy --network demo --rows layers",
            "imported": f"sefa render {DEMO} --directions-file from-factor.safetensors --directions 3 --frames 6"
            " --distance 2 --video png --outdir imported",
            "imported-rows": f"sefa sheet {DEMO} --directions-file rows-directions.safetensors --outdir imported-rows",
            "boundary": "sefa evaluate boundary --network demo --read boundary.npy --outdir read",
            "projected": "sefa sheet --network demo --projected-w w.npz -K 1 --distance 2 --outdir projected",
            "convert": "sefa convert --network demo",
            "converted": "sefa sheet --network demo.safetensors --seeds 0,1 -K 1 --distance 2 --outdir converted",
            "info": "sefa info demo",
            "info-json": "sefa info demo --json",
            "audit": "sefa info --audit --json own/directions.safetensors",
            "audit-npz": "sefa info --audit other.npz",
        },
        prepare=ARRAYS,
    ),
    Chain(
        "embedded",
        {
            "refused": "sefa sheet --network strange.pkl --seeds 0,1 -K 1",
            "trusted": "sefa sheet --network strange.pkl --seeds 0,1 -K 1 --trust-pickle",
            "info": "sefa info strange.pkl --trust-pickle --json",
            "audit": "sefa info strange.pkl --audit",
            "from-python": "python from_python.py",
        },
        texts={"strange.py": EMBEDDED, "from_python.py": FROM_PYTHON},
        prepare=WRITE_EMBEDDED,
    ),
    Chain(
        "errors",
        {
            "no-network": "sefa sheet --network missing.pkl",
            "gen-sefa": "gen_sefa --network missing.pkl",
            "no-option": "sefa sheet --network demo --no-such-option",
            "no-command": "sefa shet",
            "layers": "sefa sheet --network demo --layers 12",
            "distance": "gen_sefa --network demo --distance far",
            "direction": f"sefa render {DEMO} --directions 99",
            "ignored": f"sefa sheet {DEMO} -K 1 --distance 2 --class 1",
            "no-pickle": "sefa info page.pkl",
            "evil": "sefa info evil.pkl --audit --json",
            "evil-network": "sefa sheet --network evil.pkl --trust-pickle --seeds 0 --which G",
            "no-directions": "sefa name nothing",
            "no-recipe": "sefa render --recipe page.pkl",
            "version": "sefa --version",
            "help": "sefa --help",
        },
        texts={"page.pkl": "<!doctype html><html></html>\n", "evil.pkl": "cposix\ngetcwd\n)R."},
    ),
    Chain(
        "toolkit",
        {
            "look": "sefa register kit --dry-run",
            "register": "sefa register kit",
            "run": "python kit/gen_sefa.py --network demo --seeds 0 --trunc 0.7 -K 1 --video none --distance 2",
            "unregister": "sefa unregister kit",
        },
        texts={f"kit/{name}.py": "raise SystemExit('the toolkit was imported')\n" for name in TOOLKIT},
    ),
)

# --- masks ----------------------------------------------------------------------------------------

VERSION = "VERSION"
# What a text may say differently in the next run, and what stands there instead.
MASKS = (
    # Said where something takes a while.
    (re.compile(r"^(reading .+|\d+ pictures to render|about (\d+ h \d+ min|\d+ min|\d+ s) to go)\n", re.M), ""),
    (re.compile(r"^Note: (the extra fast |StyleGAN3's filters are compiled ).*\n", re.M), ""),
    (re.compile(r"(standard deviations .*), \d+\.\d s$", re.M), r"\1, TIME"),  # evaluate ganspace
    (re.compile(r"\bsefa_plugin (version )?\d+(\.\d+)+\w*"), rf"sefa_plugin \1{VERSION}"),
    (re.compile(rf"(\(sefa_plugin {VERSION}), [0-9a-f]{{16}}\)"), r"\1, DIGEST)"),  # register: holds the code's place
)
# Entries of JSON and arrays of .npz that hold versions, times, or what depends on the machine. "sha256" of run.json is
# handled by itself: files are
# compared by what they mean, and it must be that of the file.
VOLATILE_KEYS = {"versions", "seconds", "computed"}
VOLATILE_COLUMNS = {"seconds"}  # of tables: .csv, .json with "columns" and "rows", and the same as text
# The same as a picture, where it is the last column and so wide as its numbers are long: how many columns of pixels
# are looked at.
VOLATILE_PICTURES = {"baselines.png": 1130}


class Masks:
    """Takes out of texts and JSON what is not the same in the next run."""

    def __init__(self, folder: Path, code: Path) -> None:
        places = [(str(folder), "FOLDER"), (str(code), "CODE"), (sys.executable, "PYTHON")]
        places += [(os.path.realpath(place), word) for place, word in places]
        # Stored commands have paths as seen from the folder where they were typed.
        places += [(os.path.relpath(place, folder), word) for place, word in places if word != "FOLDER"]
        self._places = sorted(set(places), key=lambda pair: -len(pair[0]))

    def text(self, text: str) -> str:
        """A text: places, versions, times and progress bars masked."""
        text = text.replace("\r\n", "\n")
        if "\r" in text:  # a progress bar, should standard error be a terminal
            text = "\n".join(line.rpartition("\r")[2] for line in text.split("\n"))
        for place, word in self._places:
            text = text.replace(place, word)
        for pattern, instead in MASKS:
            text = pattern.sub(instead, text)
        return _without_times(text)

    def json(self, value: Any) -> Any:
        """Parsed JSON, likewise."""
        if isinstance(value, dict):
            value = {self.text(key): self.json(held) for key, held in value.items() if key not in VOLATILE_KEYS}
            columns, rows = value.get("columns"), value.get("rows")
            if (
                isinstance(columns, list)
                and isinstance(rows, list)
                and VOLATILE_COLUMNS.intersection(map(str, columns))
            ):
                keep = [index for index, name in enumerate(columns) if name not in VOLATILE_COLUMNS]
                value["columns"] = [columns[index] for index in keep]
                value["rows"] = [[row[index] for index in keep] for row in rows]
            return value
        if isinstance(value, list):
            return [self.json(held) for held in value]
        return self.text(value) if isinstance(value, str) else value


def _without_times(text: str) -> str:
    """Tables in a text, without their columns of times."""
    lines, times = [], []
    for line in text.split("\n"):
        cells = line.split("|")
        if not line.startswith("|"):
            times = []
        elif not times:
            times = [index for index, cell in enumerate(cells) if cell.strip() in VOLATILE_COLUMNS]
        lines.append("|".join(cell for index, cell in enumerate(cells) if index not in times))
    return "\n".join(lines)


# --- what a file means ----------------------------------------------------------------------------


class Part(NamedTuple):
    """One part of what a command gave: a file, or what it said."""

    kind: str
    exact: str
    summary: Any


def digest(*parts: bytes | str) -> str:
    """A digest of parts, each with its length."""
    made = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        made.update(len(data).to_bytes(8, "little"))
        made.update(data)
    return made.hexdigest()[:32]


def canonical(value: Any) -> str:
    """JSON with sorted keys and no white space."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def of_picture(path: Path, masks: Masks) -> Part:
    """The pixels of a picture, and the text that it carries."""
    with Image.open(path) as image:
        pixels = np.asarray(image)[:, : VOLATILE_PICTURES.get(path.name)]
        said = {key: _said(value, masks) for key, value in image.info.items() if isinstance(value, (str, bytes))}
        said.pop("exif", None)
        mode = image.mode
    shape = [*pixels.shape]
    exact = digest(mode, canonical(shape), pixels.tobytes(), canonical(said))
    return Part("picture", exact, {"shape": [mode, *shape], "pixels": reduced([pixels])})


def of_gif(path: Path, masks: Masks) -> Part:
    """The frames of a GIF, how long each is shown, and its text."""
    with Image.open(path) as image:
        said = _said(image.info.get("comment", ""), masks)
        loop = image.info.get("loop")
        frames, shown = [], []
        for frame in ImageSequence.Iterator(image):
            frames.append(np.asarray(frame.convert("RGB")))
            shown.append(frame.info.get("duration"))
    exact = digest(canonical([loop, shown, said]), *(_whole(frame) for frame in frames))
    return Part("gif", exact, {"shape": [len(frames), *frames[0].shape], "pixels": reduced(frames)})


def of_video(path: Path, masks: Masks) -> Part:
    """The frames of an MP4, its rate, and its text."""
    with imageio.get_reader(path, "ffmpeg") as reader:
        facts = {key: reader.get_meta_data().get(key) for key in ("codec", "pix_fmt", "fps", "duration", "rotate")}
        frames = [np.asarray(frame) for frame in reader]
    said = masks.text(_comment_of_mp4(path.read_bytes()))
    exact = digest(canonical(facts), said, *(_whole(frame) for frame in frames))
    shape = [facts["fps"], len(frames), *frames[0].shape]
    return Part("video", exact, {"shape": shape, "pixels": reduced(frames)})


def of_frames(paths: list[Path], masks: Masks) -> Part:
    """The pictures of one folder, numbered, as one stream."""
    parts = [of_picture(path, masks) for path in paths]
    with_pixels = [np.asarray(Image.open(path)) for path in paths]
    exact = digest(*(f"{path.name} {part.exact}" for path, part in zip(paths, parts)))
    return Part("frames", exact, {"shape": [len(paths), *with_pixels[0].shape], "pixels": reduced(with_pixels)})


def of_safetensors(path: Path, masks: Masks) -> Part:
    """The tensors of a file, and its metadata, of which each value may be JSON."""
    with safe_open(path, "numpy") as file:
        told = {key: masks.json(_parsed(value)) for key, value in (file.metadata() or {}).items()}
        arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - it is no dict
    held = {key: value for key, value in told.items() if key not in VOLATILE_KEYS}
    exact = digest(canonical(held), *(_whole_array(key, arrays[key]) for key in sorted(arrays)))
    return Part("tensors", exact, {"keys": sorted(held), **of_arrays(arrays)})


def of_npz(paths: Iterable[Path], masks: Masks) -> Part:
    """The arrays of one .npz, or of several as one."""
    arrays = {}
    for path in paths:
        with np.load(path, allow_pickle=False) as file:
            arrays.update({f"{path.stem}/{key}": file[key] for key in file.files if key not in VOLATILE_KEYS})
    return Part("arrays", digest(*(_whole_array(key, arrays[key]) for key in sorted(arrays))), of_arrays(arrays))


def of_npy(path: Path, masks: Masks) -> Part:
    """One array."""
    array = np.load(path, allow_pickle=False)
    return Part("arrays", digest(_whole_array("", array)), of_arrays({"": array}))


def of_zip(path: Path, masks: Masks) -> Part:
    """The members of a .pt: its pickle and its numbers."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    sizes = [[name, len(data)] for name, data in sorted(members.items())]
    return Part("zip", digest(*(part for pair in sorted(members.items()) for part in pair)), {"members": sizes})


def of_json(text: str, masks: Masks, beside: Path | None = None) -> Part:
    """JSON, whatever its white space and the order of its keys; digests of run.json stand for files ``beside``."""
    value = json.loads(text)
    if isinstance(value, dict) and beside is not None and isinstance(value.get("outputs"), dict):
        for name, entry in value["outputs"].items():
            if isinstance(entry, dict) and "sha256" in entry:
                entry["sha256"] = "of the file" if entry["sha256"] == _sha256_of(beside / name) else "of another file"
    value = masks.json(value)
    return Part(
        "json", digest(canonical(value)), {"json": digest(canonical(_keys(value)))[:16], **of_words(canonical(value))}
    )


def of_csv(text: str, masks: Masks) -> Part:
    """A table, without the columns of times."""
    rows = list(csv.reader(io.StringIO(text)))
    keep = [index for index, name in enumerate(rows[0]) if name not in VOLATILE_COLUMNS]
    rows = [[masks.text(row[index]) for index in keep if index < len(row)] for row in rows]
    return Part(
        "csv", digest(canonical(rows)), {"shape": [len(rows), len(keep)], **of_words("\n".join(map(" ".join, rows)))}
    )


def of_text(text: str, masks: Masks) -> Part:
    """Any other text; a short one is kept itself, so that a difference can be read."""
    text = masks.text(text)
    if text.startswith("{") and _parsed(text) != text:
        return of_json(text, masks)
    return Part("text", text, None) if len(text) <= READABLE else Part("long text", digest(text), of_words(text))


def of_bytes(path: Path, masks: Masks) -> Part:
    """A file of which nothing else is known."""
    data = path.read_bytes()
    return Part("bytes", digest(data), {"size": len(data)})


READERS: dict[str, Callable[[Path, Masks], Part]] = {
    ".jpg": of_picture,
    ".png": of_picture,
    ".gif": of_gif,
    ".mp4": of_video,
    ".safetensors": of_safetensors,
    ".npz": lambda path, masks: of_npz([path], masks),
    ".npy": of_npy,
    ".pt": of_zip,
    ".json": lambda path, masks: of_json(path.read_text("utf-8"), masks, path.parent),
    ".csv": lambda path, masks: of_csv(path.read_text("utf-8"), masks),
    ".html": lambda path, masks: of_text(path.read_text("utf-8"), masks),
    ".py": lambda path, masks: of_text(path.read_text("utf-8"), masks),
}


def reduced(frames: list[np.ndarray]) -> str:
    """Mean over frames and deviation between them of 8 x 8 parts in three channels, bytes in base64."""
    small = np.stack([_eighths(frame) for frame in frames])
    between = np.minimum(small.std(axis=0) * 2, 255)  # seldom above half of the range
    told = np.stack([small.mean(axis=0), between]) if len(frames) > 1 else small
    return base64.b64encode(np.round(told).astype(np.uint8).tobytes()).decode()


def _eighths(pixels: np.ndarray) -> np.ndarray:
    """The means ``[8, 8, 3]`` of the parts of a picture."""
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    wide = pixels.astype(np.float64)[:, :, np.arange(3) % pixels.shape[2]]
    scale = 255 / np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 255
    for axis in (0, 1):
        edges = np.linspace(0, wide.shape[axis], 9).astype(int)
        parts = [np.take(wide, range(low, max(high, low + 1)), axis) for low, high in zip(edges, edges[1:])]
        wide = np.stack([part.mean(axis=axis) for part in parts], axis=axis)
    return wide * scale


def of_arrays(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Sizes of arrays, and sums over their numbers."""
    sizes = [[array.dtype.str, *array.shape] for array in (arrays[key] for key in sorted(arrays))]
    numbers = [arrays[key].ravel().astype(np.float64) for key in sorted(arrays) if arrays[key].dtype.kind in "fiub"]
    return {"shapes": digest(canonical(sizes))[:16], "sums": _sums(np.concatenate(numbers or [np.zeros(0)]))}


_LONG = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")  # base64
_HEX = re.compile(r"\b[0-9a-f]{12,}\b")
_NUMBER = re.compile(r"(?<![A-Za-z0-9_])[-+\u2212]?\d+(\.\d+)?([eE][-+]?\d+)?")


def of_words(text: str) -> dict[str, Any]:
    """A text without its numbers, and sums over these."""
    text = _HEX.sub("HEX", _LONG.sub("DATA", text))
    numbers = [float(found.group().replace("\u2212", "-")) for found in _NUMBER.finditer(text)]
    return {"words": digest(_NUMBER.sub("#", text))[:16], "sums": _sums(np.array(numbers))}


def _sums(numbers: np.ndarray) -> list[float]:
    """How many, the sum of absolute values, and two sums with weights that tell places apart."""
    numbers = np.nan_to_num(numbers.astype(np.float64), nan=7.0, posinf=1e6, neginf=-1e6)
    numbers = np.sign(numbers) * np.log1p(np.abs(numbers))  # no single large number hides the others
    places = np.arange(len(numbers))
    held = [np.abs(numbers).sum(), (numbers * np.cos(places)).sum(), (numbers * np.cos(1.7 * places)).sum()]
    return [len(numbers), *(float(f"{value:.5g}") for value in held)]


def _keys(value: Any) -> Any:
    """The keys of JSON and the kinds of what they hold; lists as what they may hold."""
    if isinstance(value, dict):
        return {key: _keys(held) for key, held in value.items()}
    if isinstance(value, list):
        return sorted({canonical(_keys(held)) for held in value})
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _said(value: str | bytes, masks: Masks) -> str:
    return masks.text(value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value)


def _whole(frame: np.ndarray) -> bytes:
    return canonical([*frame.shape]).encode() + frame.tobytes()


def _whole_array(name: str, array: np.ndarray) -> bytes:
    return canonical([name, array.dtype.str, *array.shape]).encode() + np.ascontiguousarray(array).tobytes()


def _sha256_of(path: Path) -> str:
    """The digest that run.json has of a file, or of a folder of frames; none where there is no such file."""
    if not path.exists():
        return ""
    made = hashlib.sha256()
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if path.is_dir():
            made.update(f"{file.name}\n".encode("utf-8", "surrogateescape"))
        made.update(file.read_bytes())
    return made.hexdigest()


def _comment_of_mp4(data: bytes) -> str:
    """The comment in an MP4's list of metadata."""
    start = data.find(b"\xa9cmt")
    if start < 0:
        return ""
    size = int.from_bytes(data[start + 4 : start + 8], "big")
    return data[start + 20 : start + 4 + size].decode("utf-8", "backslashreplace")


# --- recording ------------------------------------------------------------------------------------

# What decides about processors, threads, caches and places is ours; everything else is the caller's.
_OURS = re.compile(r"(OMP|MKL|KMP|GOMP|ATEN|ONEDNN|DNNL|OPENBLAS|CUDA|TORCH|DNNLIB|IMAGEIO|FF|SEFA)[A-Z]*_|FFREPORT$")
_PYTHONS = re.compile(r"(PYTHON(?!HOME$)|NUMBA_(?!CACHE_DIR$))")
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "HF_HUB_OFFLINE": "1",
    "COLUMNS": "100",
    "NO_COLOR": "1",
    "PYTHONUTF8": "1",
}
# As on a processor with fewer instructions: another kind of machine, to try what the tolerances must bear.
INSTRUCTIONS = {
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "sse41": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"},
}
PACKAGES = ("torch", "numpy", "pillow", "imageio", "imageio-ffmpeg", "safetensors", "numba", "scikit-learn", "click")
_PROBE = """import json, os, sefa_plugin, torch
place = os.path.dirname(os.path.realpath(sefa_plugin.__file__))
capability, threads = torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()
print(json.dumps({"place": place, "capability": capability, "threads": threads}))
"""
_STREAM = re.compile(r"((?:.*/)?)frame\d+\.png")
_MEASURED = re.compile(r"((?:.*/)?parts/)[0-9a-f]{24}\.npz")


class ReferenceRunError(Exception):
    """The run cannot be made, or a recording cannot be read."""


def environment(code: Path, isa: str | None = None) -> dict[str, str]:
    """The environment of the commands."""
    kept = {key: held for key, held in os.environ.items() if not (_OURS.match(key) or _PYTHONS.match(key))}
    return {**kept, **ENVIRONMENT, **INSTRUCTIONS.get(isa or "", {}), "PYTHONPATH": str(code)}


def machine(code: Path, isa: str | None = None) -> dict[str, Any]:
    """What pixels depend on beside the code; first it is made sure that ``code`` is what will run."""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE], env=environment(code, isa), cwd=code.parent, capture_output=True, text=True
    )
    if done.returncode:
        raise ReferenceRunError(f"{code}: {done.stderr.strip()}")
    told = json.loads(done.stdout)
    place = told.pop("place")
    if Path(place).parent != Path(os.path.realpath(code)):
        raise ReferenceRunError(f"{code} holds no sefa_plugin: Python takes it from {place}")
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = ""
    processor, instructions = _processor()
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor,
        "instructions": instructions,
        "cores": os.cpu_count(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        **told,
        **versions,
    }


def _processor() -> tuple[str, str]:
    """The processor's name and model, and which vector instructions it has."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return platform.processor(), ""
    facts = dict(re.findall(r"^(model name|cpu family|model|stepping|flags)\s*: (.*)$", text, re.M))
    name = " ".join(facts.get(key, "") for key in ("model name", "cpu family", "model", "stepping"))
    flags = sorted(flag for flag in facts.get("flags", "").split() if re.match(r"avx|amx|fma|sse|f16c", flag))
    return name.strip() or platform.processor(), " ".join(flags)


def record(
    code: Path = REPOSITORY,
    chains: Iterable[Chain] = CHAINS,
    keep: Path | None = None,
    isa: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Run all commands.

    Args:
        code: checkout whose package runs.
        chains: what to run.
        keep: folder in which all files stay.
        isa: take instructions away, see ``INSTRUCTIONS``.
        say: called with a line for each command that is done.

    Returns:
        The recording, as it goes into a file.
    """
    code = code.resolve()
    where, text = machine(code, isa), digest_of_code(code)
    with tempfile.TemporaryDirectory(prefix="reference-run-") as place, ThreadPoolExecutor(AT_ONCE) as pool:
        root = keep.resolve() if keep else Path(place)
        jobs = [pool.submit(_run_chain, chain, root / chain.name, code, isa, say) for chain in chains]
        try:
            made = [job.result() for job in jobs]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    if digest_of_code(code) != text:
        raise ReferenceRunError(f"{code} was changed while its commands ran; run them again")
    commands = {key: held for each in made for key, held in each.items()}
    return {"format": FORMAT, "code": text, "machine": where, "commands": commands}


def digest_of_code(code: Path) -> str:
    """A digest of the package's modules in a checkout: says which text made a recording."""
    places = [code / name for name in ("gen_sefa.py", "sefa_plugin", "hooks", "third_party")]
    files = [file for place in places for file in ([place] if place.is_file() else sorted(place.rglob("*.py")))]
    return digest(*(part for file in files for part in (file.relative_to(code).as_posix(), file.read_bytes())))


def _run_chain(
    chain: Chain, folder: Path, code: Path, isa: str | None, say: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """Run the commands of a chain in a new folder."""
    folder.mkdir(parents=True)
    for name in chain.networks:
        shutil.copyfile(GOLDEN / name, folder / name)
    for name, text in chain.texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode("utf-8"))
    given = environment(code, isa)
    if chain.prepare:
        prepared = {key: held for key, held in given.items() if key != "PYTHONPATH"}
        subprocess.run([sys.executable, "-c", chain.prepare], cwd=folder, env=prepared, check=True)
    masks = Masks(folder, code)
    made, before = {}, _snapshot(folder)
    for name, typed in chain.commands.items():
        start = time.monotonic()
        done = subprocess.run(
            words_of(typed, code),
            cwd=folder,
            env=given,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
        )
        after = _snapshot(folder)
        parts = {
            "stdout": of_text(_said(done.stdout, masks), masks),
            "stderr": of_text(_said(done.stderr, masks), masks),
        }
        parts.update(_parts(folder, [path for path in after if after[path] != before.get(path)], masks))
        parts.update({path: Part("removed", "", None) for path in before if path not in after})
        files = {path: part._asdict() for path, part in parts.items()}
        made[f"{chain.name}/{name}"] = {"typed": typed, "exit": done.returncode, "files": files}
        before = after
        took = time.monotonic() - start
        say(f"{chain.name}/{name}: exit {done.returncode}, {len(files) - 2} files, {took:.1f} s")
    return made


def words_of(typed: str, code: Path) -> list[str]:
    """The words that a command of a chain stands for."""
    first, *rest = shlex.split(typed)
    starts = {"sefa": ["-m", "sefa_plugin"], "gen_sefa": [str(code / "gen_sefa.py")], "python": []}
    return [sys.executable, *starts[first], *rest]


def _snapshot(folder: Path) -> dict[str, str]:
    """The files of a folder, with digests of their bytes."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            found[path.relative_to(folder).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _parts(folder: Path, paths: list[str], masks: Masks) -> Iterator[tuple[str, Part]]:
    """What files mean; frames of a video, and what was measured for a table, are one part each."""
    groups: dict[str, list[Path]] = {}
    for path in paths:
        stream, measured = _STREAM.fullmatch(path), _MEASURED.fullmatch(path)
        name = f"{stream[1]}frame*.png" if stream else f"{measured[1]}*.npz" if measured else path
        groups.setdefault(name, []).append(folder / path)
    for name, files in groups.items():
        try:
            if name.endswith("*.npz"):
                part = of_npz(files, masks)
            elif name.endswith("*.png"):
                part = of_frames(files, masks)
            else:
                part = READERS.get(files[0].suffix, of_bytes)(files[0], masks)
        except Exception as error:  # a file that is broken differs from one that is not
            part = Part("unreadable", digest(*(file.read_bytes() for file in files)), type(error).__name__)
        yield name, part


def write(recording: dict[str, Any], path: Path) -> None:
    """Write a recording, a line for each file, so that versions of it can be read side by side."""
    head = [f" {json.dumps(key)}: {json.dumps(recording[key])}," for key in ("format", "code", "machine")]
    lines = ["{", *head, ' "commands": {']
    commands = list(recording["commands"].items())
    for number, (name, held) in enumerate(commands):
        head = f'  {json.dumps(name)}: {{"typed": {json.dumps(held["typed"])}, "exit": {held["exit"]}, "files": {{'
        files = [f"   {json.dumps(key)}: {json.dumps(part, ensure_ascii=False)}" for key, part in held["files"].items()]
        lines += [head, ",\n".join(files) + "}}" + ("," if number + 1 < len(commands) else "")]
    path.write_bytes(("\n".join(lines) + "}}\n").encode("utf-8"))


def read(path: Path) -> dict[str, Any]:
    """Read a recording."""
    recording = json.loads(path.read_text("utf-8"))
    if recording.get("format") != FORMAT:
        raise ReferenceRunError(f"{path} is no recording of this version of the script; record it again")
    return recording


# --- comparing ------------------------------------------------------------------------------------


class Difference(NamedTuple):
    """Something that is not as it was: in which command, in which file (or exit, stdout, stderr), and how."""

    command: str
    file: str
    how: str


def unlike(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """What makes the machines of two recordings different, so that only summaries can be compared."""
    one, two = first["machine"], second["machine"]
    return [f"{key}: {one.get(key)} and {two.get(key)}" for key in {**one, **two} if one.get(key) != two.get(key)]


def differences(first: dict[str, Any], second: dict[str, Any]) -> list[Difference]:
    """Everything that differs between two recordings, allowed or not."""
    exact = not unlike(first, second)
    found = []
    one, two = first["commands"], second["commands"]
    for command in {**one, **two}:
        if command not in one or command not in two:
            found.append(Difference(command, "", f"only in the {'first' if command in one else 'second'}"))
            continue
        before, after = one[command], two[command]
        if before["typed"] != after["typed"]:
            found.append(Difference(command, "", "another command now; record the reference again"))
            continue
        if before["exit"] != after["exit"]:
            found.append(Difference(command, "exit", f"exit code {before['exit']}, now {after['exit']}"))
        for file in {**before["files"], **after["files"]}:
            pair = before["files"].get(file), after["files"].get(file)
            looked_at = exact or None in pair or command not in OF_FEW_SAMPLES
            how = _difference(*pair, exact) if looked_at else ""
            if how:
                found.append(Difference(command, file, how))
    return found


def _difference(before: dict[str, Any] | None, after: dict[str, Any] | None, exact: bool) -> str:
    """How a part differs, or nothing."""
    if before is None or after is None:
        return "not there before" if before is None else "no longer there"
    if before["kind"] != after["kind"]:
        return f"was {before['kind']}, is {after['kind']}"
    if exact:
        if before["exact"] == after["exact"]:
            return ""
        if before["kind"] != "text":
            return f"another {before['kind']}"
        return f"another text:\n    - {_inset(before['exact'])}\n    + {_inset(after['exact'])}"
    if before["kind"] == "text":
        return _far(of_words(before["exact"]), of_words(after["exact"]))
    return _far(before["summary"], after["summary"])


def _inset(text: str) -> str:
    return text.strip().replace("\n", "\n      ")


def _far(before: Any, after: Any) -> str:
    """How two summaries differ by more than the tolerances, or nothing."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return "" if before == after else f"was {before}, is {after}"
    for key in {**before, **after}:
        one, two = before.get(key), after.get(key)
        if key == "pixels" and one and two:
            pair = [np.frombuffer(base64.b64decode(held), np.uint8).astype(int) for held in (one, two)]
            furthest = np.abs(pair[0] - pair[1]).max() if len(pair[0]) == len(pair[1]) else 255
            if furthest > PIXEL_TOLERANCE:
                return f"parts of the picture differ by up to {furthest} levels"
        elif key == "sums" and one and two:
            bearable = NUMBER_TOLERANCE * max(one[1], two[1]) + 1e-4
            if one[0] != two[0] or any(abs(a - b) > bearable for a, b in zip(one[1:], two[1:])):
                return f"other numbers: {one} and {two}"
        elif one != two:
            return f"{key}: {one} and {two}"
    return ""


def compare(
    first: dict[str, Any], second: dict[str, Any], allowed: list[tuple[str, str, str]] | None = None
) -> tuple[list[Difference], list[str]]:
    """The differences that nothing allows, and remarks: what was allowed and why, and how it was compared."""
    allowed = ALLOWED if allowed is None else allowed
    wrong, remarks, used = [], [], set()
    machines = unlike(first, second)
    if machines:
        remarks.append("not of the same kind of machine, so that summaries are compared: " + "; ".join(machines))
    for found in differences(first, second):
        reasons = [
            entry
            for entry in allowed
            if fnmatch.fnmatchcase(found.command, entry[0]) and fnmatch.fnmatchcase(found.file, entry[1])
        ]
        used.update(reasons)
        if reasons:
            remarks.append(f"allowed: {found.command} {found.file} ({reasons[0][2]})")
        else:
            wrong.append(found)
    remarks += [f"allows nothing: {entry}" for entry in allowed if entry not in used]
    return wrong, remarks


def told(wrong: list[Difference], remarks: list[str]) -> str:
    """The result of a comparison in lines."""
    lines = [*remarks, *(f"{found.command}  {found.file}: {found.how}" for found in wrong)]
    return "\n".join([*lines, f"{len(wrong)} differences" if wrong else "no difference"])


def main(words: list[str] | None = None) -> int:
    """Run the script."""
    parser = argparse.ArgumentParser(description="Record what all commands make, and compare two recordings.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("record", "check"):
        one = commands.add_parser(name)
        if name == "record":
            one.add_argument("out", type=Path)
        one.add_argument("--code", type=Path, default=REPOSITORY, help="checkout whose package runs")
        one.add_argument("--keep", type=Path, help="new folder in which all files stay, to look at a difference")
        one.add_argument("--only", help="chains to run, like demo,formats")
        one.add_argument("--isa", choices=list(INSTRUCTIONS), help="as on a processor that has no more than this")
    two = commands.add_parser("compare")
    two.add_argument("first", type=Path)
    two.add_argument("second", type=Path)
    given = parser.parse_args(words)
    try:
        if given.command == "compare":
            first, second = read(given.first), read(given.second)
        else:
            names = given.only.split(",") if given.only else [chain.name for chain in CHAINS]
            chains = [chain for chain in CHAINS if chain.name in names]
            second = record(given.code, chains, given.keep, given.isa, lambda line: print(line, file=sys.stderr))
            if given.command == "record":
                write(second, given.out)
                return 0
            first = read(REFERENCE)
            commands_run = {f"{chain.name}/{name}" for chain in chains for name in chain.commands}
            if given.only:
                first["commands"] = {key: held for key, held in first["commands"].items() if key in commands_run}
    except (ReferenceRunError, OSError, ValueError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    wrong, remarks = compare(first, second)
    print(told(wrong, remarks))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
