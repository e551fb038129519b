"""Build the wheel and the sdist so that anybody gets the same bytes: ``python .ci/dist.py [OUTDIR]``.

From the files that git tracks, whatever else lies in the folder, with the modes and times of every file settled.
``SOURCE_DATE_EPOCH`` is the time that is noted, by default that of the last commit. The build tools are those of the
environment that runs this, so the same Python and the same ci-requirements.txt give the same files.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def tracked(root: Path) -> list[str]:
    """Files that git knows, relative to ``root``."""
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z"], check=True, capture_output=True).stdout
    return sorted(os.fsdecode(name) for name in listed.split(b"\0") if name)


def export(root: Path, into: Path) -> None:
    """Copy the tracked files, with modes that do not depend on whoever checked them out."""
    for name in tracked(root):
        target = into / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, target)
        target.chmod(0o755 if os.access(root / name, os.X_OK) else 0o644)


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
    outdir = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist").resolve()
    outdir.mkdir(parents=True, exist_ok=True)
    time = os.environ.get("SOURCE_DATE_EPOCH") or subprocess.check_output(
        ["git", "-C", ROOT, "log", "-1", "--format=%ct"], text=True
    )
    epoch = int(time)
    os.umask(0o022)
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder, "source"), Path(folder, "made")
        export(ROOT, source)
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", made, source]
        subprocess.run(command, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}, stdout=sys.stderr)
        for path in sorted(made.iterdir()):
            if path.name.endswith(".tar.gz"):
                settle(path, epoch)
            print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}")
            shutil.move(path, outdir / path.name)


if __name__ == "__main__":
    main()
