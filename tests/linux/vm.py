# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU process that runs the Linux guest, its console and its QMP."""
import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import mkdtemp

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "migration-compat"))
from harness import HarnessError  # noqa: E402  (found through the line above)
from harness.qmp import Qmp  # noqa: E402

TIMEOUT = 60                    # seconds for what QEMU itself does: to start, to answer, to save, to load


class VmError(HarnessError):
    """QEMU did not do what it was told."""


# Lines of stderr that say nothing of a migration.
NOISE = re.compile(r"TCG doesn't support requested feature|terminating on signal|TCE64|has no peer|"
                   r"not connected to host network|module .* not found")


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
        self._qmp = Qmp(str(self.dir / "qmp"), os.path.basename(binary), lambda: not self.ended)
        command = [str(binary), *map(str, options), "-no-user-config", "-nodefaults", "-vga", "none", "-display", "none",
                   "-accel", "tcg",
                   # The log has what the guest writes, also while nobody is connected.
                   "-chardev", f"socket,id=c,path={self.dir}/vty,server=on,wait=off,logfile={self.console}",
                   "-serial", "chardev:c", "-qmp", f"unix:{self.dir}/qmp"]
        if stopped:
            command.append("-S")
        try:
            if isinstance(incoming, Path):
                incoming = f"exec:cat {shlex.quote(str(incoming))}"     # since 11.0 fd: takes no file
            if incoming:
                command += ["-incoming", incoming]
            self.command = command
            with open(self._stderr, "wb") as stderr:
                try:
                    # A session of its own: Ctrl-C is for us, and we end QEMU.
                    self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr,
                                                    start_new_session=True)
                except OSError as error:
                    raise VmError(f"cannot run {binary}: {error}") from error
        except BaseException:
            self._qmp.close()
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

    def type(self, text):
        """Type a line at the guest's console. On return the machine has it, unless a guest that hangs leaves no room."""
        try:
            with socket.socket(socket.AF_UNIX) as vty:
                vty.settimeout(5)
                vty.connect(str(self.dir / "vty"))
                vty.sendall(text.encode() + b"\n")
                vty.shutdown(socket.SHUT_WR)
                while vty.recv(4096):           # QEMU closes it once it has read all
                    pass
        except TimeoutError:
            pass
        except OSError as error:
            raise VmError(f"cannot type: {error}; {self.status}; {self.said()}") from error

    def cpu_seconds(self):
        """The CPU time that QEMU has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def qmp(self, command, **arguments):
        """Execute a QMP command and return what it returns. '_' in an argument's name stands for '-'."""
        try:
            return self._qmp.execute(command, **arguments)
        except HarnessError as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1)            # for a QEMU that is about to end
            raise VmError("; ".join(filter(None, (f"{error}", self.status if self.ended else "", self.said())))) from error

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
        """Migrate to URI, to the end. Where the guest writes faster than a busy host sends, let it stand still for longer."""
        self.qmp("migrate-set-parameters", max_bandwidth=1 << 33, downtime_limit=300)
        self.qmp("migrate", uri=uri)
        end, patient = time.monotonic() + TIMEOUT, True
        while time.monotonic() < end:
            state = self.qmp("query-migrate")
            if state.get("status") == "completed":
                return
            if state.get("status") in ("failed", "cancelled"):
                raise VmError(state.get("error-desc", "migration " + state["status"]))
            if patient and time.monotonic() > end - TIMEOUT / 2:
                self.qmp("migrate-set-parameters", downtime_limit=60000)
                patient = False
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
        self._qmp.close()
        shutil.rmtree(self.dir, ignore_errors=True)
        with _running_lock:
            _running.discard(self)
