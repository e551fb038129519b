"""What the machine can do: the rate of its matrix products, and what it is."""

from __future__ import annotations

import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

SIZE = 2048  # of the matrices: large enough that nothing but arithmetic counts
# A machine without AVX-512 and without matrix units, in the words of each library that chooses code by them.
AVX2 = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "NUMBA_CPU_NAME": "haswell",
}
_MULTIPLYING = (
    *("fma", "avx", "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_tile", "amx_bf16", "amx_int8", "amx_fp16"),
)


def gemm_rate(dtype: str, device: str = "cpu", repetitions: int = 12) -> float:
    """The best rate of products of square matrices, in floating-point operations per second."""
    import torch

    a, b = (torch.randn(SIZE, SIZE, device=device).to(getattr(torch, dtype)) for _ in range(2))
    best = 0.0
    for _ in range(repetitions):
        start = time.perf_counter()
        a @ b
        if device == "cuda":
            torch.cuda.synchronize()
        best = max(best, 2 * SIZE**3 / (time.perf_counter() - start))
    return best


def peak_memory() -> int:
    """The largest resident set of this process so far, in bytes; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def resident_memory() -> int:
    """The resident set of this process now, in bytes; its largest so far where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return peak_memory()


def describe() -> dict[str, Any]:
    """The machine and the versions that a result depends on."""
    import numpy
    import torch

    return {
        "processor": _about_processor("model name"),
        "instructions": instructions(_about_processor("flags")),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "numba": _version("numba"),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else "",
    }


def instructions(flags: str) -> str:
    """Of a processor's flags, as Linux lists them, those that multiply."""
    return " ".join(sorted(set(flags.split()).intersection(_MULTIPLYING)))


def _about_processor(key: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() if key == "model name" else ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return ""
