"""Build the wheel and the sdist so that anybody gets the same bytes: ``python .ci/dist.py [OUTDIR]``.

From the files that git tracks (in an unpacked sdist: those that it lists), whatever else lies in the folder, with the
modes and times of every file settled. ``SOURCE_DATE_EPOCH`` is the time that is noted, by default that of the last
commit (of the sdist). The build tools are those of the environment that runs this, so the same Python and the same
ci-requirements.txt give the same files.

Package indexes show no relative pictures, so the README's links are made absolute: they lead to the files of this
version below the ``url`` of setup.cfg.
"""

from __future__ import annotations

import configparser
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UNSET = "host.invalid"  # stands in setup.cfg until it is settled where the project is published
LISTED = "sefa_plugin.egg-info/SOURCES.txt"
LINK = re.compile(r"(!?)\[([^]]*)\]\((?!https?:|#)([^)]+)\)")


def tracked(root: Path) -> list[str]:
    """Files that git knows, relative to ``root``; or those that an sdist lists, but for what it generates."""
    if not (root / ".git").exists():
        names = (root / LISTED).read_text(encoding="utf-8").splitlines()
        return sorted(name for name in names if not name.startswith(LISTED.split("/")[0]))
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z"], check=True, capture_output=True).stdout
    return sorted(os.fsdecode(name) for name in listed.split(b"\0") if name)


def export(root: Path, into: Path) -> None:
    """Copy the tracked files, with modes that do not depend on whoever checked them out."""
    for name in tracked(root):
        target = into / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, target)
        target.chmod(0o755 if os.access(root / name, os.X_OK) else 0o644)


def address(root: Path) -> str:
    """Where the project is published.

    Raises:
        SystemExit: setup.cfg does not say yet.
    """
    text = (root / "setup.cfg").read_text(encoding="utf-8")
    if UNSET in text:
        raise SystemExit(f"setup.cfg holds the address {UNSET}: set url and project_urls (see docs/releasing.md)")
    config = configparser.RawConfigParser()
    config.read_string(text)
    return config["metadata"]["url"]


def absolute(text: str, url: str, version: str) -> str:
    """A Markdown text of the root folder whose links lead to the files of a version: pictures raw, all else shown."""

    def replaced(link: re.Match[str]) -> str:
        picture, words, path = link.groups()
        return f"{picture}[{words}]({url}/{'raw' if picture else 'blob'}/v{version}/{path})"

    return LINK.sub(replaced, text)


def version_of(root: Path) -> str:
    """The one in ``sefa_plugin/__init__.py``."""
    found = re.search(r'^__version__ = "(.+)"$', (root / "sefa_plugin" / "__init__.py").read_text("utf-8"), re.M)
    return found[1]


def time_of(root: Path) -> int:
    """Of the last commit, in seconds; of an unpacked sdist that which its files have."""
    if not (root / ".git").exists():
        return int((root / "PKG-INFO").stat().st_mtime)
    return int(subprocess.check_output(["git", "-C", root, "log", "-1", "--format=%ct"], text=True))


def settle(path: Path, epoch: int) -> None:
    """Write an sdist anew: members in order, of one time and no owner; setuptools notes those of the machine."""
    with tarfile.open(path) as old:
        members = {member.name: (member, old.extractfile(member)) for member in old.getmembers()}
        part = path.with_suffix(".part")
        with open(part, "wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=epoch) as packed:
            with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new:
                for name in sorted(members):
                    member, content = members[name]
                    member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
                    member.mode = 0o755 if member.mode & 0o100 else 0o644
                    member.pax_headers = {}
                    new.addfile(member, content)
    part.replace(path)


def main() -> None:
    """Build, and print the digests."""
    url = address(ROOT)
    outdir = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist").resolve()
    outdir.mkdir(parents=True, exist_ok=True)
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or time_of(ROOT))
    os.umask(0o022)
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder, "source"), Path(folder, "made")
        export(ROOT, source)
        readme = source / "README.md"
        readme.write_text(absolute(readme.read_text("utf-8"), url, version_of(source)), "utf-8")
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", made, source]
        subprocess.run(command, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}, stdout=sys.stderr)
        for path in sorted(made.iterdir()):
            if path.name.endswith(".tar.gz"):
                settle(path, epoch)
            print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}")
            shutil.move(path, outdir / path.name)


if __name__ == "__main__":
    main()
