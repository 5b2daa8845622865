"""Read the visitor's signals and consent from a request, and keep a snapshot for a later payment."""
