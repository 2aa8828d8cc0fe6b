"""Kernels compiled by Numba, and the threads that run them."""
