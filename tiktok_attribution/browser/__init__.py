"""The page's half: the pixel's text and the events that wait for the visitor's next page."""
