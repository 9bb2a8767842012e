"""Settings of a run: their table, checks, and names of earlier versions."""
