"""The browser channel: the pixel's code, events that wait for a visitor's page, and the endpoints that pages call."""
