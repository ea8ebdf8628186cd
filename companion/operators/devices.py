"""Where tensors live."""

import os

import torch


def device() -> torch.device:
    """The device that COMPANION_DEVICE names, "cpu" when it names none.

    Raises RuntimeError when that device is not there, ValueError when the name is none of torch's.

    >>> import os
    >>> os.environ.get("COMPANION_DEVICE", "cpu") == str(device())
    True
    """
    name = os.environ.get("COMPANION_DEVICE") or "cpu"
    try:
        found = torch.device(name)
    except RuntimeError as error:
        raise ValueError(
            f'COMPANION_DEVICE is "cpu", "cuda", "cuda:1" or "mps"; got {name!r}'
        ) from error
    count = {"cuda": torch.cuda.device_count, "mps": torch.mps.device_count}.get(found.type)
    if count and (found.index or 0) >= count():
        raise RuntimeError(
            f"COMPANION_DEVICE is {name!r}, but torch {torch.__version__} sees no such device here; "
            "unset it to run on the CPU"
        )
    return found
