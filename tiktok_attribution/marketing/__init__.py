"""TikTok's Marketing API, read only: reports of spend, the accounts' time zones, and the exchange of a token."""
