"""Deliver the server channel: send events from the outbox to TikTok's Events API, and interpret its answers."""
