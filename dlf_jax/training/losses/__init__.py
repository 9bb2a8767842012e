"""Loss terms, and the weights that follow the rate."""
