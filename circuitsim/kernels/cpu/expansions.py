"""exp, tanh and the logistic function by expansions that compilers turn into vector instructions.

After reduction to |r| <= ln(2)/2, exp is a polynomial of degree 5 (float32) or a rational function (float64); tanh is
a function of its own below 0.625 and 1 - 2 / (e^2x + 1) above; the logistic function is 1 / (1 + e^-x). Relative
errors, found by trying: 2e-7 in float32, and 4e-16 in float64, which is exact but for the last bits. What is not a
number stays so. Divisions by zero give infinities, not exceptions: with those no compiler makes vector instructions.

Source
------
Moshier, Cephes Mathematical Library: expf, exp, tanhf, tanh.
"""
# With the C library's exp and tanh: 1.52 times the CPU time, 50 replicas of 784-20-784, batch 100, rec-rwcc (AMD EPYC,
# AVX2, one thread); 1.05 with batch 1, 1.18 to 1.55 in the other cases of benchmarks/speed.py.

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload

from circuitsim.kernels.cpu.native import bits, from_bits

# mypy: disable-error-code="no-untyped-def"

F = np.float32


@njit(nogil=True, inline="always", error_model="numpy")
def _exp32(x):
    low, high = F(-87.0), F(87.0)
    x = low if x < low else x
    x = high if x > high else x
    shifted = x * F(1.44269504088896341) + F(12582912.0)  # adding 1.5 2^23 rounds, and leaves the number in the bits
    n = shifted - F(12582912.0)
    r = x - n * F(0.693359375) - n * F(-2.12194440e-4)
    p = F(1.9875691500e-4)
    p = p * r + F(1.3981999507e-3)
    p = p * r + F(8.3334519073e-3)
    p = p * r + F(4.1665795894e-2)
    p = p * r + F(1.6666665459e-1)
    p = p * r + F(5.0000001201e-1)
    return (p * r * r + r + F(1.0)) * from_bits(np.int32((bits(shifted) + 127) << 23))


@njit(nogil=True, inline="always", error_model="numpy")
def _exp64(x):
    x = -708.0 if x < -708.0 else x
    x = 708.0 if x > 708.0 else x
    shifted = x * 1.4426950408889634 + 6755399441055744.0
    n = shifted - 6755399441055744.0
    r = x - n * 6.93145751953125e-1 - n * 1.42860682030941723212e-6
    z = r * r
    p = r * ((1.26177193074810590878e-4 * z + 3.02994407707441961300e-2) * z + 9.99999999999999999910e-1)
    q = (3.00198505138664455042e-6 * z + 2.52448340349684104192e-3) * z + 2.27265548208155028766e-1
    q = q * z + 2.0
    return (1.0 + 2.0 * (p / (q - p))) * from_bits((bits(shifted) + 1023) << 52)


@njit(nogil=True, inline="always", error_model="numpy")
def _tanh32(x):
    z = x * x
    p = F(-5.70498872745e-3)
    p = p * z + F(2.06390887954e-2)
    p = p * z + F(-5.37397155531e-2)
    p = p * z + F(1.33314422036e-1)
    p = p * z + F(-3.33332819422e-1)
    near = x + x * z * p
    size = -x if x < F(0.0) else x
    far = F(1.0) - F(2.0) / (_exp32(F(2.0) * size) + F(1.0))
    far = -far if x < F(0.0) else far
    return near if size < F(0.625) else far


@njit(nogil=True, inline="always", error_model="numpy")
def _tanh64(x):
    z = x * x
    p = (-9.64399179425052238628e-1 * z - 9.92877231001918586564e1) * z - 1.61468768441708447952e3
    q = ((z + 1.12811678491632931402e2) * z + 2.23548839060100448583e3) * z + 4.84406305325125486048e3
    near = x + x * z * (p / q)
    size = -x if x < 0.0 else x
    far = 1.0 - 2.0 / (_exp64(2.0 * size) + 1.0)
    far = -far if x < 0.0 else far
    return near if size < 0.625 else far


def exp(x: Any) -> Any:
    """e^x, finite for finite x: at most e^87 (float32), e^708 (float64)."""
    return np.exp(x)


def tanh(x: Any) -> Any:
    """tanh x."""
    return np.tanh(x)


@overload(exp, inline="always")
def _exp(x):
    return (lambda x: _exp32(x)) if x == types.float32 else (lambda x: _exp64(x))


@overload(tanh, inline="always")
def _tanh(x):
    return (lambda x: _tanh32(x)) if x == types.float32 else (lambda x: _tanh64(x))


@njit(nogil=True, error_model="numpy")
def tanh_of(row):
    """tanh of each number of a row, in place."""
    for i in range(row.shape[0]):
        row[i] = tanh(row[i])


@njit(nogil=True, error_model="numpy")
def logistic_of(row):
    """1 / (1 + e^-x) of each number of a row, in place."""
    one = row.dtype.type(1)
    for i in range(row.shape[0]):
        row[i] = one / (one + exp(-row[i]))


@njit(nogil=True, error_model="numpy")
def softmax_of(row):
    """e^x / sum e^x over a row, in place."""
    most = row[0]
    for i in range(row.shape[0]):
        most = row[i] if row[i] > most or row[i] != row[i] else most
    total = row.dtype.type(0)
    for i in range(row.shape[0]):
        row[i] = exp(row[i] - most)
        total += row[i]
    for i in range(row.shape[0]):
        row[i] /= total
