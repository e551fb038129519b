"""Digests of module sources that are known to compute the same as the generators that the hooks build.

A network file contains the source of its classes. A fork may change a gain there that no tensor or argument shows, so
networks with an unlisted source are rendered with a warning.
"""

from __future__ import annotations

from sefa_plugin.hook import NetworkRecord

# digest (module_walk.source_digest) -> (hook, origin of the text)
KNOWN: dict[str, tuple[str, str]] = {
    "46d11dcc1fff0c16f44eca258f6141fcb59161e7e03c16eacb4a3f053113621f": ("stylegan2_ada", "sefa_plugin demo"),
    # Every version of these modules in the toolkits' histories.
    "5f546cf52ebf7561e6efd7a18185d05afae044ebcd871a41f1d983634556d15f": ("stylegan2_ada", "stylegan2-ada-pytorch"),
    "0d54e0a8df51b3a228bb03fddeb81d36ceca91b652a6b04f66a9eae30ac574a7": ("stylegan3", "stylegan3 (StyleGAN2)"),
    "62fcebfee6844fb2e4677f769ee60fae4a2ec3395dd5da996fcb1e57fdc3ce30": ("stylegan3", "stylegan3"),
    # The TensorFlow toolkits, without PGGAN's first version (February 2018): its first layer has four times the gain.
    "138e866ddfa655052e29e6aea3768f220d88c18d013e6f5408ef70954a98f78d": ("pggan", "progressive_growing_of_gans"),
    "41a6d1d883aa72b192ba977b5756f30b09e7e17b9f3de149e9254bbd13a6c72c": ("pggan", "stylegan (PGGAN)"),
    "acfcf3cee4458fb7d9d813b268cf08ae7ce4dd0e46848d04eded7bef567f4d4d": ("stylegan1", "stylegan"),
    "4db453a669e89af605d8fe8ae01a571bd25303387fd3ad71e2366ccda9dd0faa": ("stylegan1", "stylegan2 (config A)"),
    "a6b0f4868acafa53dd5335c508534e524b058c155da3422ab418612a3aaa486c": ("stylegan2_tf", "stylegan2"),
    "63bc76292b8a8d45275cf601fb6e682be8e7263ba59e6d3291235a665060107d": ("stylegan2_tf", "stylegan2-ada"),
    # Forks whose generator classes are the same, by comparison of their syntax trees.
    "9a836a8fc6644d0289a5cd19dd705e09a43497122163b6476a3311d5d96090c0": (
        "stylegan2_ada",
        "dvschultz/stylegan2-ada-pytorch (2021)",
    ),
    "5a95967c582be5401fbc82961b8de699372014000e6762b9fc62c6330557f738": ("stylegan3", "PDillis/stylegan3-fun (2021)"),
    "dcd00dc7dbf6b363687de1b1c1a8ce82a3889cf98d15a26419b54e65c6a02acd": ("stylegan3", "Projected GAN (StyleGAN2)"),
    "6a4ea6b0a74197b19252afe37918a12d819dd03037cd9fe5789e86d4b6dda280": ("stylegan3", "StyleGAN-XL (StyleGAN2)"),
    # Forks with the same arithmetic and additional arguments, which must have values that change nothing.
    "e890b872c4a9caa9d6835d96574f509d294e7a0faaaf1d5e3aa7c3baf9460a00": ("stylegan3", "EG3D (StyleGAN2)"),
    "4d1d9008aa36f3b6d800cbbf477c354cdf1c3936499a234f132be6e0fca3400f": ("eg3d", "EG3D"),
    "88014a2f78c2330d430b432aa9f88afe2cce1a9101c8fe4d0af5b393cd46866b": ("eg3d", "EG3D (super-resolution)"),
    "46b7565d9bac80f1c42580a3bce61dcb27738d66cde21a4d0d5ef5eb7aa15b8a": ("stylegan3", "EG3D (StyleGAN3)"),
    "4955ac4b09e6d1ec2a259001de81cbb519715935c5388383da49fb939d949ef8": ("stylegan3", "stylegan3-fun (StyleGAN2)"),
    "c8cf73d82ef680f20e79f92e712a6b2696a758dd6bec149000b8ee521b2a52f7": ("stylegan3", "stylegan3-fun (StyleGAN2)"),
    "6a2987512274d845990ff530b02aef2c80f6364bb740a0b470d795dcaf1ed088": ("stylegan3", "stylegan3-fun (StyleGAN2)"),
    "09448bb507f56aac4bfee248ebfd68404ceddd2bd3907d785ccff63bc1b3f165": ("stylegan3", "stylegan3-fun (StyleGAN2)"),
    "fcb24dccf65a2eb9d3e0d3b6f24919555f4a6bbc6aec9fecaf352cba71e20969": ("stylegan3", "stylegan3-fun"),
    "da0701430936c9d704927716fc8a8b741d1a7a7e325913f7dc4c3049b375888b": ("stylegan3", "stylegan3-fun"),
    "c57a51a53afb955072611bbfde1b7a5d1a0fcb7b86d113b45f01fcecdde5ce1c": ("stylegan2_ada", "dvschultz (2021)"),
    "3766284809dead0a364176141781d2878be1b959e67fdb5b663caec7bc42c0b9": ("stylegan2_ada", "dvschultz (2021-22)"),
    "5604c15d5d1846a6b22259dc3ba536592760986a0173b006ea254ae0abdd21cd": ("stylegan2_ada", "dvschultz (2022)"),
    "7e463d6a3f4615173dd593733ee915853a73aaec88702b16fb0499fc52b2d348": ("stylegan2_ada", "dvschultz (deepVogue)"),
    "2d92b45e83ef91d94f8ad4d0986bfaae4f74298f7b3122f28de2b430c211488a": ("stylegan3", "DragGAN (StyleGAN2)"),
    "9f42cff45f7114fba54071b0a939a96e3e2745ebc5e698e3676834c0ef47f2e7": ("stylegan3", "DragGAN (StyleGAN3)"),
    "727ea0dcda801db12e1946d867d214ab9311681ac1379d0555f331baf42e9e47": ("stylegan3", "DragGAN (StyleGAN2)"),
    "5aa33af43cf97ec6fee8dad0193e4ba20ee6fb4e8b69f0c1c68e9c4e35417d55": ("stylegan3", "DragGAN (StyleGAN3)"),
    "45b8ffb01f0ca75681885bddef547346630e325d75a1bef6864f4669c64e1742": ("stylegan2_ada", "DragGAN (StyleGAN-Human)"),
    "bb6294ad4f3035b12985e15ff7350b6c07af765123f4a1fb07454fe9f3c1aab2": ("stylegan3", "StyleGAN-XL (StyleGAN2)"),
    "03c0b2d1d72b81f82e950c808d23910f183ea629b4ed1645b113fbb9fefea4d9": ("stylegan2_ada", "eps696"),
    "8b9e83e6a59abbdb39097d82c3262f922d161108c59dca00f304b1d9079a92a0": ("stylegan2_ada", "eps696"),
    # StyleGAN-Human, both generations.
    "907d8bbe00b5bca77eca080c519f83ad9e4f2e965dbc9cc970615f123e98f006": ("stylegan2_ada", "StyleGAN-Human (sg2)"),
    "b07a910fc2506da4622df5387b91327896fb1e2e78d7f9084948ea6affbfea8e": (
        "stylegan3",
        "StyleGAN-Human (sg3, StyleGAN2)",
    ),
    "d94edcc95fde529b1d5ba4465481011a6e0f2a47f400e8c1640db5544b3af8c6": ("stylegan3", "StyleGAN-Human (sg3)"),
    # StyleGAN-XL: its first generator, and every version of its final one.
    "0a7805e134c3f44f1249357af235b5e7ddc2419fc7d77e103228a4616f63b5a6": ("stylegan_xl", "StyleGAN-XL"),
    "6f82d46a185f71d2545e4d350b4db5184bb76875c2307db8618d356709f4c137": ("stylegan_xl", "StyleGAN-XL"),
    "8461f126624228c82d3c434400efe89e0088c4eb467ff064594bba9572aed584": ("stylegan_xl", "StyleGAN-XL"),
}

# Modules of the toolkits beside the generator in training snapshots, which do not affect pictures.
BESIDE = {
    "9328b2943857d88ff2a3fc7f1602a7e14f54d93461b76bf812b288ecf21ee7e5": "stylegan2-ada-pytorch (augmentation)",
    "e151bdf768dfe84526e6d12a91a053176eae8b8161208202a0a066f636e76be1": "stylegan3 (augmentation)",
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
