"""Two GRU layers in PyTorch, which cuDNN runs on a GPU: a side of `benchmarks.gpu`."""

import torch

from benchmarks.sides.pytorch_timing import median_seconds
from benchmarks.sides.side_process import Work, serve


class Recurrences:
    """The side; see `side_process`. Everything is float32."""

    def __init__(self, work: Work):
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._features = max(1, round(4096 * work.width))

    def facts(self) -> dict:
        return {"device": self._device.type}

    def measure(self, batch: int, frames: int, rounds: int) -> dict:
        """Return the median milliseconds of a forward pass, and of one with all gradients."""
        layer = torch.nn.GRU(self._features, 128, 2, batch_first=True).to(self._device)
        window = (torch.randn(batch, frames, self._features, device=self._device) / 2).requires_grad_()
        direction = torch.randn(batch, frames, 128, device=self._device)

        def forward():
            with torch.inference_mode():
                layer(window)

        def training():
            layer.zero_grad(set_to_none=True)
            window.grad = None
            (layer(window)[0] * direction).sum().backward()

        return {
            f"{name}_ms": 1000 * median_seconds(compute, self._device, rounds)
            for name, compute in (("forward", forward), ("training", training))
        }


if __name__ == "__main__":
    serve(Recurrences)
