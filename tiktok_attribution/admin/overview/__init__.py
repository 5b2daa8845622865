"""What happened in a period, on one page: funnel, delivery over time, failures, match keys, value."""
