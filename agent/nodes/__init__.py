"""The state machine's nodes, one a file, each calling tools and writing its own keys."""
