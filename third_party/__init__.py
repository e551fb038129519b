"""Modules that a network file's own source imports; see README.md in this folder."""
