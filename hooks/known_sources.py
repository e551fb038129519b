"""Digests of module sources that are known to compute the same as the generators that the hooks build.

A network file contains the source of its classes. A fork may change a gain there that no tensor or argument shows, so
networks with an unlisted source are rendered with a warning.
"""

from __future__ import annotations

from sefa_plugin.hook import NetworkRecord

# digest (module_walk.source_digest) -> (hook, origin of the text)
KNOWN: dict[str, tuple[str, str]] = {
    "ee4a9de7b3b09334c8a8654d556cfa7675d1321c759917650450665edc9d1cbd": ("stylegan2_ada", "sefa_plugin demo"),
    # Every version of these modules in the toolkits' histories.
    "b96fe1839789dede13e89632a0f75fa6f87e3bdd0b68c5101d939ab727245364": ("stylegan2_ada", "stylegan2-ada-pytorch"),
    "9fd9bc7a5eec1bcc943eba51ea3f6a268527d0e10385822ec86a5e8c3552572a": ("stylegan3", "stylegan3 (StyleGAN2)"),
    "f848022c08fd46384640bb2dc7d956e9ae7a83dd8ce4172da5a54aff2708c94a": ("stylegan3", "stylegan3"),
    # The TensorFlow toolkits, without PGGAN's first version (February 2018): its first layer has four times the gain.
    "9c0b125f7777bc4859999c21e850a819c644248a810829b103656d64ce4cd9bb": ("pggan", "progressive_growing_of_gans"),
    "fa63e49fe6403f7c96ad057acbfb9d4e49c38ebd381257f243c4c3ce0c21868b": ("pggan", "stylegan (PGGAN)"),
    "86713ba7fa81921d5f76ef6759593592f794edc8424548a477639f84fa261a4d": ("stylegan1", "stylegan"),
    "caaac3b5f1d8bfcbf3eb9d72b33e4d97a13dd8b9f6839debeecd831156bf2536": ("stylegan1", "stylegan2 (config A)"),
    "70eac64d64dbbafaa2909a1a3a17d7d9659c640be945db2b3095211a4786e5dc": ("stylegan2_tf", "stylegan2"),
    "8c76023b66cb2e346e05f1be27b000b80f1b5e8320d6825413eaac6f887596e3": ("stylegan2_tf", "stylegan2-ada"),
    # Forks whose generator classes are the same, by comparison of their syntax trees.
    "1c7892a9bf9a401d0804809c475324282358f457c624153f4062d10f8ce065ed": (
        "stylegan2_ada",
        "dvschultz/stylegan2-ada-pytorch (2021)",
    ),
    "a494622bce4e6a1b82bb040bc4841cb2f2448d4a2541b4d8474701e1c6caa0ee": ("stylegan3", "PDillis/stylegan3-fun (2021)"),
    "7136278d1649ee835fb3082d4b875f256910c2f7ebc1d8f58447bf8bc20d0c50": ("stylegan3", "Projected GAN (StyleGAN2)"),
    "c9233079e94040b6e5064021e85fb15d64ca01b3dda8b4b5f890af159f1239a8": ("stylegan3", "StyleGAN-XL (StyleGAN2)"),
    # Forks with the same arithmetic and additional arguments, which must have values that change nothing.
    "29238fbe0add6d4b4f9bddb65e60c4766e9b0d1604cccd75148394dc8fd6f317": ("stylegan3", "EG3D (StyleGAN2)"),
    "080ff82a529f1d93c29019029807d56168faf9410f29f9fa5db7a66df1bc28a1": ("eg3d", "EG3D"),
    "b2b4b4bf725b7dc8118e1b81c2109f746640e5ac15675ce0858d3d76867cdd6b": ("eg3d", "EG3D (super-resolution)"),
    "b07adbf29d66cd3eb856b6be75516858d02f07b443a108e24f193d093e4e044c": ("stylegan3", "EG3D (StyleGAN3)"),
    "99b27fdc8e8d3fc22c049e7e29b35fea7654fd3f49ec82cb3c76ad93c68dce34": ("stylegan3", "stylegan3-fun (StyleGAN2)"),
    "ea19ef2097beffce219db136f739bfaf5bdf546a25ca5af5a25d4442d475f6c7": ("stylegan3", "stylegan3-fun (StyleGAN2)"),
    "56e08a4e7ce8c1df6fef75372cb47165ff5fbd2eb6604e123c51b0a7c0061b12": ("stylegan3", "stylegan3-fun (StyleGAN2)"),
    "5b5fa5ed5c4d276ac8098f7131ea0b2c467c06e52dafd11edb433120932f22e3": ("stylegan3", "stylegan3-fun (StyleGAN2)"),
    "0213e700ac1c05932290f46fdff4e522c1ca9ad132a52282fd2b9d2087608450": ("stylegan3", "stylegan3-fun"),
    "fcd59d03c4657a36763f540ebe1e7f3053e94ca7b5f1f852bf0b26ef19132c04": ("stylegan3", "stylegan3-fun"),
    "433a92288abbfa1938624a0717f06fc6c65bded873569546a66b77262395fe10": ("stylegan2_ada", "dvschultz (2021)"),
    "37b978110ad2f8cfef1b322988a8990898c798be7878119a79af96d35df496a1": ("stylegan2_ada", "dvschultz (2021-22)"),
    "b04c1462f24af615dc391f9608e318299a3d54651c71cbda271b3e32925b6e40": ("stylegan2_ada", "dvschultz (2022)"),
    "8bed3da41d05878c286122b0bea7179db30be79a82ee2f34b400abbd485e2d55": ("stylegan2_ada", "dvschultz (deepVogue)"),
    "02d2c44f069e6f3ba2f61a656b34287641edee75f8720763827cf53fe0af2e53": ("stylegan3", "DragGAN (StyleGAN2)"),
    "3d7b05976131852144701a9e08333a5aa3583ae1ce7eabb716210c02a2177d6c": ("stylegan3", "DragGAN (StyleGAN3)"),
    "e880395f5ad020e2ce0d3fe2b7619b0d5ff6903c31fd00e0bb2287910b2a1c30": ("stylegan3", "DragGAN (StyleGAN2)"),
    "631b2f190619a3f3fbd766169612cf89548daa8958ad520b34b4c6971065ba3b": ("stylegan3", "DragGAN (StyleGAN3)"),
    "1f2d671d3a6a6387e1401652b102a7d9531197fe71b82b465735b345f1318981": ("stylegan2_ada", "DragGAN (StyleGAN-Human)"),
    "5b3f53a56c8ae2bbb795d91969c57271531de24e30ad6380547c052e71f53b59": ("stylegan3", "StyleGAN-XL (StyleGAN2)"),
    "b1203b2ed9fe89ba4b3af61f63b8197b8d52a058edbe5b979c91222205839d00": ("stylegan2_ada", "eps696"),
    "0e88e02f480bedbbcf6383df8a470a55452b6d4b7f5adababa7164b2dc6ff010": ("stylegan2_ada", "eps696"),
    # Another discriminator; the first text has a mapping network besides that the generator does not use.
    "262242296355ba7787a893287ecef5a7a860cdd50388383e223428ca997ec1da": ("stylegan2_ada", "Diffusion-GAN"),
    "4efc0c566661842c86d539c4220664ee810c148a5578085d41b74f1988fcd455": ("stylegan2_ada", "Diffusion-GAN"),
    "05d07c2aa50da28480260902c998201375eaaa06783fbd89fbd753f9915f1430": ("stylegan2_ada", "Diffusion-GAN (InsGen)"),
    # StyleGAN-Human, both generations.
    "9e3b9d0231a1150452910cbe003a69a4f282c17b5a2ad46a8a37a5552e027509": ("stylegan2_ada", "StyleGAN-Human (sg2)"),
    "5b389771a36bd999465f22a4667de28f4af44a06f4dd899b841d89d38efb964a": (
        "stylegan3",
        "StyleGAN-Human (sg3, StyleGAN2)",
    ),
    "25a9d5b7b2cc0a57595e725f993eab9ecc3f4b0015343cb9cec920a73d84423c": ("stylegan3", "StyleGAN-Human (sg3)"),
    # StyleGAN-XL: its first generator, and every version of its final one.
    "a48bd581e48bc88bae48d81e191b974fa3c47c46a0257cb62fd8beabc63ed4f2": ("stylegan_xl", "StyleGAN-XL"),
    "fad63fde862ac72129cbb6408b2c2a7900dc6537ecde5bca3a38516283e3e21f": ("stylegan_xl", "StyleGAN-XL"),
    "ada884726370c416e41992da690f6db2ba43f30fd466a5438be45264f1d4a7db": ("stylegan_xl", "StyleGAN-XL"),
}

# Modules of the toolkits beside the generator in training snapshots, which do not affect pictures.
BESIDE = {
    "13cc7004b460bc071842bd05a165684f4ccf43d10f70631c14456f5008141d3c": "stylegan2-ada-pytorch (augmentation)",
    "ec86b00bacb2479a9102caf38196298f9e7bf567391f196776ebb547fe29f140": "stylegan3 (augmentation)",
}


def origin(digest: str) -> str:
    """Origin of a source text; '' if unknown."""
    return KNOWN[digest][1] if digest in KNOWN else BESIDE.get(digest, "")


# A hook that uses another one, whose sources are then known too.
_BUILDS_ON = {"eg3d": "stylegan3"}


def source_of(record: NetworkRecord, hook: str) -> tuple[str, str]:
    """Origin of a network's source, and a warning.

    Returns:
        ``(source, warning)``: ``none`` for files without source, a toolkit's name, or ``unknown``; the
        warning is '' unless a source is unknown or belongs to another hook.
    """
    if not record.sources:
        return "none", ""
    names = []
    for digest in sorted(record.sources):
        owner, where = KNOWN.get(digest, ("", ""))
        if owner not in (hook, _BUILDS_ON.get(hook)):
            return (
                f"unknown ({digest[:16]})",
                f"the source text in this file (digest {digest[:16]}) is not that of a toolkit known here: "
                "pictures are right only if it computes what the original does",
            )
        names.append(where)
    return ", ".join(sorted(set(names))), ""
