"""Probabilistic programs as JAX functions."""
