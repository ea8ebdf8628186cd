"""What is kept on disk: written whole or not at all, and read without running code of the file."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from companion.pinn.arguments import need_kind


def write(path: str | Path, content: Any, what: str) -> None:
    """Keep content in a file; whoever is killed while writing leaves the old one.

    Raises OSError, with the path in it, where it cannot be written.
    """
    need_kind(f"where to keep the {what}", path, (str, Path), "the name of a file")
    path = Path(path)
    if not path.name:
        raise ValueError(f"where to keep the {what} is the name of a file; got {str(path)!r}")
    partly = path.with_name(f"{path.name}.part")
    try:
        with open(partly, "wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        partly.replace(path)
    except (OSError, RuntimeError) as error:  # torch's writer raises the second on a full disk
        with suppress(OSError):
            partly.unlink()
        raise OSError(
            f"the {what} {path} cannot be written ({error}); what was there before is untouched"
        ) from error


def read(path: str | Path, what: str) -> Any:
    """What torch.save wrote, of tensors, numbers and words alone: no code of the file is run.

    Raises ValueError for a file that holds something else, OSError for one that cannot be read.
    """
    need_kind(f"where the {what} is", path, (str, Path), "the name of a file")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except Exception as error:
        raise ValueError(
            f"{path} holds no {what} of companion.pinn, or a part of one ({type(error).__name__}). Give "
            "another file, or delete it"
        ) from error
