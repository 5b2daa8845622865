"""What TikTok's ads brought and cost: conversions that last, their credits, the roll-up, spend, the report."""
