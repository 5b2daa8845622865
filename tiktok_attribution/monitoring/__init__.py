"""Monitor delivery: count events into hours for the overview, and alert the admins when something is wrong."""
