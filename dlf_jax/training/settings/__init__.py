"""Settings of a run: meaning, range and checks."""
