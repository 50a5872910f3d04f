"""What measuring would cost, and what it could change."""
