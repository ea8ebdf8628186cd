"""Run a program where only some packages exist: python -I -S hidden.py SPECIFICATION PROGRAM ARGUMENTS...

SPECIFICATION is JSON: {"path": folders, "modules": names at the top, "distributions": names}. Everything else
that lies in these folders is as if it were not installed, to `import` and to importlib.metadata. The standard
library is there. With -I and -S nothing else is on the path: no folder of the caller, no .pth file. There is
no network but this machine's own. PROGRAM is a file, -m and a module, or -c and a line; processes that
Python's multiprocessing starts see the same.
"""

import atexit
import gc
import json
import re
import runpy
import subprocess
import sys
from importlib.machinery import PathFinder
from importlib.metadata import DistributionFinder


class Only:
    """A finder in the place of Python's own, which looks in the folders of sys.path."""

    def __init__(self, modules, distributions):
        self.modules = {*modules, *sys.stdlib_module_names, "__main__"}
        self.distributions = set(distributions)

    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in self.modules or top.startswith("_sysconfigdata"):
            return PathFinder.find_spec(name, path, target)
        return None

    def find_distributions(self, context=DistributionFinder.Context()):  # noqa: B008
        for found in PathFinder.find_distributions(context):
            if re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower() in self.distributions:
                yield found


def offline(event, arguments):
    """An audit hook that refuses what would leave this machine."""
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if host not in (None, "", b"", "localhost", "127.0.0.1", "::1"):
        raise OSError(f"no network here: {host} was asked for")


def pass_on(specification, flags=subprocess._args_from_interpreter_flags):
    """Have multiprocessing start its processes with this file, too."""
    subprocess._args_from_interpreter_flags = lambda: [*flags(), __file__, specification]


if __name__ == "__main__":
    # What is collected at the end of a process that has torch takes half a second, and is of use to nobody.
    atexit.register(gc.freeze)
    sys.addaudithook(offline)
    pass_on(sys.argv[1])
    specification = json.loads(sys.argv[1])
    sys.path += specification["path"]
    sys.meta_path[sys.meta_path.index(PathFinder)] = Only(
        specification["modules"], specification["distributions"]
    )
    sys.argv = sys.argv[2:]
    if sys.argv[0] == "-m":
        sys.argv = sys.argv[1:]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    elif sys.argv[0] == "-c":
        program = sys.argv.pop(1)
        exec(program, {"__name__": "__main__"})
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")
