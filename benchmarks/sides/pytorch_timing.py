"""Times of PyTorch's work, which a GPU does after the call has returned."""

import time
from collections.abc import Callable

import numpy as np
import torch

_WARM_UP = 2


def wait(device: torch.device) -> None:
    """Return when a device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def median_seconds(compute: Callable[[], object], device: torch.device, rounds: int) -> float:
    """Return the median time of some calls, after two that are not counted."""
    times = []
    for _ in range(rounds + _WARM_UP):
        wait(device)
        began = time.perf_counter()
        compute()
        wait(device)
        times.append(time.perf_counter() - began)
    return float(np.median(times[_WARM_UP:]))
