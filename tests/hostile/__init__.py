"""What a visitor can send, and every function that reads it."""
