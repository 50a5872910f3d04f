"""A person at the keyboard, for surfaces that read lines."""


class Lines:
    """A person who types these lines and then leaves; one that is an exception is raised."""

    def __init__(self, *lines):
        self.lines = list(lines)
        self.prompts = []

    def line(self, prompt):
        self.prompts.append(prompt)
        if not self.lines:
            return None
        line = self.lines.pop(0)
        if isinstance(line, BaseException):
            raise line
        return line
