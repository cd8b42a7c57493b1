# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU that runs a guest: its process, its console, its monitor, what it says, the migration out of it."""
import atexit
import concurrent.futures
import os
import shlex
import shutil
import signal
import socket
import subprocess
import threading
import time
from tempfile import gettempdir, mkdtemp

from . import guests, settings
from .qmp import Qmp
from .settings import HarnessError

_running = set()
_running_lock = threading.Lock()
_stopping = False               # no new QEMU: what waits for workers is ending


def kill_all(stop=None):
    """Kill every QEMU that is still running. For exits that no 'with' sees: a signal, worker threads.

    stop: True: those that are yet to start, too, until it is False again.
    """
    global _stopping
    with _running_lock:
        if stop is not None:
            _stopping = stop
        machines = list(_running) if stop is not False else []
    for machine in machines:
        machine.kill()


atexit.register(kill_all)


class Vm:
    """A QEMU with a guest, for use in a 'with' statement; it is killed at the end of that.

    cpu: the model, or None for the machine's default.
    smp: the number of CPUs, or what -smp says, such as "4,maxcpus=8".
    incoming: None (the guest runs from its beginning), "unix" (wait at self.socket), "defer" or any URI for -incoming,
    or bytes: a whole stream to load.
    """

    def __init__(self, binary, machine, cpu, smp=1, options=(), incoming=None, guest=guests.COUNTING):
        self.guest, self.smp = guest, int(str(smp).split(",", maxsplit=1)[0])
        self.reports = []
        self.name = f"{os.path.basename(binary)} -M {machine}" + (f" -cpu {cpu}" if cpu else "")
        # The path of a UNIX socket has at most 107 bytes; some set TMPDIR to something long.
        self.dir = mkdtemp(prefix="mc-", dir="/tmp" if len(gettempdir()) > 80 else None)
        self.socket = os.path.join(self.dir, "migration")
        self._stderr = os.path.join(self.dir, "stderr")
        self._news = threading.Condition()
        self._ended = False
        self._qmp = Qmp(os.path.join(self.dir, "qmp"), self.name, lambda: not self._ended)
        images = guests.firmware()
        command = [binary, "-no-user-config", "-nodefaults", "-vga", "none", "-display", "none", "-m", "256", "-L", images,
                   "-bios", os.path.join(images, guest.image), "-M", machine,
                   "-chardev", "stdio,id=vt,signal=off", "-serial", "chardev:vt", "-qmp", "unix:" + self._qmp.path]
        if cpu:
            command += ["-cpu", cpu]
        if smp != 1:
            command += ["-smp", str(smp)]
        command += options
        if isinstance(incoming, bytes):
            stream = os.path.join(self.dir, "stream")
            with open(stream, "wb") as file:
                file.write(incoming)
            incoming = f"exec:cat {shlex.quote(stream)}"        # since 11.0 fd: takes no file, and before 8.2 there is no file:
        if incoming:
            command += ["-incoming", f"unix:{self.socket}" if incoming == "unix" else incoming]
        self.command = shlex.join(command)
        try:
            # A session of its own: Ctrl-C is for us, and we end QEMU.
            with open(self._stderr, "wb") as stderr:
                self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr,
                                                 start_new_session=True)
        except OSError as error:
            self._qmp.close()
            shutil.rmtree(self.dir, ignore_errors=True)
            raise HarnessError(f"cannot run {binary}: {error}") from error
        with _running_lock:
            _running.add(self)
            stop = _stopping
        if stop:
            self._process.kill()
        self._reader = threading.Thread(target=self._read_console, daemon=True)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- console ----

    def _read_console(self):
        for line in self._process.stdout:
            report = self.guest.report(line)
            if report:
                with self._news:
                    self.reports.append(report)
                    self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def wait_for(self, condition, timeout=None):
        """Wait until CONDITION, a function, is true of self.reports; False if QEMU ended before or time ran out."""
        with self._news:
            self._news.wait_for(lambda: self._ended or condition(self.reports), timeout or settings.timeout)
            return bool(condition(self.reports))

    def wait_reports(self, number):
        """Wait until there are NUMBER reports in self.reports; False if QEMU ended before or time ran out."""
        return self.wait_for(lambda reports: len(reports) >= number)

    def wait_back(self, timeout=None):
        """Wait until the guest counts less than it did, as after a snapshot was loaded, and forget what it said before.

        False if QEMU ended before or time ran out.
        """
        def back(reports):
            return next((n for n in range(1, len(reports)) if reports[n].count < reports[n - 1].count), None)

        if not self.wait_for(back, timeout):
            return False
        with self._news:
            del self.reports[:back(self.reports)]
        return True

    def type(self, keys):
        """Type KEYS, bytes, on the console of the guest."""
        try:
            self._process.stdin.write(keys)
            self._process.stdin.flush()
        except OSError as error:                # it has ended; whoever waits for an answer will see
            if not self._ended:
                raise HarnessError(f"{self.name}: cannot type: {error}") from error

    # ---- process ----

    def wait_exit(self, timeout=None):
        """Wait for QEMU to end. Returns its exit status (negative: the signal that killed it), None if it goes on."""
        try:
            return self._process.wait(timeout or settings.timeout)
        except subprocess.TimeoutExpired:
            return None

    @property
    def ended(self):
        """Whether QEMU has closed its console, as it does when it ends."""
        return self._ended

    @property
    def stderr(self):
        """All that QEMU has said on stderr so far, up to close().

        It is a file, so that what QEMU wrote before a report is there once that report is, whichever is read first.
        """
        with open(self._stderr, encoding="utf-8", errors="replace") as stderr:
            return stderr.read()

    def memory(self):
        """How much memory QEMU has resident, in KiB."""
        with open(f"/proc/{self._process.pid}/status", encoding="utf-8") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    def cpu_time(self):
        """How much CPU time QEMU has used, all threads together, in seconds; 0 once it has ended."""
        try:
            with open(f"/proc/{self._process.pid}/stat", encoding="utf-8") as stat:
                fields = stat.read().rpartition(")")[2].split()
        except OSError:
            return 0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")       # utime and stime

    def kill(self):
        """Kill QEMU with all that it started, and wait for it to be gone."""
        if self._process.poll() is None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._process.wait()

    def close(self):
        """Kill QEMU and remove what it left behind."""
        self.kill()
        self._reader.join(settings.timeout)     # reports has all that the guest wrote, then
        for pipe in (self._process.stdin, self._process.stdout, self._qmp):
            try:
                pipe.close()
            except OSError:
                pass
        shutil.rmtree(self.dir, ignore_errors=True)
        with _running_lock:
            _running.discard(self)

    # ---- monitor and migration ----

    def qmp(self, command, **arguments):
        """Execute a QMP command and return what it returns. '_' in an argument's name stands for '-'."""
        try:
            return self._qmp.execute(command, **arguments)
        except HarnessError as error:
            raise HarnessError(f"{error}\n{self.stderr}".rstrip()) from error

    def migrate(self, uri):
        """Migrate to URI, to the end. Returns None, or in words why this side says that it failed."""
        self.qmp("migrate", uri=uri)
        end = time.monotonic() + settings.timeout
        while time.monotonic() < end:
            state = self.qmp("query-migrate")
            if state.get("status") == "completed":
                return None
            if state.get("status") in ("failed", "cancelled"):
                return state.get("error-desc", "migration " + state["status"])
            time.sleep(0.02)                    # a step of polling, not a wait
        return f"migration still {state.get('status')} after {settings.timeout} s"

    def save(self):
        """Save the guest as a whole stream, and return that. The guest stands still then; "cont" lets it go on.

        It ends where QEMU closes it. (With exec:, QEMU has completed the migration when its command has yet to write the
        last of it.) A thread reads it, as 2.7 connects, but sends nothing before it is asked how far it is.
        """
        path = os.path.join(self.dir, "saved")
        with socket.socket(socket.AF_UNIX) as listener, concurrent.futures.ThreadPoolExecutor(1) as reader:
            listener.bind(path)
            listener.listen(1)
            listener.settimeout(settings.timeout)

            def receive():
                connection, _ = listener.accept()
                connection.settimeout(settings.timeout)
                with connection, connection.makefile("rb") as stream:
                    return stream.read()

            try:
                received = reader.submit(receive)
                failure = self.migrate("unix:" + path)
                if failure:
                    raise HarnessError(f"{self.name}: cannot save: {failure}\n{self.stderr}")
                return received.result()
            except BaseException as error:
                self.kill()                     # or the reader, which is waited for, might read for ever
                if isinstance(error, OSError):
                    raise HarnessError(f"{self.name}: cannot save: {error}\n{self.stderr}") from error
                raise
            finally:
                listener.shutdown(socket.SHUT_RDWR)     # wakes a reader that nobody connected to
                os.unlink(path)
