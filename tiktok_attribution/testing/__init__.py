"""The test kit: a stand-in for TikTok, pytest fixtures, and assertions about recorded events."""
