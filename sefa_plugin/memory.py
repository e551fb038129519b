"""What becomes of memory that is freed while pictures are made on a CPU, and how a lack of it is told."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of mallopt(3), as <malloc.h> numbers them
_KEPT = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory for the next picture, for the rest of this process.

    By default glibc gives large blocks back at once, and Linux clears every page of them again when they return:
    up to a third of the time of a picture. For the process of a command only: the memory stays with it to its end.

    Returns:
        Whether there is anything to settle: on Linux with glibc.
    """
    if sys.platform != "linux":
        return False
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018 - other C libraries number these settings otherwise, or lack them
        mallopt = library.mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, _KEPT))


# CUDA's and MPS's allocators, cuBLAS and cuDNN, and torch's allocator for CPUs.
_LACKING = ("out of memory", "_ALLOC_FAILED", "not enough memory", "can't allocate memory", "Cannot allocate memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device, or this computer, has no memory left."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in _LACKING)
