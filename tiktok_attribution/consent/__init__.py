"""What a visitor allows: the answer, and how the cookies of a consent tool tell it. Knows no Django."""
