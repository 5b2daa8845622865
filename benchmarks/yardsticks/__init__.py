"""What a site could have instead, as fast as it can be written."""
