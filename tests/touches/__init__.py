"""Landings: what an address says, who is recorded, and what is left after a refusal."""
