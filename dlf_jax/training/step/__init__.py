"""The jitted step: pure functions of state and batch."""
