"""Kernels for an NVIDIA GPU, through CuPy."""
