"""What TikTok's ads brought and cost: spend, attribution, and the report's queries."""
