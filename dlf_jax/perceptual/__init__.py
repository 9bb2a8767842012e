"""Frozen networks behind perceptual losses and metrics."""
