"""The part of the ``dnnlib`` interface that network files refer to; our own implementation."""

from .util import EasyDict

__all__ = ["EasyDict"]
