"""Networks that are recognised but not supported: what they are, and what can be done with them."""

from __future__ import annotations

from collections.abc import Callable

from sefa_plugin.hook import NetworkRecord, others_of

_DISCRIMINATOR = "is a discriminator, which tells pictures apart and makes none"
_NO_USE = (_DISCRIMINATOR, "is an augmentation pipeline", "is an encoder", "is a StyleGAN-T generator")


def identify(record: NetworkRecord) -> str:
    """What a network without a hook is; '' if unknown.

    ``record`` may be incomplete: unknown plain classes are given by their dotted path.
    """
    text = next((text for known, text in _KNOWN if known(record)), "")
    return text + others_of(record) if text == _DISCRIMINATOR else text


def never_renders(record: NetworkRecord) -> bool:
    """Whether a network makes no pictures, or none that styles lead to, so that running its own code is of no use."""
    return identify(record).startswith(_NO_USE)


def _has(*parts: str, classes: tuple[str, ...] = (), roots: tuple[str, ...] = ()) -> Callable[[NetworkRecord], bool]:
    """A test of a record: one of these parts in a tensor's name, or one of these names of a module's class.

    ``roots`` are bare names of the network's own class; ``classes`` of any module's, or names of its package.
    """

    def test(record: NetworkRecord) -> bool:
        paths = [record.class_name, *(module.class_name for module in record.modules.values())]
        return (
            any(part in name for part in parts for name in record.tensors)
            or record.class_name.rpartition(".")[2] in roots
            or any(path.rpartition(".")[2] in classes or path.startswith(classes) for path in paths)
        )

    return test


def _is_encoder(record: NetworkRecord) -> bool:
    by_class = _has(roots=("pSp", "e4e", "GradualStyleEncoder", "Encoder4Editing"))(record)
    return by_class or (bool(record.tensors) and all(name.startswith("encoder.") for name in record.tensors))


def _inside(checkout: str) -> str:
    return f"; inside a checkout of {checkout}, its own code can be run"


def _in_python(what: str, loaded: str, ending: str) -> str:
    """A toolkit whose networks are not read, and the Python line that makes directions of one in memory."""
    chosen = f"{{n: p.detach() for n, p in G.named_parameters() if n.endswith('{ending}')}}"
    return f"is {what}, which is not read here; in Python, with {loaded}: sefa_plugin.factorize({chosen})"


def _is_of_adriansahlman(record: NetworkRecord) -> bool:
    return "dlatent_avg" in record.tensors and set(record.tensors) <= {"dlatent_avg", "layer_psi"}


# The first whose test passes is used. The facts are from the projects' repositories.
_KNOWN: tuple[tuple[Callable[[NetworkRecord], bool], str], ...] = (
    (
        _has("Hz_geom", roots=("AugmentPipe",)),
        "is an augmentation pipeline, part of a training; no network that makes pictures",
    ),
    (
        lambda record: _has("Model.ExtractionLayer.")(record) or "Discriminator" in record.class_name,
        _DISCRIMINATOR,
    ),
    (
        _is_encoder,
        "is an encoder (pSp, e4e or ReStyle), which turns photographs into latents; give the generator's own file",
    ),
    (
        _has("Model.MainLayers.0.Layers.0.LinearLayer.", classes=("R3GAN.Networks",)),
        "is an R3GAN generator, which shares no more than its class's name with StyleGAN2-ADA's: it has neither W "
        "nor truncation, and z enters one linear layer" + _inside("R3GAN"),
    ),
    (
        _has(".affine.proj.weight", classes=("StyleSplit", "networks.generator")),
        "is a StyleGAN-T generator, whose styles are products of two affine functions of text and latent, so that "
        "SeFa does not apply to them",
    ),
    (
        _has("synthesis.fg_nerf.", "synthesis.bg_nerf.", classes=("NeRFSynthesisNetwork", "NeRFBlock")),
        "is a StyleNeRF generator: a radiance field that is rendered by its own code only" + _inside("StyleNeRF"),
    ),
    (
        _has("synthesis.tri_plane_decoder.", "synthesis.tri_plane_mlp.", classes=("TriPlaneMLP", "TriPlaneDecoder")),
        "is an EpiGRAF generator: a radiance field that is rendered by its own code only" + _inside("epigraf"),
    ),
    (
        _has("synthesis.motion_encoder.", ".time_encoder.", classes=("MotionMappingNetwork", "src.training")),
        "is a StyleGAN-V generator (videos; or an INR-GAN), whose pictures depend on motion codes and a moment"
        + _inside("stylegan-v"),
    ),
    (
        lambda record: "cfg" in record.init_kwargs and _has("synthesis.b4.input.")(record),
        "is a generator of the StyleGAN-V or INR-GAN code, which is set up by a configuration" + _inside("stylegan-v"),
    ),
    (
        _has("synthesis.to_big.", "synthesis.init.init.", classes=("FastganSynthesis", "FastganSynthesisCond")),
        "is a FastGAN generator (Projected GAN, StyleGAN-XL): it has no W, and z enters one transposed convolution"
        + _inside("projected-gan"),
    ),
    (
        _is_of_adriansahlman,
        _in_python(
            "a generator of adriansahlman/stylegan2_pytorch",
            "G = stylegan2.models.load(FILE) of that repository",
            ".dense.layer.weight",
        ),
    ),
    (
        _has("style_mapping.", "constant_input."),
        _in_python(
            "a checkpoint of MMGeneration or mmagic, of another generator than its StyleGAN2",
            "its generator_ema as G",
            ".style_modulation.linear.weight_orig",
        ),
    ),
    (
        lambda record: record.class_name == "TriPlaneGenerator",
        "is an EG3D generator of another kind than the released ones" + _inside("eg3d"),
    ),
)
