"""The server's half: from the outbox to TikTok's Events API, and what its answers mean."""
