"""Declarations of conversions, the receivers that watch models, `track` for events by hand, and the backfill."""
