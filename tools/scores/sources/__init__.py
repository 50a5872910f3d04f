"""Where scores come from: one small reader a source, each yielding entries."""
