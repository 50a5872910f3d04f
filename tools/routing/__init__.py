"""A run's answers made into a router, and the server in front of its members."""
