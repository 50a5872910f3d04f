"""When: the conversation, its state machine and the places where people meet it."""
