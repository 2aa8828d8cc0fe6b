"""A residual network of three blocks by hand: forward pass, normalisation and backpropagation from their equations.

Written with NumPy from He et al. 2016, Ioffe & Szegedy 2015, Chiley et al. 2019 and Pogodin & Latham 2020; it uses no
code of the engine. Arrays are (example, channel, row, column); errors are of T - O, summed over examples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray
Tensors = dict[str, Array]
FORWARD, BACKWARD, EPSILON, LIMIT, POWER, DELTA = 0.999, 0.99, 1e-5, 5.0, 0.2, 1.0


def taps(x: Array, kernel: int, stride: int) -> tuple[Array, list[tuple[slice, slice]]]:
    """The image with a border of zeros, and for each tap the pixels that it multiplies."""
    count = -(-x.shape[2] // stride)
    border = max((count - 1) * stride + kernel - x.shape[2], 0)
    before = border // 2
    padded = np.pad(x, ((0, 0), (0, 0), (before, border - before), (before, border - before)))
    rows = [slice(k, k + (count - 1) * stride + 1, stride) for k in range(kernel)]
    return padded, [(down, across) for down in rows for across in rows]


def convolve(x: Array, w: Array, stride: int) -> Array:
    """The image through a kernel (out, in, row, column)."""
    padded, places = taps(x, w.shape[2], stride)
    weights = w.reshape(*w.shape[:2], -1)
    return sum(np.einsum("oi,nirc->norc", weights[:, :, k], padded[:, :, down, across])
               for k, (down, across) in enumerate(places))  # fmt: skip


def convolve_back(x: Array, w: Array, stride: int, d: Array, b: Array) -> tuple[Array, Array]:
    """The error of the image through feedback weights b of w's shape, and the increment of w."""
    padded, places = taps(x, w.shape[2], stride)
    dx, dw = np.zeros_like(padded), np.zeros((*w.shape[:2], len(places)))
    weights = b.reshape(*w.shape[:2], -1)
    for k, (down, across) in enumerate(places):
        dw[:, :, k] = np.einsum("norc,nirc->oi", d, padded[:, :, down, across])
        dx[:, :, down, across] += np.einsum("oi,norc->nirc", weights[:, :, k], d)
    before = (padded.shape[2] - x.shape[2]) // 2
    return dx[:, :, before : before + x.shape[2], before : before + x.shape[3]], dw.reshape(w.shape)


class Norm:
    """Neurons of one layer that normalise in one of the ways; "none" passes everything on."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.state: dict[str, Any] = {"mean": 0.0, "variance": 1.0, "error_mean": 0.0, "error_scale": 0.0}

    def forward(self, s: Array) -> Array:
        z = self.state
        if self.kind == "online":
            y, self.scale = np.zeros_like(s), np.zeros_like(s)
            for n, x in enumerate(s):
                self.scale[n] = 1 / np.sqrt(z["variance"] + EPSILON)
                y[n] = (x - z["mean"]) * self.scale[n]
                z["variance"] = FORWARD * z["variance"] + FORWARD * (1 - FORWARD) * (x - z["mean"]) ** 2
                z["mean"] = FORWARD * z["mean"] + (1 - FORWARD) * x
            self.y = y
            return np.minimum(np.maximum(y, -LIMIT), LIMIT)
        if self.kind == "batch":
            mean, spread = s.mean((0, 2, 3), keepdims=True), s.var((0, 2, 3), keepdims=True)
            self.scale = 1 / np.sqrt(spread + EPSILON)
            self.y = (s - mean) * self.scale
            return self.y
        if self.kind == "divisive":
            self.apart = s - s.mean((1, 2, 3), keepdims=True)
            self.spread = (DELTA + (self.apart**2).sum((1, 2, 3), keepdims=True)) / s[0].size
            return self.apart / self.spread**POWER
        return s

    def backward(self, d: Array) -> Array:
        z = self.state
        if self.kind == "online":
            out = np.zeros_like(d)
            for n, y in enumerate(self.y):
                g = d[n] * (np.abs(y) < LIMIT) - (1 - BACKWARD) * z["error_scale"] * y
                z["error_scale"] = z["error_scale"] + g * y
                out[n] = g * self.scale[n] - (1 - BACKWARD) * z["error_mean"]
                z["error_mean"] = z["error_mean"] + out[n]
            return out
        if self.kind == "batch":
            means = d.mean((0, 2, 3), keepdims=True), (d * self.y).mean((0, 2, 3), keepdims=True)
            return self.scale * (d - means[0] - self.y * means[1])
        if self.kind == "divisive":
            count, sums = d[0].size, (d * self.apart).sum((1, 2, 3), keepdims=True)
            d = d / self.spread**POWER - POWER * self.spread ** (-POWER - 1) * 2 * self.apart / count * sums
            return d - d.mean((1, 2, 3), keepdims=True)
        return d


class Layer:
    """A convolution, its norm, and with a norm a gain and a bias for each channel; `h` is the first number it has."""

    def __init__(self, tensors: Tensors, h: int, stride: int, kind: str, *, bends: bool, feedback: Tensors) -> None:
        self.tensors, self.h, self.stride, self.norm, self.bends = tensors, h, stride, Norm(kind), bends
        self.normal, self.feedback = kind != "none", feedback

    def forward(self, x: Array) -> Array:
        self.x, h = x, self.h
        s = convolve(x, self.tensors[f"W{h}.weight"], self.stride)
        if self.normal:
            self.fired = self.norm.forward(s)
            s = self.fired * self._each(f"W{h + 1}.weight") + self._each(f"W{h + 1}.bias")
        else:
            s = s + self._each(f"W{h}.bias")
        self.slope = (s > 0).astype(float) if self.bends else np.ones_like(s)
        return s * self.slope

    def backward(self, d: Array, found: Tensors) -> Array:
        """The error of the image; increments are added to those found."""
        h, d = self.h, d * self.slope
        if self.normal:
            found[f"W{h + 1}.weight"] = (d * self.fired).sum((0, 2, 3))
            found[f"W{h + 1}.bias"] = d.sum((0, 2, 3))
            d = self.norm.backward(d * self._each(f"W{h + 1}.weight"))
        else:
            found[f"W{h}.bias"] = d.sum((0, 2, 3))
        w = self.tensors[f"W{h}.weight"]
        back = self.feedback.get(f"B{h}.weight")
        b = w if back is None else back.swapaxes(0, 1)
        dx, found[f"W{h}.weight"] = convolve_back(self.x, w, self.stride, d, b)
        return dx

    def _each(self, name: str) -> Array:
        return self.tensors[name][None, :, None, None]


class Residual:
    """A stem, three blocks, the mean over positions and a dense softmax layer."""

    def __init__(self, tensors: Tensors, kind: str, feedback: Tensors | None = None) -> None:
        self.tensors, self.feedback = tensors, feedback or {}
        step, h = 1 if kind == "none" else 2, 1

        def layer(stride: int, *, bends: bool) -> Layer:
            nonlocal h
            made = Layer(tensors, h, stride, kind, bends=bends, feedback=self.feedback)
            h += step
            return made

        self.stem = layer(1, bends=True)
        self.blocks = [
            (layer(stride, bends=True), layer(1, bends=False), layer(stride, bends=False)) for stride in (1, 2, 2)
        ]
        self.top = f"W{h}"

    def increments(self, x: Array, y: Array) -> Tensors:
        """What each weight and bias should change by, summed over examples; statistics go on."""
        a, sums = self.stem.forward(x), []
        for first, second, around in self.blocks:
            total = second.forward(first.forward(a)) + around.forward(a)
            sums.append(total)
            a = np.maximum(total, 0)
        mean = a.mean((2, 3))
        w = self.tensors[f"{self.top}.weight"]
        s = mean @ w.T + self.tensors[f"{self.top}.bias"]
        p = np.exp(s - s.max(1, keepdims=True))
        d = np.eye(len(w))[y] - p / p.sum(1, keepdims=True)
        found = {f"{self.top}.weight": d.T @ mean, f"{self.top}.bias": d.sum(0)}
        back = self.feedback.get(f"B{self.top[1:]}.weight")
        d = d @ (w if back is None else back.T)
        d = np.broadcast_to(d[:, :, None, None] / a[0, 0].size, a.shape)
        for (first, second, around), total in zip(self.blocks[::-1], sums[::-1], strict=True):
            d = d * (total > 0)
            d = first.backward(second.backward(d, found), found) + around.backward(d, found)
        self.stem.backward(d, found)
        return found
