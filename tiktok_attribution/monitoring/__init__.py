"""What became of the events, hour by hour: small rows from which the overview is read."""
