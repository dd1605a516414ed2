"""The networks of `benchmarks.forward` in PyTorch, with the weights of ours."""

import numpy as np
import torch
from torch import nn

from affwildnet.models.backbones.cnn_m import LAYERS
from affwildnet.models.backbones.vgg import BLOCKS


class Network(nn.Module):
    """A backbone, hidden layers with the landmarks, two GRU layers if there are any, and the head."""

    def __init__(self, backbone: nn.Module, weights: dict[str, np.ndarray]):
        super().__init__()
        self.backbone = backbone
        hidden = sorted({name.split("/")[0] for name in weights if name.startswith("fc")})
        self.hidden = nn.ModuleList(_linear(weights, name) for name in hidden)
        self.landmarks = bool(hidden) and self.hidden[0].in_features % 512 == 136
        self.recurrent = _gru(weights)
        self.output = _linear(weights, "valence_arousal")

    def forward(self, images: torch.Tensor, landmarks: torch.Tensor) -> torch.Tensor:
        # Flattened as Keras does, channels last.
        x = self.backbone(images).permute(0, 2, 3, 1).reshape(len(images), -1)
        if self.landmarks:
            x = torch.cat([x, landmarks], 1)
        for layer in self.hidden:
            x = torch.relu(layer(x))
        if self.recurrent is not None:
            x = self.recurrent(x[None])[0][0]
        return self.output(x)


def build(network: str, weights: dict[str, np.ndarray]) -> Network:
    """Return the network of that name; `weights` are Keras's, by `<layer>/<index>`."""
    backbone = {"affwildnet_vggface": _vgg, "cnn_m": _cnn_m}[network](weights)
    return Network(backbone, weights)


def _vgg(weights: dict[str, np.ndarray]) -> nn.Sequential:
    layers, number = [], 0
    for block in BLOCKS:
        for _ in block:
            number += 1
            layers += [_convolution(weights, f"conv{number}", padding=1), nn.ReLU(inplace=True)]
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def _cnn_m(weights: dict[str, np.ndarray]) -> nn.Sequential:
    layers, side = [], 96
    for number, (_, kernel, stride, padding, pool) in enumerate(LAYERS, start=1):
        side = _pad(layers, side, kernel, stride, padding, 0.0)
        name = f"conv{number}"
        layers += [_convolution(weights, name, stride=stride), nn.ReLU(inplace=True)]
        layers += [_normalisation(weights, f"{name}_bn"), nn.ReLU(inplace=True)]
        if pool:
            side = _pad(layers, side, *pool, float("-inf"))
            layers.append(nn.MaxPool2d(pool[0], pool[1]))
    return nn.Sequential(*layers)


def _pad(layers: list[nn.Module], side: int, kernel: int, stride: int, padding: str, value: float) -> int:
    """Add the padding of "same" where it is not symmetric, and return the side after the next layer."""
    if padding == "valid":
        return (side - kernel) // stride + 1
    out = -(-side // stride)
    missing = max(0, (out - 1) * stride + kernel - side)
    if missing:
        before, after = missing // 2, missing - missing // 2
        layers.append(nn.ConstantPad2d((before, after, before, after), value))
    return out


def _convolution(weights: dict[str, np.ndarray], name: str, **options) -> nn.Conv2d:
    kernel = weights[f"{name}/0"]
    layer = nn.Conv2d(kernel.shape[2], kernel.shape[3], kernel.shape[0], **options)
    return _set(layer, weight=kernel.transpose(3, 2, 0, 1), bias=weights[f"{name}/1"])


def _normalisation(weights: dict[str, np.ndarray], name: str) -> nn.BatchNorm2d:
    scale, shift, mean, variance = (weights[f"{name}/{index}"] for index in range(4))
    layer = nn.BatchNorm2d(len(scale), eps=1e-3)
    return _set(layer, weight=scale, bias=shift, running_mean=mean, running_var=variance)


def _linear(weights: dict[str, np.ndarray], name: str) -> nn.Linear:
    kernel = weights[f"{name}/0"]
    return _set(nn.Linear(*kernel.shape), weight=kernel.T, bias=weights[f"{name}/1"])


def _gru(weights: dict[str, np.ndarray]) -> nn.GRU | None:
    if "gru1/0" not in weights:
        return None
    layer = nn.GRU(len(weights["gru1/0"]), len(weights["gru1/1"]), 2, batch_first=True)
    values = {}
    for index in (0, 1):
        kernel, recurrent, bias = (weights[f"gru{index + 1}/{part}"] for part in range(3))
        names = (f"weight_ih_l{index}", f"weight_hh_l{index}", f"bias_ih_l{index}", f"bias_hh_l{index}")
        for name, value in zip(names, (kernel.T, recurrent.T, *bias), strict=True):
            update, reset, candidate = np.split(value, 3)  # Keras: z, r, h; PyTorch: r, z, n
            values[name] = np.concatenate([reset, update, candidate])
    return _set(layer, **values)


def _set(layer: nn.Module, **values: np.ndarray) -> nn.Module:
    state = layer.state_dict()
    state |= {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in values.items()}
    layer.load_state_dict(state)
    return layer
