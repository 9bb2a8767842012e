"""Image files, photo sources and training batches."""
