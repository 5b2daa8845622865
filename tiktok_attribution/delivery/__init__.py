"""The server event: from the outbox to TikTok's Events API, and what its answers mean."""
