"""Image files and training pipelines."""
