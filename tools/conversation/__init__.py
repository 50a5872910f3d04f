"""What follows a first request: questions, changes of mind, and answers that are checked."""
