"""What happened: declarations, the receivers that watch models, `track` by hand, and the backfill."""
