"""Files: from the web through a cache, and in folders."""

from __future__ import annotations

import fnmatch
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlparse
from urllib.request import url2pathname

from sefa_plugin.reading import download

_cache_dir: str | None = None


def set_cache_dir(path: str | None) -> None:
    """Keep downloads below another folder than ``$DNNLIB_CACHE_DIR`` or ``~/.cache/dnnlib``."""
    global _cache_dir
    _cache_dir = path


def make_cache_dir_path(*paths: str) -> str:
    """A path below the cache folder, which is not created."""
    return os.path.join(_cache_dir or str(download.cache_folder().parent), *paths)


def is_url(obj: Any, allow_file_urls: bool = False) -> bool:
    """Tell whether something is the text of an address on the web (or of a file, if that is allowed)."""
    if not isinstance(obj, str) or "://" not in obj:
        return False
    try:
        parts = urlparse(obj)
    except ValueError:
        return False
    if parts.scheme == "file":
        return allow_file_urls
    return bool(parts.scheme) and "." in parts.netloc


def open_url(
    url: str,
    cache_dir: str | None = None,
    num_attempts: int = 10,
    verbose: bool = True,
    return_filename: bool = False,
    cache: bool = True,
) -> BinaryIO | str:
    """Open an address or a path for reading; downloads are kept in ``cache_dir``.

    Args:
        num_attempts: how often a download is tried.
        verbose: print downloads to stderr.
        return_filename: give the path instead; needs ``cache``.
        cache: store the download, and use a stored one.

    Raises:
        sefa_plugin.reading.download.DownloadError: it could not be fetched.
        OSError: there is no such file.
    """
    assert num_attempts >= 1, f"open_url: {num_attempts} attempts"
    assert cache or not return_filename, "open_url: without a cache there is no file to name"
    if not is_url(url):
        path = url2pathname(urlparse(url).path) if url.startswith("file://") else url
        return path if return_filename else open(path, "rb")
    if not cache:
        with tempfile.TemporaryDirectory() as folder:
            return io.BytesIO(_fetched(url, Path(folder), num_attempts, verbose).read_bytes())
    folder = Path(cache_dir or make_cache_dir_path("downloads"))
    path = _fetched(url, folder, num_attempts, verbose)
    return str(path) if return_filename else open(path, "rb")


def _fetched(url: str, folder: Path, attempts: int, verbose: bool) -> Path:
    if verbose and download.cached(url, folder) is None:
        print(f"Downloading {url} ...", file=sys.stderr, flush=True)
    for left in reversed(range(attempts)):
        try:
            return download.fetch(url, folder=folder)
        except download.DownloadError:
            if not left:
                raise
    raise AssertionError("not reached")


def list_dir_recursively_with_ignore(
    dir_path: str, ignores: Iterable[str] | None = None, add_base_to_relative: bool = False
) -> list[tuple[str, str]]:
    """All files below a folder, as (path, path from the folder).

    Args:
        ignores: patterns of names of files and folders that are left out.
        add_base_to_relative: start the second path with the folder's own name.
    """
    assert os.path.isdir(dir_path), f"{dir_path} is not a folder"
    patterns = list(ignores or ())
    base = os.path.basename(os.path.normpath(dir_path)) if add_base_to_relative else ""

    def kept(names: Sequence[str]) -> list[str]:
        return [name for name in names if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]

    found = []
    for root, folders, names in os.walk(dir_path):
        folders[:] = kept(folders)
        paths = [os.path.join(root, name) for name in kept(names)]
        found += [(path, os.path.join(base, os.path.relpath(path, dir_path))) for path in paths]
    return found


def copy_files_and_create_dirs(files: Iterable[tuple[str, str]]) -> None:
    """Copy files (from, to), making the folders that are missing."""
    for source, target in files:
        os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
        shutil.copyfile(source, target)
