"""Pure array functions without parameters."""
