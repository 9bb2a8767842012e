"""A training run: everything with side effects."""
