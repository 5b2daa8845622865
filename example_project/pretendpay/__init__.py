"""A pretend payment provider: a hosted payment page, and a signed webhook some seconds later."""
