"""Comparison of codecs: complete files, metrics, rate-distortion curves, a report."""
