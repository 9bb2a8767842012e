"""The codec: uint8 images to bytes and back."""
