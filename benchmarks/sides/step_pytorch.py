"""A training step and a forward pass in PyTorch, with the weights of ours: a side of the benchmarks `gpu` and `step`.

As fast as PyTorch's guides make it: `torch.compile`, channels last, kernels chosen by trial (cuDNN), one fused Adam,
gradients set to none, bfloat16 by autocast. cuDNN runs the GRU.
"""

import contextlib
import time

import numpy as np
import torch
from torch import nn

from benchmarks.sides.pytorch_networks import Network, ccc_loss
from benchmarks.sides.pytorch_timing import wait
from benchmarks.sides.side_process import Work, serve


class Step:
    """The side; see `side_process`."""

    def __init__(self, work: Work):
        self._work = work
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        tf32 = work.precision == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        torch.set_float32_matmul_precision("high" if tf32 else "highest")
        torch.manual_seed(0)
        self._network = self._made()
        self._adam = torch.optim.Adam(self._network.parameters(), 1e-4, eps=1e-8, fused=True)
        self._batch = self._given(work.inputs())
        self._run = torch.compile(self._network) if work.compiled else self._network

    def facts(self) -> dict:
        name = torch.cuda.get_device_name() if self._device.type == "cuda" else "cpu"
        return {"device": name, "versions": f"PyTorch {torch.__version__}"}

    def prepare(self) -> float:
        """Compile, mostly on the processor; return the seconds."""
        began = time.perf_counter()
        self.train(1)
        self.forward(1)
        self._preparing = time.perf_counter() - began
        return self._preparing

    def compile(self) -> dict:
        """Try kernels on the device; return the seconds with those of `prepare`, and the most bytes in use."""
        began = time.perf_counter()
        torch.backends.cudnn.benchmark = True
        self.train(2)
        self.forward(2)
        found = {"compile_s": self._preparing + time.perf_counter() - began}
        if self._device.type == "cuda":
            for name, compute in (("train", self.train), ("forward", self.forward)):
                torch.cuda.reset_peak_memory_stats()
                compute(1)
                found[f"{name}_bytes"] = torch.cuda.max_memory_allocated()
        return found

    def train(self, steps: int) -> float:
        """Return the seconds of a step, mean over `steps`."""
        self._network.train()
        wait(self._device)
        began = time.perf_counter()
        for _ in range(steps):
            self._adam.zero_grad(set_to_none=True)
            with self._autocast():
                predictions = self._run(self._batch["frames"], self._batch["landmarks"])
            ccc_loss(self._batch["labels"], predictions, self._batch["mask"]).backward()
            self._adam.step()
        wait(self._device)
        return (time.perf_counter() - began) / steps

    def forward(self, passes: int) -> float:
        """Return the seconds of a forward pass, mean over `passes`."""
        self._network.eval()
        wait(self._device)
        began = time.perf_counter()
        with torch.inference_mode(), self._autocast():
            for _ in range(passes):
                self._run(self._batch["frames"], self._batch["landmarks"])
        wait(self._device)
        return (time.perf_counter() - began) / passes

    def check(self, batch: int, frames: int, gradient: bool) -> dict:
        """Write predictions, loss and norm of the gradient for the first weights, without dropout."""
        network = self._made().train()  # cuDNN has no gradients of a GRU that does not train
        for layer in network.modules():
            if isinstance(layer, (nn.Dropout, nn.BatchNorm2d)):
                layer.eval()
            elif isinstance(layer, nn.GRU):
                layer.dropout = 0.0
        given = self._given(self._work.inputs(batch, frames))
        with self._autocast():
            predictions = network(given["frames"], given["landmarks"])
        loss = ccc_loss(given["labels"], predictions, given["mask"])
        values = {"predictions": predictions, "loss": loss}
        if gradient:
            loss.backward()
            gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
            values["norm"] = torch.sqrt(sum((each.double() ** 2).sum() for each in gradients))
        values = {name: value.detach().float().cpu().numpy() for name, value in values.items()}
        np.savez(self._work.outputs("pytorch"), **values)
        return {}

    def _made(self) -> Network:
        network = Network(self._work.config, dict(np.load(self._work.weights)))
        return network.to(self._device).to(memory_format=torch.channels_last)

    def _given(self, values: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
        return {name: torch.from_numpy(value).to(self._device) for name, value in values.items()}

    def _autocast(self):
        if self._work.precision != "bfloat16":
            return contextlib.nullcontext()
        return torch.autocast(self._device.type, torch.bfloat16)


if __name__ == "__main__":
    serve(Step)
