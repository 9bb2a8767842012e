"""Accelerators: meshes, chips and compiled programs."""
