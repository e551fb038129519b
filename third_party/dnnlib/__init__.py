"""The part of the ``dnnlib`` interface that network files refer to; our own implementation."""

from . import util
from .util import EasyDict, make_cache_dir_path

__all__ = ["EasyDict", "make_cache_dir_path", "util"]
