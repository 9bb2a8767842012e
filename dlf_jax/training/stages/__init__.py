"""Stages: what each one trains, and its loss."""
