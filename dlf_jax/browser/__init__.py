"""The codec in a browser: files for `dlf_jax/web`, the JavaScript of the page."""
