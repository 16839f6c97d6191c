"""Decoders and the processes that run them."""
