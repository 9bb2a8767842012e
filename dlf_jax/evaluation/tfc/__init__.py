"""Server for baselines of TensorFlow Compression, in a separate environment.

These files are run by path, with the Python of `requirements-tfc.txt`.  No module of
the package imports them, and they import none of its modules.
"""
