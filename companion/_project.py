"""What the project says about itself: its version, what it needs, and what to type for the rest."""

import importlib.metadata
import importlib.util
from pathlib import Path

NAME = "derivative-ladder"
REPOSITORY = "https://github.com/derivative-ladder/derivative-ladder"


def command(extra: str) -> str:
    """The line that installs the companion with what an extra brings.

    >>> command("show")
    'pip install "derivative-ladder[show] @ git+https://github.com/derivative-ladder/derivative-ladder"'
    """
    return f'pip install "{NAME}[{extra}] @ git+{REPOSITORY}"'


def require(who: str, extra: str, *modules: str) -> None:
    """Raise ImportError if one of the modules that `who` needs is not there; import none of them.

    A module that is there and fails is not meant: its own error, on import, says more.

    >>> require("companion.show", "show", "numpy", "json")
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(
                f"{who} needs {module}, which is not installed here. Type:\n    {command(extra)}",
                name=module,
            )


def source() -> dict | None:
    """The [project] table of the pyproject.toml beside the package; None for an installed one."""
    file = Path(__file__).parent.parent / "pyproject.toml"
    if not file.is_file():
        return None
    import tomllib

    project = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {})
    return project if project.get("name") == NAME else None


def installed() -> importlib.metadata.Distribution | None:
    """The distribution that the package was installed from; None in a source tree, or a bare copy.

    What is installed elsewhere says nothing about a source tree, so that tree is asked first.
    """
    if source():
        return None
    try:
        return importlib.metadata.distribution(NAME)
    except importlib.metadata.PackageNotFoundError:
        return None


def version() -> str:
    """The version of this copy: pyproject.toml's, or what was installed, or "0+unknown".

    >>> version()[0].isdigit()
    True
    """
    found = installed()
    return (source() or {}).get("version") or (found.version if found else "0+unknown")


def requirements() -> list[str]:
    """What this copy needs, each as in a wheel's Requires-Dist; python stands for itself.

    >>> [need for need in requirements() if need.startswith(("python", "numpy"))]
    ['python>=3.11', 'numpy>=...']
    """
    if project := source():
        extras = project["optional-dependencies"].items()
        needs = [f'{need}; extra == "{extra}"' for extra, needs in extras for need in needs]
        return [f"python{project['requires-python']}", *project["dependencies"], *needs]
    if found := installed():
        return [f"python{found.metadata['Requires-Python']}", *(found.requires or [])]
    return []
