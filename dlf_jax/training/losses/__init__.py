"""Loss terms, and the control of the rate weight λ."""
