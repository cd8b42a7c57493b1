# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU process that runs the Linux guest, its console and its QMP."""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from tempfile import mkdtemp

TIMEOUT = 60                    # seconds for what QEMU itself does: to start, to answer, to save, to load


class VmError(Exception):
    """QEMU did not do what it was told."""


# Lines of stderr that say nothing of a migration.
NOISE = re.compile(r"TCG doesn't support requested feature|terminating on signal|TCE64|has no peer|not connected to host network|module .* not found")


_running = set()
_running_lock = threading.Lock()
_stopping = False               # no new QEMU: what waits for workers is ending


def kill_all():
    """Kill every QEMU that is still running, and start no other. For exits that no 'with' sees: worker threads."""
    global _stopping
    with _running_lock:
        _stopping = True
        machines = list(_running)
    for machine in machines:
        machine.kill()


class Vm:
    """A QEMU, for use in a 'with' statement; it is killed at the end of that.

    options: those of the machine. incoming: None, "defer", or the Path of a stream. stopped: do not let the guest run (-S).
    """

    def __init__(self, binary, options, incoming=None, stopped=False):
        self.dir = Path(mkdtemp(prefix="linux-", dir="/var/tmp"))
        self.console, self._stderr = self.dir / "console", self.dir / "stderr"
        self._qmp = None
        self._lock = threading.Lock()
        command = [str(binary), *map(str, options), "-no-user-config", "-nodefaults", "-vga", "none", "-display", "none",
                   "-accel", "tcg", "-chardev", f"file,id=c,path={self.console}", "-serial", "chardev:c",
                   "-qmp", f"unix:{self.dir}/qmp,server,nowait"]
        if stopped:
            command.append("-S")
        try:
            with contextlib.ExitStack() as stack:
                fds = ()
                if isinstance(incoming, Path):
                    stream = stack.enter_context(open(incoming, "rb"))
                    fds = (stream.fileno(),)
                    command += ["-incoming", f"fd:{stream.fileno()}"]
                elif incoming:
                    command += ["-incoming", incoming]
                self.command = command
                stderr = stack.enter_context(open(self._stderr, "wb"))
                try:
                    # A session of its own: Ctrl-C is for us, and we end QEMU.
                    self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr,
                                                    pass_fds=fds, start_new_session=True)
                except OSError as error:
                    raise VmError(f"cannot run {binary}: {error}") from error
        except BaseException:
            shutil.rmtree(self.dir, ignore_errors=True)
            raise
        with _running_lock:
            _running.add(self)
            stop = _stopping
        if stop:
            self.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def ended(self):
        """Whether QEMU has ended."""
        return self.process.poll() is not None

    @property
    def status(self):
        """How QEMU ended, for a person."""
        code = self.process.poll()
        return "runs" if code is None else f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"

    def said(self):
        """What QEMU said on stderr, in one line."""
        lines = [re.sub(r"^\S*qemu-system-\S+: ?", "", line) for line in
                 self._stderr.read_text(errors="replace").splitlines() if not NOISE.search(line)]
        return "; ".join(lines)

    def text(self):
        """The console so far."""
        return self.console.read_text(errors="replace") if self.console.exists() else ""

    def cpu_seconds(self):
        """The CPU time that QEMU has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _connect(self):
        end = time.monotonic() + TIMEOUT
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(self.dir / "qmp"))
                break
            except OSError:
                connection.close()
                if self.ended or time.monotonic() > end:
                    raise VmError(f"no QMP: {self.status}; {self.said()}") from None
                time.sleep(0.05)
        connection.settimeout(TIMEOUT)
        self._qmp = connection.makefile("rw", encoding="utf-8")
        connection.close()
        self._execute("qmp_capabilities", {})

    def _execute(self, command, arguments):
        try:
            self._qmp.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
            self._qmp.flush()
            for line in self._qmp:
                reply = json.loads(line)
                if "error" in reply:
                    raise VmError(f"QMP {command}: {reply['error']['desc']}")
                if "return" in reply:
                    return reply["return"]      # anything else is the greeting, or an event
        except OSError as error:
            raise VmError(f"QMP {command}: {error}; {self.status}; {self.said()}") from error
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        raise VmError(f"QMP {command}: QEMU ended, {self.status}; {self.said()}")

    def qmp(self, command, **arguments):
        """Execute a QMP command and return what it returns. '_' in an argument's name stands for '-'."""
        with self._lock:
            if self._qmp is None:
                self._connect()
            return self._execute(command, {name.replace("_", "-"): value for name, value in arguments.items()})

    def hmp(self, line):
        """Execute a command of the human monitor and return what it says."""
        return self.qmp("human-monitor-command", command_line=line)

    def wait_status(self, *wanted, timeout=TIMEOUT):
        """Wait until the run state is one of WANTED."""
        end = time.monotonic() + timeout
        while True:
            status = self.qmp("query-status")["status"]
            if status in wanted:
                return
            if time.monotonic() > end:
                raise VmError(f"still {status} after {timeout} s; {self.said()}")
            time.sleep(0.05)

    def migrate(self, uri):
        """Migrate to URI, to the end."""
        self.qmp("migrate-set-parameters", max_bandwidth=1 << 33)
        self.qmp("migrate", uri=uri)
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            state = self.qmp("query-migrate")
            if state.get("status") == "completed":
                return
            if state.get("status") in ("failed", "cancelled"):
                raise VmError(state.get("error-desc", "migration " + state["status"]))
            time.sleep(0.02)
        raise VmError(f"migration still {state.get('status')} after {TIMEOUT} s")

    def save(self, path):
        """Save the guest as a whole stream into a file. It ends where QEMU closes it."""
        name = str(self.dir / "saved")
        failure = []
        with socket.socket(socket.AF_UNIX) as listener, open(path, "wb") as out:
            listener.bind(name)
            listener.listen(1)
            listener.settimeout(TIMEOUT)

            def receive():
                try:
                    connection, _ = listener.accept()
                    connection.settimeout(TIMEOUT)
                    with connection, connection.makefile("rb") as stream:
                        shutil.copyfileobj(stream, out, 1 << 20)
                except OSError as error:
                    failure.append(error)

            reader = threading.Thread(target=receive)
            reader.start()
            try:
                self.migrate("unix:" + name)
            except BaseException:
                self.kill()
                raise
            finally:
                with contextlib.suppress(OSError):
                    if self.ended:
                        listener.shutdown(socket.SHUT_RDWR)     # wakes a reader that nobody connected to
                reader.join()
                os.unlink(name)
        if failure:
            raise VmError(f"cannot save: {failure[0]}")

    def kill(self):
        """Kill QEMU with all that it started, and wait for it to be gone."""
        if not self.ended:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self):
        """Kill QEMU and remove what it left behind."""
        self.kill()
        if self._qmp:
            with contextlib.suppress(OSError):
                self._qmp.close()
        shutil.rmtree(self.dir, ignore_errors=True)
        with _running_lock:
            _running.discard(self)
