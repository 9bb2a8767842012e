"""Differentiable rate: Gaussian bits and the four-step context model."""
