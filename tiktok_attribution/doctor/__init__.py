"""Whether everything that delivery needs is in place: one function a concern, each gives findings."""
