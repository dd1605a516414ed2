"""The networks of the benchmarks in PyTorch, with the weights of ours, and the loss."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from affwildnet.experiments.config import ModelConfig
from affwildnet.models.backbones.cnn_m import LAYERS
from affwildnet.models.backbones.resnet50 import EPSILON, STAGES
from affwildnet.models.backbones.vgg import BLOCKS

# By layer and number, as `layer.get_weights()` returns them: "conv1/0" is the kernel.
Weights = Mapping[str, np.ndarray]


class Network(nn.Module):
    """A backbone with taps, hidden layers that also read the landmarks, stacks of GRU layers, and the head.

    It takes what ours takes: frames (B, T, S, S, 3) uint8 and landmarks (B, T, 68, 2); and returns (B, T, 2).
    """

    def __init__(self, config: ModelConfig, weights: Weights):
        super().__init__()
        self.backbone = BACKBONES[config.backbone](weights)
        self.hidden = nn.ModuleList(_linear(weights, f"fc{number + 1}") for number in range(len(config.hidden)))
        self.dropout = nn.Dropout(config.dropout)
        self.landmarks = config.landmarks
        self.inputs = config.rnn_inputs or ("fc",)
        self.stacks = nn.ModuleList()
        if config.recurrent != "none":
            rate = config.recurrent_dropout
            rate = 1 - rate if config.recurrent_dropout_is == "keep" else rate
            several = len(config.rnn_inputs) > 1
            self.stacks.extend(_gru(weights, f"{tap}_" if several else "", rate) for tap in self.inputs)
        self.output = _linear(weights, "valence_arousal")
        self.mean, self.scale = config.pixel_mean[0], config.pixel_scale[0]

    def forward(self, frames: torch.Tensor, landmarks: torch.Tensor) -> torch.Tensor:
        batch, steps = frames.shape[:2]
        images = frames.flatten(0, 1).permute(0, 3, 1, 2)  # channels last as it lies in memory
        images = (images.to(torch.float32) - self.mean) * self.scale
        taps = {}
        for tap, block in self.backbone.items():
            images = taps[tap] = block(images.to(self.output.weight.dtype))
        x = _flat(images) if images.dim() == 4 else images
        if self.landmarks:
            x = torch.cat([x, landmarks.reshape(batch * steps, -1).to(x.dtype)], 1)
        for number, layer in enumerate(self.hidden):
            x = torch.relu(layer(x))
            x = x if number else self.dropout(x)
        taps["fc"] = x
        read = [_flat(taps[tap]) if taps[tap].dim() == 4 else taps[tap] for tap in self.inputs]
        if self.stacks:
            # As ours: float32 under mixed precision. A network that was converted as a whole keeps its type.
            with torch.autocast(frames.device.type, enabled=False):
                kinds = [stack.weight_hh_l0.dtype for stack in self.stacks]
                given = [each.reshape(batch, steps, -1).to(kind) for each, kind in zip(read, kinds, strict=True)]
                x = torch.cat([stack(each)[0] for stack, each in zip(self.stacks, given, strict=True)], -1)
        return self.output(x.reshape(batch, steps, -1))


def ccc_loss(labels: torch.Tensor, predictions: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return `affwildnet.losses.ccc`, of a batch with at least one scored frame, by the same sums."""
    labels, predictions = (x.float().reshape(-1, x.shape[-1]) for x in (labels, predictions))
    weights = (mask.reshape(-1, 1) > 0).float()
    count = weights.sum().clamp(min=1)

    def mean(x: torch.Tensor) -> torch.Tensor:
        rough = (x * weights).sum(0) / count
        return rough + ((x - rough) * weights).sum(0) / count

    def centred(x: torch.Tensor) -> torch.Tensor:
        for _ in range(2):
            x = (x - mean(x)) * weights
        return x

    one, other = centred(labels), centred(predictions)
    covariance, variances, bias = mean(one * other), mean(one**2 + other**2), mean((labels - predictions) * weights)
    return 1 - (2 * covariance / (variances + bias**2 + 1e-15)).mean()


def _vgg(weights: Weights) -> nn.ModuleDict:
    blocks, number = nn.ModuleDict(), 0
    for block, channels in enumerate(BLOCKS, start=1):
        layers = []
        for _ in channels:
            number += 1
            layers += [_convolution(weights, f"conv{number}", padding=1), nn.ReLU(inplace=True)]
        blocks[f"pool{block}"] = nn.Sequential(*layers, nn.MaxPool2d(2))
    return blocks


def _cnn_m(weights: Weights) -> nn.ModuleDict:
    layers, side = [], 96
    for number, (_, kernel, stride, padding, pool) in enumerate(LAYERS, start=1):
        side = _pad(layers, side, kernel, stride, padding, 0.0)
        name = f"conv{number}"
        layers += [_convolution(weights, name, stride=stride), nn.ReLU(inplace=True)]
        layers += [_normalisation(weights, f"{name}_bn", 1e-3), nn.ReLU(inplace=True)]
        if pool:
            side = _pad(layers, side, *pool, float("-inf"))
            layers.append(nn.MaxPool2d(pool[0], pool[1]))
    return nn.ModuleDict({"features": nn.Sequential(*layers)})


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


class _Bottleneck(nn.Module):
    """A block of ResNet-50: 1x1 with the stride, 3x3, 1x1, plus the input, projected in the first of a stage."""

    def __init__(self, weights: Weights, name: str, stride: int):
        super().__init__()

        def unit(part: str, stride: int = 1, padding: int = 0) -> nn.Sequential:
            conv = _convolution(weights, f"{name}_{part}_conv", stride=stride, padding=padding)
            return nn.Sequential(conv, _normalisation(weights, f"{name}_{part}_bn", EPSILON))

        self.shortcut = unit("0", stride) if f"{name}_0_conv/0" in weights else nn.Identity()
        relu = nn.ReLU(inplace=True)
        self.main = nn.Sequential(unit("1", stride), relu, unit("2", padding=1), relu, unit("3"))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.main(x) + self.shortcut(x))


class _Mean(nn.Module):
    """The mean over the pixels."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


def _resnet50(weights: Weights) -> nn.ModuleDict:
    conv = _convolution(weights, "conv1_conv", stride=2, padding=3)
    normalisation = _normalisation(weights, "conv1_bn", EPSILON)
    # The zeros around the first pool are below no value, as all have passed a ReLU.
    layers = [conv, normalisation, nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, padding=1)]
    for stage, _, count, stride in STAGES:
        for index in range(1, count + 1):
            layers.append(_Bottleneck(weights, f"{stage}_block{index}", stride if index == 1 else 1))
    return nn.ModuleDict({"features": nn.Sequential(*layers, _Mean())})


BACKBONES = {"vgg16": _vgg, "cnn_m": _cnn_m, "resnet50": _resnet50}


def _flat(x: torch.Tensor) -> torch.Tensor:
    """Return (N, F) of (N, C, H, W) as Keras flattens, channels last."""
    return x.permute(0, 2, 3, 1).reshape(len(x), -1)


def _convolution(weights: Weights, name: str, **options) -> nn.Conv2d:
    kernel = weights[f"{name}/0"]
    layer = nn.Conv2d(kernel.shape[2], kernel.shape[3], kernel.shape[0], **options)
    return _set(layer, weight=kernel.transpose(3, 2, 0, 1), bias=weights[f"{name}/1"])


def _normalisation(weights: Weights, name: str, epsilon: float) -> nn.BatchNorm2d:
    scale, shift, mean, variance = (weights[f"{name}/{index}"] for index in range(4))
    layer = nn.BatchNorm2d(len(scale), eps=epsilon, momentum=0.01)
    return _set(layer, weight=scale, bias=shift, running_mean=mean, running_var=variance)


def _linear(weights: Weights, name: str) -> nn.Linear:
    kernel = weights[f"{name}/0"]
    return _set(nn.Linear(*kernel.shape), weight=kernel.T, bias=weights[f"{name}/1"])


def _gru(weights: Weights, prefix: str, dropout: float) -> nn.GRU:
    """Return two GRU layers of the form that cuDNN runs, `reset_after` in Keras."""
    first, second = (f"{prefix}gru{number}" for number in (1, 2))
    layer = nn.GRU(len(weights[f"{first}/0"]), len(weights[f"{first}/1"]), 2, batch_first=True, dropout=dropout)
    values = {}
    for index, name in enumerate((first, second)):
        kernel, recurrent, bias = (weights[f"{name}/{part}"] for part in range(3))
        names = (f"weight_ih_l{index}", f"weight_hh_l{index}", f"bias_ih_l{index}", f"bias_hh_l{index}")
        for parameter, value in zip(names, (kernel.T, recurrent.T, *bias), strict=True):
            update, reset, candidate = np.split(value, 3)  # Keras: z, r, h; PyTorch: r, z, n
            values[parameter] = np.concatenate([reset, update, candidate])
    return _set(layer, **values)


def _set(layer: nn.Module, **values: np.ndarray) -> nn.Module:
    state = layer.state_dict()
    state |= {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in values.items()}
    layer.load_state_dict(state)
    return layer
