"""What a machine can do at most: a side of `benchmarks.gpu`, by PyTorch and OpenCV."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from benchmarks.sides.pytorch_timing import median_seconds
from benchmarks.sides.side_process import Work, serve


class Ceilings:
    """The side; see `side_process`."""

    def __init__(self, work: Work):
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def facts(self) -> dict:
        name = torch.cuda.get_device_name() if self._device.type == "cuda" else "cpu"
        return {"device": name, "cores": os.cpu_count()}

    def products(self, side: int, rounds: int) -> dict[str, float]:
        """Return floating-point operations per second of a square product of random numbers, by precision."""
        found = {}
        for precision, kind in (("float32", torch.float32), ("tf32", torch.float32), ("bfloat16", torch.bfloat16)):
            torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
            one, other = (torch.randn(side, side, device=self._device).to(kind) for _ in range(2))
            found[precision] = 2 * side**3 / median_seconds(lambda a=one, b=other: a @ b, self._device, rounds)
        return found

    def copying(self, size: int, rounds: int) -> float:
        """Return bytes per second of a copy within the device's memory, read and written bytes together."""
        source = torch.empty(size, dtype=torch.uint8, device=self._device).random_()
        target = torch.empty_like(source)
        return 2 * size / median_seconds(lambda: target.copy_(source), self._device, rounds)

    def decoding(self, seconds: float) -> float:
        """Return how many crops of 96x96, JPEG at quality 95, OpenCV decodes per second on all cores."""
        import cv2
        from skimage import data

        cv2.setNumThreads(1)
        face = data.astronaut()[:224, 110:334, ::-1]
        jpegs = []
        for index in range(80):
            crop = cv2.resize(np.roll(face, index, (0, 1)), (96, 96), interpolation=cv2.INTER_AREA)
            jpegs.append(cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 95])[1])

        def decode(_):
            for jpeg in jpegs:
                cv2.imdecode(jpeg, cv2.IMREAD_COLOR)

        cores, done, began = os.cpu_count(), 0, time.perf_counter()
        with ThreadPoolExecutor(cores) as pool:
            while time.perf_counter() - began < seconds:
                list(pool.map(decode, range(4 * cores)))
                done += 4 * cores * len(jpegs)
        return done / (time.perf_counter() - began)


if __name__ == "__main__":
    serve(Ceilings)
