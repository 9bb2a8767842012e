"""Baselines of TensorFlow Compression, in a process and an environment of their own.

The files here are run by path, with the Python of `requirements-tfc.txt`; nothing in
the package imports them, and they import nothing of it.
"""
