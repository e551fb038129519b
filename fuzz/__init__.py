"""Fuzzing of everything that reads a stranger's bytes: ``python -m fuzz``; and other scanners: ``python -m fuzz.compare``."""
