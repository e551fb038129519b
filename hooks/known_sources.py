"""Digests of module sources whose generators are known to be what the hooks build.

A network file carries the source of its classes. A fork may change a gain there that shows in no tensor
and no argument, so a source that is not listed is used natively only with a warning that names it.
"""

from __future__ import annotations

from sefa_plugin.network_file import NetworkRecord

# digest (network_walk.source_digest) -> (hook, where the text is from)
KNOWN: dict[str, tuple[str, str]] = {
    "46d11dcc1fff0c16f44eca258f6141fcb59161e7e03c16eacb4a3f053113621f": ("stylegan2_ada", "sefa_plugin demo"),
    # Every text of these modules in the toolkits' histories.
    "5f546cf52ebf7561e6efd7a18185d05afae044ebcd871a41f1d983634556d15f": ("stylegan2_ada", "stylegan2-ada-pytorch"),
    "0d54e0a8df51b3a228bb03fddeb81d36ceca91b652a6b04f66a9eae30ac574a7": ("stylegan3", "stylegan3 (StyleGAN2)"),
    "62fcebfee6844fb2e4677f769ee60fae4a2ec3395dd5da996fcb1e57fdc3ce30": ("stylegan3", "stylegan3"),
    # PGGAN's first text (February 2018) is not here: its first layer is four times as strong.
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
}


def judge(record: NetworkRecord, hook: str) -> tuple[str, str]:
    """Tell where a network's source is from, and what to warn of.

    Returns:
        ``(source, warning)``: ``none`` for files without source, a toolkit's name, or ``unknown``; the
        warning is '' unless a source is unknown or belongs to another hook.
    """
    if not record.sources:
        return "none", ""
    names = []
    for digest in sorted(record.sources):
        owner, where = KNOWN.get(digest, ("", ""))
        if owner != hook:
            return (
                f"unknown ({digest[:16]})",
                f"the source text in this file (digest {digest[:16]}) is not that of a toolkit known here: "
                "pictures are right only if it computes what the original does",
            )
        names.append(where)
    return ", ".join(sorted(set(names))), ""
