"""Tarnleaf, a small shop for tea and stoneware."""
