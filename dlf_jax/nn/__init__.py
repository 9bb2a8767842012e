"""Linen blocks that know nothing of DLF."""
