"""Retry and cancel, of one event, of a few, or of a whole filter in the background."""
