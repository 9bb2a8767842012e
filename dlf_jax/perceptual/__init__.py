"""Networks of perceptual losses and metrics: frozen features, discriminator."""
