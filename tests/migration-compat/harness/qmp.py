# SPDX-License-Identifier: GPL-2.0-or-later
"""A QMP client over a UNIX socket to which QEMU connects. (QEMU's own is in its source tree, which is not there for all that runs here.)"""
import json
import os
import socket
import threading
import time

from . import settings
from .settings import HarnessError


class Qmp:
    """The monitor of one QEMU.

    path: where QEMU is told to connect. name: what messages call it. alive: a function that says whether QEMU still runs.
    """

    def __init__(self, path, name, alive):
        self.path, self.name, self._alive = path, name, alive
        self._file = None
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(1)

    def _connect(self):
        end = time.monotonic() + settings.timeout
        self._listener.settimeout(0.05)
        while True:
            try:
                connection, _ = self._listener.accept()
                break
            except TimeoutError:
                if not self._alive() or time.monotonic() > end:
                    raise HarnessError(f"{self.name}: no QMP connection") from None
        connection.settimeout(settings.timeout)
        self._file = connection.makefile("rw", encoding="utf-8")
        connection.close()
        self._execute("qmp_capabilities", {})

    def _execute(self, command, arguments):
        try:
            self._file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
            self._file.flush()
            for line in self._file:
                reply = json.loads(line)
                if "error" in reply:
                    raise HarnessError(f"{self.name}: QMP {command}: {reply['error']['desc']}")
                if "return" in reply:
                    return reply["return"]      # anything else is the greeting, or an event
        except OSError as error:
            raise HarnessError(f"{self.name}: QMP {command}: {error}") from error
        raise HarnessError(f"{self.name}: QEMU ended during QMP {command}")

    def execute(self, command, **arguments):
        """Execute a command and return what it returns. '_' in an argument's name stands for '-'."""
        with self._lock:
            if self._file is None:
                self._connect()
            return self._execute(command, {name.replace("_", "-"): value for name, value in arguments.items()})

    def close(self):
        """Close what is open."""
        for each in (self._file, self._listener):
            try:
                if each:
                    each.close()
            except OSError:
                pass
        if os.path.exists(self.path):
            os.unlink(self.path)
