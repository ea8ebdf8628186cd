"""What a page cost: the peak memory of this process."""

import sys
from pathlib import Path

from companion._project import require


def peak_memory() -> float:
    """The most memory that this process has held so far, in MiB.

    The operating system keeps the figure (the peak resident set), so it counts NumPy's arrays and
    torch's tensors too, and it never falls: it is the cost of all that ran before the call.

    >>> peak_memory() > 1
    True

    Source: on Linux VmHWM of proc(5), since getrusage starts a child with the figure of its parent;
    on macOS getrusage, in bytes; on Windows GetProcessMemoryInfo, through psutil.
    """
    if sys.platform == "win32":
        require("peak_memory", "book", "psutil")
        import psutil

        return psutil.Process().memory_info().peak_wset / 2**20
    if sys.platform == "linux":
        lines = Path("/proc/self/status").read_text("utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
