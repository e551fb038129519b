"""Options of the commands, shared so that each has one name and one meaning; they follow NVIDIA's toolkits."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from ..directions.keys import MAX_DIRECTION, parse_keys, parse_numbers
from ..rendering.typed_edits import parse_axis, parse_distance, parse_edit, parse_seeds
from .files import File, Folder, ParamType
from .progress import QUIET

if TYPE_CHECKING:
    from ..directions.region import Region

Command = TypeVar("Command", bound=Callable[..., Any])


class Decorator(Protocol):
    """Adds options to a command's function."""

    def __call__(self, function: Command, /) -> Command:
        """The same function."""


def stack(*options: Decorator) -> Decorator:
    """Several options as one, in the order in which ``--help`` lists them."""

    def apply(function: Command) -> Command:
        for option in reversed(options):
            function = option(function)
        return function

    return apply


class Parsed(ParamType):
    """A parameter type whose text is parsed by a function that raises ``ValueError`` with a line for the user."""

    def __init__(self, name: str, parse: Callable[[str], object]) -> None:
        self.name = name
        self.parse = parse

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """Parse a text; other values, such as parsed ones, are returned unchanged."""
        if not isinstance(value, str):
            return value
        try:
            return self.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _finite(text: str) -> float:
    """Parse a finite number."""
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a valid float.") from None
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number.")
    return number


def within(low: float, high: float | None = None) -> Parsed:
    """A parameter type: numbers from ``low`` to ``high``, both included."""

    def parse(text: str) -> float:
        number = _finite(text)
        if number < low or (high is not None and number > high):
            ends = f"{low:g}<=x<={high:g}" if high is not None else f"x>={low:g}"
            raise ValueError(f"{text} is not in the range {ends}.")
        return number

    return Parsed("float range", parse)


def _pair(text: str) -> tuple[float, float]:
    """Parse two numbers like ``0.3,0``."""
    try:
        first, second = map(_finite, text.split(","))
    except ValueError:
        raise ValueError(f"{text!r}: expected two numbers like 0.3,0") from None
    return first, second


def _width(text: str) -> int | str:
    """Parse a width in pixels, or ``native``."""
    if text == "native":
        return text
    if not text.isdigit() or not 2 <= int(text) <= 16384:
        raise ValueError(f"{text!r}: expected a width in pixels (2-16384), or native")
    return int(text)


def _sha256(text: str) -> str:
    """Parse a SHA-256 in hex."""
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise ValueError(f"{text!r:.80}: expected the 64 hex digits of a SHA-256")
    return text


def _classes(text: str) -> tuple[int, ...]:
    """Parse classes like ``3`` or ``0,2,5-7``."""
    return tuple(dict.fromkeys(parse_numbers(text, "class", MAX_DIRECTION)))


def _label(text: str) -> tuple[float, ...]:
    """Parse the numbers of a label, or read the file that they are in."""
    try:
        return tuple(map(_finite, text.split(",")))
    except ValueError:
        if "," in text and not os.path.exists(text):
            raise ValueError(f"{text!r:.60}: expected numbers like 0.5,0,0.5, or a file with them") from None
    from ..rendering.latent_files import LatentsError, read_label

    try:
        return read_label(text)
    except LatentsError as error:
        raise ValueError(str(error)) from None


def _colour(text: str) -> tuple[int, int, int]:
    """Parse a colour like ``black`` or ``#203040``."""
    from PIL import ImageColor

    try:
        return ImageColor.getrgb(text)[:3]
    except ValueError:
        raise ValueError(f"{text!r:.40}: expected a colour like black or #203040") from None


def _pictures(text: str) -> tuple[int, ...]:
    """Parse numbers of pictures like ``0,4,7-9``."""
    return tuple(parse_numbers(text, "picture", MAX_DIRECTION))


def _region(text: str) -> Region:
    """Parse a region, or read its mask."""
    from ..directions.region import Region

    return Region.of(text)


FLOAT = Parsed("float", _finite)
PAIR = Parsed("pair", _pair)
WIDTH = Parsed("width", _width)
SHA256 = Parsed("digest", _sha256)
CLASSES = Parsed("classes", _classes)
LABEL = Parsed("label", _label)
COLOUR = Parsed("colour", _colour)
SEEDS = Parsed("seeds", parse_seeds)
KEYS = Parsed("directions", parse_keys)
PICTURES = Parsed("pictures", _pictures)
REGION = Parsed("region", _region)
DISTANCE = Parsed("distance", parse_distance)
EDIT = Parsed("edit", parse_edit)
AXIS = Parsed("axis", parse_axis)


def _set_quiet(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    ctx.meta[QUIET] = value


debug = stack(
    click.option(
        "--quiet",
        is_flag=True,
        expose_value=False,
        callback=_set_quiet,
        help="Print warnings, errors and results that were asked for, and nothing else.",
    ),
    click.option("--debug", is_flag=True, help="Show the whole traceback when something fails."),
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
strict = click.option("--strict", is_flag=True, help="Refuse what is otherwise only warned of.")
trust_pickle = click.option(
    "--trust-pickle",
    is_flag=True,
    help="Run the file's own code where its network is not known. It can do anything: only if you trust its maker.",
)
allow_local = click.option(
    "--allow-local", is_flag=True, help="Follow a public server's redirection into a private network."
)


def whole(*names: str, help: str, low: int, high: int | None = None, default: int | None = None) -> Decorator:
    """An option that takes a whole number."""
    return click.option(*names, type=click.IntRange(low, high), default=default, help=help, metavar="INT")


def choice(option: str, words: str, help: str, default: str | None = None) -> Decorator:
    """An option that takes one of some words."""
    return click.option(option, type=click.Choice(words.split()), default=default, help=help)


def count(help: str, default: int | None = None) -> Decorator:
    """Option -K."""
    return whole("-K", "--num-directions", low=1, default=default, help=help)


def overwriting(help: str) -> Decorator:
    """Option --overwrite."""
    return click.option("--overwrite", is_flag=True, help=help)


def _outdir(usual: str) -> Decorator:
    return click.option("--outdir", type=Folder(), help=f"Where to put everything.  [default: {usual}]", metavar="DIR")


outdir = _outdir("sefa-out/NETWORK")
outdir_of_edits = _outdir("a folder in sefa-out/NETWORK/edits")
overwrite = overwriting("Make outputs again even where they are up to date.")
replace_file = overwriting("Replace an existing file.")
single_file = click.option(
    "--single-file",
    is_flag=True,
    help="Write index-single.html as well: the page with its pictures and clips inside, for a mail.",
)
which = click.option(
    "--which",
    default="G_ema",
    help="Entry of the file: G_ema, G, D, or a name that its weights have there (sefa info lists them).",
    metavar="NAME",
    show_default=True,
)


def _network(required: bool, help: str) -> Decorator:
    return stack(
        click.option("--network", type=File("network"), required=required, help=help, metavar="FILE|URL"),
        which,
        click.option("--sha256", type=SHA256, help="Digest that the file must have.", metavar="HEX"),
        allow_local,
        trust_pickle,
    )


_NETWORK = "Network file (.pkl, .pt, .safetensors, .zip), URL, hf://owner/name, or 'demo' or 'vases', which ship along."
network = _network(True, _NETWORK)
network_or_recipe = _network(False, f"{_NETWORK}  [default: that of --recipe]")
network_of_directions = _network(False, "Network that the directions are for: gives layers, sizes and eigenvalues.")
normalize = click.option("--normalize/--no-normalize", default=True, help="Scale weight rows to unit length.")
torgb = choice("--torgb", "last never always", "ToRGB layers to use.", default="last")
factorisation = stack(
    click.option(
        "--layers",
        default="all",
        help="all, coarse, middle, fine, each, input (StyleGAN3), or ws indices like 0-1,5.",
        metavar="LAYERS",
    ),
    choice("--space", "w z", "Where directions are looked for.", default="w"),
    normalize,
    torgb,
    choice(
        "--sharpen",
        "none layers pictures",
        "Re-mix directions until no two move the same layer in the same way: docs/sharp.md.",
        default="none",
    ),
    click.option(
        "--region",
        type=REGION,
        help="Find directions that change one part of the picture: x,y,width,height as parts of its sides (0 to 1), "
        "or a picture that is white there: docs/local.md.",
        metavar="X,Y,W,H|FILE",
    ),
    whole(
        "--code-samples",
        low=1,
        help="Codes that --sharpen measures w with.  [default: 16 for each of its dimensions, 8192 or more]",
    ),
)
look = stack(
    click.option(
        "--class",
        "classes",
        type=CLASSES,
        help="Class of a conditional network; several, like 0,2, make outputs for each.",
        metavar="LIST",
    ),
    click.option(
        "--label",
        type=LABEL,
        help="A whole label instead of a class, like 0.5,0,0.5: a mixture, or several at once; or a file of one.",
        metavar="NUMBERS|FILE",
    ),
    click.option(
        "--background",
        type=COLOUR,
        help="Behind transparent pictures (RGBA), like black or #203040.  [default: white; PNG stays transparent]",
        metavar="COLOUR",
    ),
    click.option("--trunc", type=FLOAT, default=1.0, help="Truncation psi.", metavar="FLOAT"),
    whole("--trunc-cutoff", low=0, help="Rows of ws to truncate.  [default: all]"),
    choice("--noise-mode", "const random none", "Noise of StyleGAN2.", default="const"),
    click.option("--translate", default="0,0", type=PAIR, help="Shift of StyleGAN3's input.", metavar="X,Y"),
    click.option("--camera", type=PAIR, help="Where EG3D looks from, in degrees.  [default: 0,0]", metavar="YAW,PITCH"),
    click.option("--fov-deg", type=within(1, 179), default=18.837, help="EG3D's field of view.", metavar="ANGLE"),
    click.option("--rotate", type=FLOAT, default=0.0, help="Turn of StyleGAN3's input in degrees.", metavar="ANGLE"),
)
latents = stack(
    click.option("--seeds", type=SEEDS, help="Seeds like 0,1,4-6.  [default: 0-2]", metavar="LIST"),
    look,
    click.option(
        "--projected-w", type=File("latents"), help="Projected ws (.npz, .npy, .pt) instead of seeds.", metavar="FILE"
    ),
)
directions_file = click.option(
    "--directions-file", type=File("directions"), help="Use a directions file instead of factorising.", metavar="FILE"
)
edit_layers = click.option(
    "--edit-layers", help="Layers that edits change, like --layers.  [default: the factorised ones]", metavar="LAYERS"
)
edits = click.option(
    "--edit",
    "edits",
    type=EDIT,
    multiple=True,
    help="Direction and distance: 0=+2.5, smile=-1, -1=3 (the weakest); coarse:0=2 (of other layers), "
    "0=2@4-7 (edited there), 0=auto or 0=50% (of the calibrated range). Any number of times.",
    metavar="EDIT",
)


def _axis(option: str, where: str) -> Decorator:
    return click.option(
        option,
        type=AXIS,
        required=True,
        help=f"The direction {where}: 0, smile, -1, coarse:0; with a range smile=2 or 0=-1,3.  [default: auto]",
        metavar="DIRECTION",
    )


axes = stack(_axis("--across", "from left to right"), _axis("--down", "from top to bottom"))

order = choice(
    "--order",
    "strength clean",
    "With --sharpen: the strongest first, or those that do one thing (of layers 1,056 pictures, once): docs/sharp.md.",
    default="strength",
)
which_directions = stack(
    count("How many, the first in --order.", 5),
    order,
    click.option(
        "--directions",
        type=KEYS,
        help="Which ones, like 0,3,7-9,smile; -1 is the weakest.  [default: the first K]",
        metavar="LIST",
    ),
    directions_file,
    edit_layers,
    click.option(
        "--distance",
        type=DISTANCE,
        default="auto",
        help="How far to go: auto (until it shows), 3 (-3 to 3), or -5,5. Units of w.",
        metavar="auto|D|LOW,HIGH",
    ),
)


def _frames(usual: str) -> Decorator:
    help = f"Frames of a video.  [default: {usual}]"
    return whole("--frames", low=1, high=100_000, help=help)


fps = click.option("--fps", type=within(1, 1000), help="Frames per second.  [default: 30, gif 15]", metavar="FLOAT")
kind = choice("--video", "mp4 gif png none", "What to write.", default="mp4")
grid = click.option("--grid", is_flag=True, help="One more video: seeds down, directions across.")
clips = stack(
    click.option("--captions", is_flag=True, help="Write direction and distance below the frames."),
    click.option(
        "--size", type=WIDTH, help="Largest video width, or native.  [default: 1920, gif 480]", metavar="PIXELS"
    ),
    click.option(
        "--scale",
        type=click.IntRange(1, 4),
        help="Enlarge pictures of sheets and videos 2, 3 or 4 times.  [default: videos below 256 px to 256 or more]",
        metavar="INT",
    ),
    choice("--canvas", "1080p square", "Format of a video: 1920x1080, or 1080x1080; pictures as large as fit."),
    click.option(
        "--max-mb",
        type=within(0.01),
        default=10.0,
        help="Largest GIF in megabytes; it is made smaller until it fits.",
        metavar="MB",
    ),
)
video = stack(
    _frames("60"),
    fps,
    choice("--loop", "pingpong once", "There and back, or once.  [default: pingpong]"),
    kind,
    choice("--easing", "linear sine", "sine slows at both ends.  [default: linear]"),
    grid,
    clips,
)
video_of_recipes = stack(  # also through the key frames of a recipe
    _frames("60; of a sequence or walk 60 a key frame"),
    fps,
    choice(
        "--loop",
        "pingpong once closed",
        "There and back, once, or (sequence, walk) from the last to the first.  [default: pingpong; closed for these]",
    ),
    kind,
    choice(
        "--easing",
        "linear sine cubic spherical",
        "sine slows at key frames; of a recipe also cubic: a smooth curve through them, and of a walk spherical: "
        "through Z.  [default: linear; of a walk cubic]",
    ),
    grid,
    clips,
)
video_of_planes = stack(
    _frames("60"),
    fps,
    kind,
    clips,
    choice(
        "--path",
        "ellipse corners",
        "Of the video: an ellipse that touches all four edges of the sheet, or along them from corner to corner.",
        default="ellipse",
    ),
)
recipe = stack(
    click.option(
        "--recipe",
        type=File("recipe"),
        help="A recipe.json of `sefa edit`, or its folder: make its pictures, or --animate it.",
        metavar="FILE",
    ),
    choice(
        "--animate",
        "edit sequence walk",
        "Video of a recipe: unedited to edited, one edit after the other, or from seed to seed, edited.",
    ),
    click.option("--other-network", is_flag=True, help="Use a recipe with another network than its own."),
)
rendering = stack(
    choice("--device", "auto cpu cuda mps", "auto takes CUDA where there is any.", default="auto"),
    choice(
        "--precision",
        "auto float32 bf16",
        "auto lets the network use float16 on CUDA; bf16 is for CPUs that have it.",
        default="auto",
    ),
)
scoring = stack(
    click.option(
        "--scorer",
        "scorers",
        multiple=True,
        help="demo, clip, open_clip, onnx:FILE, or MODULE:NAME of yours, which is run; may be repeated.  "
        "[default: demo for the bundled network]",
        metavar="SCORER",
    ),
    click.option(
        "--attribute",
        "attributes",
        multiple=True,
        help="For CLIP: 'glasses=a face with glasses|a face'; may be repeated.",
        metavar="NAME=FOR|AGAINST",
    ),
    click.option(
        "--score-only", help="Attributes to measure, of those that scorers give.  [default: all]", metavar="LIST"
    ),
    click.option("--clip-model", help="Folder of a CLIP model (clip), or its name (open_clip).", metavar="FOLDER|NAME"),
    click.option("--clip-weights", type=File("any"), help="Weights of a model of open_clip.", metavar="FILE"),
    whole("--samples", low=2, high=1_000_000, default=2000, help="Samples to measure on."),
    whole("--first-seed", low=0, high=2**32 - 1_000_001, default=1000, help="Their first seed."),
)
one_group = stack(
    click.option(
        "--layers", default="all", help="One group: all, coarse, middle, fine, or ws indices.", metavar="LAYERS"
    ),
    torgb,
)
train_samples = click.option(
    "--train-samples",
    type=click.IntRange(100, 10_000_000),  # two at each end; with fewer there is no training sample
    default=10_000,
    help="Samples that InterFaceGAN learns from.",
    metavar="INT",
)
code_samples = whole(
    "--code-samples",
    low=2,
    high=100_000_000,
    default=65_536,
    help="Samples of w that GANSpace takes; they cost no picture.",
)
split_seed = whole("--seed", low=0, high=2**32 - 1, default=0, help="Of splits and random directions.")
measuring = stack(
    look, rendering, outdir, overwriting("Measure anew, whatever an earlier run has left."), as_json, strict, debug
)
