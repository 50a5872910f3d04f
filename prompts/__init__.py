"""What Mirror says to a model: Markdown files with front matter that names their inputs."""
