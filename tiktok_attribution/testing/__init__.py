"""The stand-in for TikTok that demos and tests run against, and the kit for people's own tests."""
