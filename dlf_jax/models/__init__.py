"""The DLF networks, from the ViT trunk to the whole codec."""
