"""What was asked: a request in plain words, made into typed requirements."""
