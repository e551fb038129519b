"""Speed and memory, measured: ``python -m benchmarks run`` and ``python -m benchmarks compare``."""
