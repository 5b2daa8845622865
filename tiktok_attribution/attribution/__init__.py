"""What TikTok brought: conversions that last, their touches and credits, spend, and the report."""
