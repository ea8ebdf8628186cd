"""What a page cost: the peak memory of this process."""

import sys

from companion._project import require


def peak_memory() -> float:
    """The most memory that this process has held so far, in MiB.

    The operating system keeps the figure (the peak resident set), so it counts NumPy's arrays and
    torch's tensors too, and it never falls: it is the cost of all that ran before the call.

    >>> peak_memory() > 1
    True

    Source: POSIX getrusage, whose ru_maxrss is in KiB on Linux and in bytes on macOS; on Windows
    GetProcessMemoryInfo, through psutil.
    """
    if sys.platform == "win32":
        require("peak_memory", "book", "psutil")
        import psutil

        return psutil.Process().memory_info().peak_wset / 2**20
    import resource

    units_in_a_mebibyte = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / units_in_a_mebibyte
