"""Linen blocks, independent of DLF."""
