"""The plan of a StyleGAN2 generator, from its constructor arguments or from the shapes of its tensors."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from sefa_plugin.hook import SIZES, HookError, NetworkRecord, StyleLayer

from .buffers import TAPS, low_pass
from .planned import Held, RenamedHook, Shapes, Weights
from .tensors import array

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

ARCHITECTURES = ("orig", "skip", "resnet")


class MappingOptions(NamedTuple):
    """Keywords of the mapping network, with the defaults of stylegan2-ada-pytorch.

    The last two are of the TensorFlow toolkits: whether labels are multiplied by a matrix and appended to z, and
    whether z is normalised.
    """

    num_layers: int = 8
    embed_features: int | None = None
    layer_features: int | None = None
    activation: str = "lrelu"
    lr_multiplier: float = 0.01
    w_avg_beta: float | None = 0.995
    label_concat: bool = False
    normalize_latents: bool = True


class SynthesisOptions(NamedTuple):
    """Keywords of the synthesis network; ``channels``, by resolution, are set where they come from shapes."""

    channel_base: int = 32768
    channel_max: int = 512
    num_fp16_res: int = 0
    channels: Mapping[int, int] | None = None


class BlockOptions(NamedTuple):
    """Keywords of every block of the synthesis network."""

    architecture: str = "skip"
    resample_filter: Sequence[float] | None = TAPS
    conv_clamp: float | None = None
    kernel_size: int = 3
    use_noise: bool = True
    activation: str = "lrelu"
    first_size: tuple[int, int] = (4, 4)  # of the constant input


class StyleGAN2Plan(NamedTuple):
    """Constructor arguments of a StyleGAN2 generator with the defaults filled in; see ``planned.Plan``."""

    z_dim: int
    c_dim: int
    w_dim: int
    img_resolution: int
    img_channels: int
    mapping: MappingOptions
    synthesis: SynthesisOptions
    block: BlockOptions = BlockOptions()

    @property
    def resolutions(self) -> list[int]:
        """Block resolutions, from 4 to the picture's."""
        return [2**power for power in range(2, int(math.log2(self.img_resolution)) + 1)]

    def channels(self, resolution: int) -> int:
        """Feature channels of the block at ``resolution``."""
        options = self.synthesis
        if options.channels:
            return options.channels[resolution]
        return min(options.channel_base // resolution, options.channel_max)

    def has_torgb(self, resolution: int) -> bool:
        """Whether the block at ``resolution`` has a ToRGB layer."""
        return resolution == self.img_resolution or self.block.architecture == "skip"

    def sizes(self) -> dict[str, int]:
        num_ws = 2 * len(self.resolutions)  # one per convolution, and one for the last ToRGB
        return dict(zip(SIZES, (self.z_dim, self.c_dim, self.w_dim, num_ws, self.img_resolution, self.img_channels)))

    def tensors(self) -> Shapes:
        shapes = dict(self._mapping_tensors())
        taps = self.block.resample_filter
        inputs = 0
        for resolution in self.resolutions:
            outputs = self.channels(resolution)
            name = f"synthesis.b{resolution}"
            shapes[f"{name}.resample_filter"] = _filter_shape(taps)
            if inputs:
                shapes.update(self._layer_tensors(f"{name}.conv0", inputs, outputs, resolution, taps))
            else:
                shapes[f"{name}.const"] = (outputs, *self._pixels(resolution))
            shapes.update(self._layer_tensors(f"{name}.conv1", outputs, outputs, resolution, TAPS))
            if self.has_torgb(resolution):
                shapes[f"{name}.torgb.weight"] = (self.img_channels, outputs, 1, 1)
                shapes[f"{name}.torgb.bias"] = (self.img_channels,)
                shapes.update(linear(f"{name}.torgb.affine", self.w_dim, outputs))
            if inputs and self.block.architecture == "resnet":
                shapes[f"{name}.skip.weight"] = (outputs, inputs, 1, 1)
                shapes[f"{name}.skip.resample_filter"] = _filter_shape(taps)
            inputs = outputs
        return shapes

    def _pixels(self, resolution: int) -> tuple[int, int]:
        """Height and width of a block."""
        return self.block.first_size[0] * resolution // 4, self.block.first_size[1] * resolution // 4

    def _mapping_tensors(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        options = self.mapping
        embed = options.embed_features if options.embed_features is not None else self.w_dim
        embed = embed if self.c_dim else 0
        hidden = options.layer_features if options.layer_features is not None else self.w_dim
        if self.c_dim and options.label_concat:
            yield "mapping.embed.weight", (embed, self.c_dim)
        elif self.c_dim:
            yield from linear("mapping.embed", self.c_dim, embed)
        yield from dense_layers(self.z_dim + embed, hidden, self.w_dim, options.num_layers)
        if options.w_avg_beta is not None:
            yield "mapping.w_avg", (self.w_dim,)

    def _layer_tensors(
        self, name: str, inputs: int, outputs: int, resolution: int, taps: Sequence[float] | None
    ) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield f"{name}.weight", (outputs, inputs, self.block.kernel_size, self.block.kernel_size)
        yield f"{name}.bias", (outputs,)
        yield f"{name}.resample_filter", _filter_shape(taps)
        if self.block.use_noise:
            yield f"{name}.noise_const", self._pixels(resolution)
            yield f"{name}.noise_strength", ()
        yield from linear(f"{name}.affine", self.w_dim, inputs)

    def style_layers(self, weights: Weights) -> list[StyleLayer]:
        """Every affine in the order of execution. An inner ToRGB shares its ws row with the next convolution."""
        layers: list[StyleLayer] = []
        gain = 1 / math.sqrt(self.w_dim)
        row = 0
        for size in self.resolutions:
            for part in ["conv1"] if size == 4 else ["conv0", "conv1"]:
                name = f"synthesis.b{size}.{part}.affine"
                weight = weights(f"{name}.weight")
                layers.append(StyleLayer(name, weight, row, "conv", gain, size=size, detail=float(size)))
                row += 1
            if self.has_torgb(size):
                name, inner = f"synthesis.b{size}.torgb.affine", 1 / math.sqrt(self.channels(size))
                weight = weights(f"{name}.weight")
                layers.append(StyleLayer(name, weight, row, "torgb", gain, inner, size=size, detail=float(size)))
        return layers

    def mapping_layer(self, weights: Weights) -> StyleLayer:
        return first_mapping_layer(weights, self.mapping.lr_multiplier)

    def build(self) -> nn.Module:
        from sefa_plugin.generators.stylegan2 import Generator

        return Generator(
            *self[:5],
            mapping_kwargs=self.mapping._asdict(),
            synthesis_kwargs={**self.synthesis._asdict(), **self.block._asdict()},
        )


def linear(name: str, inputs: int, outputs: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The tensors of a fully connected layer."""
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def dense_layers(inputs: int, hidden: int, outputs: int, count: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The tensors of the fully connected layers of a mapping network."""
    widths = [inputs] + [hidden] * (count - 1) + [outputs]
    for index, (before, after) in enumerate(zip(widths, widths[1:])):
        yield from linear(f"mapping.fc{index}", before, after)


def first_mapping_layer(weights: Weights, gain: float) -> StyleLayer:
    """The first layer of a mapping network; ``gain`` is without the division by the root of the number of inputs."""
    weight = weights("mapping.fc0.weight")
    return StyleLayer("mapping.fc0", weight, -1, "mapping", gain / math.sqrt(weight.shape[1]))


def _filter_shape(taps: Sequence[float] | None) -> tuple[int, ...]:
    """Shape of a stored low-pass filter: short ones are stored as their outer product."""
    if taps is None:
        return (1, 1)
    return (len(taps), len(taps)) if len(taps) < 8 else (len(taps),)


def plan_of(
    sizes: tuple[int, int, int, int], widths: Sequence[int], mapping: MappingOptions, block: BlockOptions
) -> StyleGAN2Plan:
    """The plan of a network with these shapes: z_dim, c_dim, w_dim and img_channels, and channels of every block."""
    z_dim, c_dim, w_dim, img_channels = sizes
    channels = {4 << index: width for index, width in enumerate(widths)}
    options = SynthesisOptions(channels=channels)
    return StyleGAN2Plan(z_dim, c_dim, w_dim, max(channels), img_channels, mapping, options, block)


class StyleGAN2RenamedHook(RenamedHook[StyleGAN2Plan]):
    """A hook of StyleGAN2 networks whose tensors have other names, and that scale convolutions at run time."""

    adds_one = False  # whether the network adds 1 to the biases of styles, instead of storing it in them

    @abstractmethod
    def named(self, record: NetworkRecord, plan: StyleGAN2Plan, ours: str, shape: tuple[int, ...]) -> Held:
        """Where a tensor of our generator, other than a filter, is in the file."""

    def table(self, record: NetworkRecord, plan: StyleGAN2Plan) -> dict[str, Held]:
        shapes = plan.tensors().items()
        return {ours: self.named(record, plan, ours, shape) for ours, shape in shapes if not is_filter(ours)}

    def arrays(self, record: NetworkRecord) -> dict[str, np.ndarray]:
        """Arrays by our generator's names, filters included.

        Toolkits that scale convolutions at run time add the demodulation's epsilon (section 2.2) to scaled
        weights; ours does not scale, so the factor is multiplied into the weights. ToRGB is scaled in both.
        """
        made, plan = super().arrays(record), self.plan(record)
        for name, shape in plan.tensors().items():
            if is_filter(name):
                taps = plan.block.resample_filter or TAPS
                made[name] = low_pass(taps if shape == (len(taps),) * 2 else TAPS)
            elif name.endswith((".conv0.weight", ".conv1.weight")):
                made[name] /= math.sqrt(math.prod(shape[1:]))
            elif name.endswith(".affine.bias") and self.adds_one:
                made[name] += 1
        return made


def is_filter(name: str) -> bool:
    """Whether a tensor of our generator is a low-pass filter, which other toolkits store differently."""
    return name.endswith(".resample_filter")


def check_filters(record: NetworkRecord, names: Iterable[str], gain: float = 4) -> None:
    """Compare the filters of up-sampling layers in a file with the usual one; those that it lacks have no other.

    Their sum is 4 in most toolkits: doubling the size inserts zeros, so that the mean is a quarter.

    Raises:
        HookError: names the first that is another one.
    """
    import numpy as np

    wanted = low_pass() * gain
    for name in names:
        if name not in record.tensors:
            continue
        held = array(record.tensors[name])
        held = low_pass(held.tolist()) * gain if held.ndim == 1 else held
        if (
            held.size != wanted.size or not np.abs(held.reshape(wanted.shape) - wanted).max() <= 0.02
        ):  # float16 differs by less, other taps by more
            raise HookError(f"{record.path}: {name} is not the filter 1, 3, 3, 1: a modified network")


def assumed(what: str) -> str:
    """The remark that names arguments which no tensor shows."""
    return f"a state_dict does not say how its network was set up; assumed: {what}"
