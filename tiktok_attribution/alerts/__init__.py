"""Tells whoever is not looking that a pixel is in trouble, and when it is well again: once each."""
