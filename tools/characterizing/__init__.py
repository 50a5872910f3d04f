"""What a model's own sources say of it: reading them, quoting them, and how far to believe it."""
