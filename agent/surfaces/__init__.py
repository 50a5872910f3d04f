"""Where people meet Mirror; each surface knows Session and never the graph."""
