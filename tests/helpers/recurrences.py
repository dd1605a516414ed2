"""The recurrent cells as plain NumPy loops in float64, written from the equations, and small layers to compare."""

import keras
import numpy as np

from affwildnet.models.recurrent import GRU, IndRNN, OutputAttention, PeepholeLSTM

FEATURES = 6


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gru_before(x, h, kernel, recurrent, bias):
    """Reset gate before the recurrent product (TensorFlow 1); x (F,), h (units,)."""
    (wz, wr, wc), (uz, ur, uc), (bz, br, bc) = (np.split(w, 3, axis=-1) for w in (kernel, recurrent, bias))
    z = sigmoid(x @ wz + h @ uz + bz)
    r = sigmoid(x @ wr + h @ ur + br)
    return z * h + (1 - z) * np.tanh(x @ wc + (r * h) @ uc + bc)


def gru_after(x, h, kernel, recurrent, bias):
    """Reset gate after the recurrent product (cuDNN)."""
    (wz, wr, wc), (uz, ur, uc) = (np.split(w, 3, axis=-1) for w in (kernel, recurrent))
    (bz, br, bc), (dz, dr, dc) = (np.split(b, 3) for b in bias)
    z = sigmoid(x @ wz + h @ uz + bz + dz)
    r = sigmoid(x @ wr + h @ ur + br + dr)
    return z * h + (1 - z) * np.tanh(x @ wc + bc + r * (h @ uc + dc))


def over(step, sequence, states, weights):
    """Run over (B, T, F) frame by frame; `step` returns the new states of one video, the output first."""
    outputs = []
    for index, video in enumerate(sequence):
        own = [state[index] for state in states]
        outputs.append([])
        for x in video:
            own = step(x, own, weights)
            outputs[-1].append(own[0])
    return np.array(outputs)


def lstm_step(x, states, weights):
    (h, c), (kernel, recurrent, bias, wi, wf, wo) = states, weights
    (ki, kf, kc, ko), (ui, uf, uc, uo), (bi, bf, bc, bo) = (np.split(w, 4, axis=-1) for w in (kernel, recurrent, bias))
    i = sigmoid(x @ ki + h @ ui + wi * c + bi)
    f = sigmoid(x @ kf + h @ uf + wf * c + bf + 1)
    c = f * c + i * np.tanh(x @ kc + h @ uc + bc)
    o = sigmoid(x @ ko + h @ uo + wo * c + bo)
    return [o * np.tanh(c), c]


def indrnn_step(x, states, weights):
    kernel, recurrent, bias = weights
    return [np.maximum(0, x @ kernel + recurrent * states[0] + bias)]


def attention_step(x, states, weights):
    """TensorFlow 1's AttentionCellWrapper around two GRU layers; states y, h1, h2, a, memory (n, units)."""
    _, lower, upper, attention, memory = states
    w1, w1_attention, b1, wq, bq, wk, v, w2, b2, *grus = weights
    x = np.concatenate([x, attention]) @ np.concatenate([w1, w1_attention]) + b1
    lower = gru_before(x, lower, *grus[:3])
    upper = gru_before(lower, upper, *grus[3:])
    query = np.concatenate([lower, upper]) @ wq + bq
    scores = np.array([v @ np.tanh(m @ wk + query) for m in memory])
    shares = np.exp(scores) / np.exp(scores).sum()
    attention = sum(p * m for p, m in zip(shares, memory, strict=True))
    y = np.concatenate([upper, attention]) @ w2 + b2
    return [y, lower, upper, attention, np.concatenate([memory[1:], y[None]])]


CELLS = {
    "gru_before": (
        lambda **more: GRU(4, reset_after=False, **more),
        lambda x, w: over(lambda x, s, w: [gru_before(x, s[0], *w)], x, [np.zeros((len(x), 4))], w),
    ),
    "gru_after": (
        lambda **more: GRU(4, reset_after=True, **more),
        lambda x, w: over(lambda x, s, w: [gru_after(x, s[0], *w)], x, [np.zeros((len(x), 4))], w),
    ),
    "lstm": (
        lambda **more: PeepholeLSTM(4, **more),
        lambda x, w: over(lstm_step, x, [np.zeros((len(x), 4))] * 2, w),
    ),
    "indrnn": (
        lambda **more: IndRNN(4, **more),
        lambda x, w: over(indrnn_step, x, [np.zeros((len(x), 4))], w),
    ),
    "attention": (
        lambda **more: OutputAttention([GRU(5, reset_after=False), GRU(4, reset_after=False)], 3, **more),
        lambda x, w: over(
            attention_step, x, [np.zeros((len(x), *s)) for s in [(4,), (5,), (4,), (4,), (3, 4)]], w
        ),
    ),
}  # fmt: skip


def layer(cell, **more):
    """A small layer with random weights, none zero."""
    made = CELLS[cell][0](**more)
    made.build((None, None, FEATURES))
    rng = np.random.default_rng(3)
    made.set_weights([rng.normal(0, 0.5, weight.shape) for weight in made.weights])
    return made


def expected(cell, sequence, weights):
    return CELLS[cell][1](sequence, weights)


def sequence(frames=8, batch=2, seed=0):
    return np.random.default_rng(seed).normal(0, 1, (batch, frames, FEATURES))


def float64(weights):
    return [keras.ops.convert_to_numpy(weight).astype("float64") for weight in weights]
