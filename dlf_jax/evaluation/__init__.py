"""Codecs side by side: files of true sizes, metrics, curves and a report."""
