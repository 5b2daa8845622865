"""What ads brought: conversions that last, their touches, credits, and the daily roll-up."""
