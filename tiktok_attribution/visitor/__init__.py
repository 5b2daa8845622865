"""Who it was: click id, cookie, address, agent, page, and the snapshot kept for a later payment."""
