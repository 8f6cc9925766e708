"""Sessions and messages, a line of a file each, so that they outlive the process."""

import json
from pathlib import Path
from typing import Any


class Store:
    """Attributes:
    sessions: Who has been here, by the secret that lets them come back.
    messages: What one has written to another, oldest first.
    """

    def __init__(self, file: str) -> None:
        self.sessions: dict[str, dict[str, str]] = {}
        self.messages: list[dict[str, Any]] = []
        self._file = Path(file)
        if self._file.exists():
            for line in self._file.read_text().splitlines():
                self._take(json.loads(line))

    def add(self, what: dict[str, Any]) -> None:
        """Keeps a session or a message."""
        self._take(what)
        with self._file.open("a") as file:
            file.write(json.dumps(what) + "\n")

    def _take(self, what: dict[str, Any]) -> None:
        if "sessionID" in what:
            self.sessions[what["sessionID"]] = what
        else:
            self.messages.append(what)
