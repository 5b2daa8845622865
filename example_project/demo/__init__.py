"""The demonstration: site, worker and TikTok's stand-in as processes, a scripted visitor, and the table at the end."""
