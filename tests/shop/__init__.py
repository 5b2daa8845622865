"""A shop just large enough to have conversions."""
