"""What arrays held before they were written, so that a failed update can be undone."""


class Journal:
    """Writes to arrays, and takes them back."""

    def __init__(self):
        self._entries = []  # (array, index, what was there)

    def write(self, array, at, values):
        """Write entries of an array."""
        self._entries.append((array, at, array[at].copy()))
        array[at] = values

    def clear(self):
        """Forget what was written: it stays."""
        self._entries = []

    def undo(self):
        """Put back what was there when the journal was last clear."""
        for array, at, before in reversed(self._entries):
            array[at] = before
        self._entries = []

    def __getstate__(self):
        return {"_entries": []}
