"""What the base install takes: ``python .ci/size.py``, in an environment that holds it.

Follows what sefa_plugin requires without extras, and adds up the files that each package has installed.
"""

from __future__ import annotations

import re
from importlib import metadata


def needed(name: str, without: str = "") -> set[str]:
    """Packages that one needs on this system, itself included; ``without`` is not followed."""
    found: set[str] = set()
    left = [name]
    while left:
        name = re.sub(r"[-_.]+", "-", left.pop()).lower()
        if name in found or name == without:
            continue
        found.add(name)
        for line in metadata.requires(name) or []:
            requirement, _, marker = line.partition(";")
            if "extra ==" not in marker and installed(wanted := re.match(r"[\w.-]+", requirement)[0]):
                left.append(wanted)
    return found


def installed(name: str) -> bool:
    """Whether a package is there: what only other systems need is not."""
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def megabytes(name: str) -> float:
    """What a package's files take, without what Python compiles of them."""
    files = metadata.files(name) or []
    paths = [file.locate() for file in files if file.suffix != ".pyc"]
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def main() -> None:
    """Print a line for each package, the largest first, and the sums."""
    every, small = needed("sefa-plugin"), needed("sefa-plugin", without="torch")
    sizes = {name: megabytes(name) for name in every}
    for name in sorted(every, key=lambda name: -sizes[name]):
        print(f"{sizes[name]:8.1f} MB  {name} {metadata.version(name)}{'' if name in small else '  (of torch)'}")
    for title, group in (("without torch and what only it needs", small), ("with it", every)):
        others = len(group) - 1
        print(f"{sum(sizes[name] for name in group):8.1f} MB  {title}: sefa_plugin and {others} packages")


if __name__ == "__main__":
    main()
