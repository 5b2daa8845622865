"""A shop of one model, twice: declared, and unknown to the app."""
