"""The Hugging Face Hub: what it lists, what a repository holds, fetching, proposing."""
