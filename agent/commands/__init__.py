"""Commands that are no conversation, one a file: ``run(args, settings) -> exit code``."""
