"""Stages, losses, steps and the loop."""
