"""Model directories, and conversion of official checkpoints."""
