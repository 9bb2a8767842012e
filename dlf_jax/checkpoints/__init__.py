"""Model directories and name maps."""
