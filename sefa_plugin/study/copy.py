"""A study as plain files, which need no server: answers stay in the browser until they are saved or copied."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ..system.whole_files import whole_file
from .design import CLIPS, Study, StudyError

PAGE = Path(__file__).parent / "page"
DATA, FIRST = "data.js", "// A study of sefa_plugin\n"
BY_SERVER, ALONE = '<script defer src="server.js"></script>', ("data.js", "browser.js")


def check_target(target: Path) -> None:
    """Check that a folder can be used for a copy, before any work.

    Raises:
        StudyError: it holds something else.
    """
    if target.is_dir() and any(target.iterdir()) and not _is_ours(target):
        raise StudyError(f"--static {target}: holds other files; name a folder that is new or empty")


def copy_study(study: Study, folder: Path, target: Path) -> None:
    """Write the page of a study with its clips into a folder, to be put anywhere, or opened from disk.

    What says which clip shows which direction stays in the folder of the study.

    Raises:
        StudyError: the target holds something else.
        OSError: it cannot be written.
    """
    check_target(target)
    public = study.public()
    texts = {DATA: f"{FIRST}const STUDY = {json.dumps(public, indent=1)};\n"}
    for path in sorted(PAGE.iterdir()):
        if path.name != "server.js":
            texts[path.name] = path.read_text(encoding="utf-8")
    scripts = "\n".join(f'<script defer src="{name}"></script>' for name in ALONE)
    texts["index.html"] = texts["index.html"].replace(BY_SERVER, scripts)
    names = {name for item in study.items for clip in item.clips for name in clip.files}
    for old in (target / CLIPS).glob("*.mp4"):
        if old.name not in names:
            old.unlink()
    for name in sorted(names):
        with whole_file(target / CLIPS / name) as part:
            shutil.copyfile(folder / CLIPS / name, part)
    for name, text in texts.items():
        with whole_file(target / name) as part:
            part.write_bytes(text.encode("utf-8"))


def _is_ours(folder: Path) -> bool:
    """Whether an earlier copy of a study is in a folder."""
    try:
        return (folder / DATA).read_text(encoding="utf-8").startswith(FIRST)
    except (OSError, UnicodeDecodeError):
        return False
