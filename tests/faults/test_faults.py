#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is left when something goes wrong: nothing, or all of it, and the next run succeeds.

    test_faults.py --tool build/core/tools/ppc-insns [--long] [--base debian/bookworm --tree build/debian-bookworm/qemu]

The stream tool and the scripts are killed at random moments, find the disk full or read-only, and mirrors that answer
nothing. --long adds what takes minutes: the real timeouts, and builds of QEMU that are killed. Prints TAP. The generator's
own faults are in tests/unit/test_series.py.

A run prints the seed of its random choices, "# seed N"; FAULTS_SEED=N in the environment makes the same ones again. What a
process is at when it is killed depends on the machine, too. In CI (CI is set in the environment) the seed is 0.
"""
import argparse
import hashlib
import http.server
import lzma
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path
from signal import SIGKILL, SIGTERM
from tempfile import TemporaryDirectory, mkdtemp

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "tests/unit"))
sys.dont_write_bytecode = True
import tap              # noqa: E402

OPTIONS = argparse.Namespace(tool=None, long=False, base=None, tree=None)
RANDOM = tap.chance()

# Runs a command where a directory is a small, or a read-only, file system. The small one begins with what the directory has. Nobody
# else sees it, and it ends with the command; so what is left there is listed on stdout, and what the command says goes to stderr.
SMALL = """
    cd "$1"; mount -t tmpfs -o size="$2" tmpfs "$1"; cp -a . "$1"; cd "$1"; shift 2
    "$@" >&2 || status=$?
    find . -mindepth 1 -printf '%P\\n'; exit ${status-0}"""
# Runs a command in the small one, then once more with room.
AGAIN = '"$@"; mount -o remount,size=1g tmpfs "$PWD" && exec "$@"'
READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"; shift; exec "$@"'


def mounted(script, *arguments):
    """The command line that runs ARGUMENTS in a mount namespace of its own."""
    return ["unshare", "-m" if os.geteuid() == 0 else "-rm", "sh", "-ec", script, "sh", *map(str, arguments)]


def why_no_mounts():
    """Why mount namespaces are not available here, as in an unprivileged container; None if they are."""
    with TemporaryDirectory() as top:
        done = subprocess.run(mounted(SMALL, top, "4k", "true"), capture_output=True, text=True)
    return f"no mount namespaces here: {done.stderr.strip()}" if done.returncode else None


NO_MOUNTS = why_no_mounts()
needs_mounts = unittest.skipIf(NO_MOUNTS, NO_MOUNTS)


def kill_at_random(command, longest, sig=SIGKILL, group=False, **kw):
    """Runs COMMAND and kills it, alone or with its GROUP, after up to LONGEST seconds; its exit status."""
    with subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL, start_new_session=group,
                          **{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL} | kw) as p:
        try:
            p.wait(RANDOM.uniform(0, longest))
        except subprocess.TimeoutExpired:
            (os.killpg if group else os.kill)(p.pid, sig)
        return p.wait()


class Rewrite(unittest.TestCase):
    """ppc-insns rewrite, a filter: what goes out is whole, or no stream"""

    @classmethod
    def setUpClass(cls):
        cls.tmp = Path(mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.tmp)
        path = PROJECT / "tests/migration-compat/streams/qemu-2.6.0-pseries-2.6-POWER8.stream.xz"
        cls.stream, cls.out = cls.tmp / "in", cls.tmp / "out"
        cls.stream.write_bytes(lzma.decompress(path.read_bytes()))
        with open(cls.stream) as f:
            cls.whole = subprocess.run([OPTIONS.tool, "rewrite", "--to", "2.7.0"], stdin=f, check=True,
                                       stdout=subprocess.PIPE).stdout

    def check_left(self, status):
        """What is in the file is all of it, or a beginning that nobody takes for a stream."""
        left = self.out.read_bytes()
        self.assertEqual(self.whole[:len(left)], left)
        if len(left) < len(self.whole):
            self.assertNotEqual(status, 0)
            self.assertEqual(subprocess.run([OPTIONS.tool, "show", self.out], capture_output=True).returncode, 2)

    def test_killed(self):
        """rewrite is killed, or its source is, at random moments"""
        for n in range(40):
            # of the stream, or of a part of it, which is all if the source is not killed
            size = RANDOM.randrange(len(self.whole)) if n % 2 else len(self.whole)
            status = kill_at_random(["sh", "-c", 'head -c "$4" "$2" | "$1" rewrite --to 2.7.0 > "$3"', "sh", OPTIONS.tool,
                                     self.stream, self.out, size], 0.2, group=True)
            self.check_left(status)

    @needs_mounts
    def test_full_disk(self):
        """rewrite to a full disk: an error, and no stream; the same for what show and check print"""
        where = self.tmp / "small"
        where.mkdir()
        done = subprocess.run(mounted(SMALL, where, "512k", "sh", "-c",
                                      '"$1" rewrite --to 2.7.0 < "$2" > "$3/out"; s=$?; cp "$3/out" "$4"; exit $s', "sh",
                                      OPTIONS.tool, self.stream, where, self.out), capture_output=True)
        self.assertEqual((done.returncode, done.stderr.count(b"\n")), (2, 1), done.stderr)
        self.assertIn(b"No space left on device", done.stderr)
        self.check_left(done.returncode)
        for command in ("show",), ("show", "--json"), ("check", "--to", "2.6"), ("check", "--to", "2.7"), ("history",):
            with self.subTest(command), open(self.stream) as f, open("/dev/full", "w") as full:
                done = subprocess.run([OPTIONS.tool, *command], stdin=f, stdout=full, stderr=subprocess.PIPE)
                self.assertEqual(done.returncode, 2)
                self.assertEqual(done.stderr, b"ppc-insns: cannot write the output\n")

    def test_unreadable(self):
        """a file that may not be read"""
        closed = self.tmp / "closed"
        shutil.copy(self.stream, closed)
        closed.chmod(0)
        drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
        done = subprocess.run([*drop, OPTIONS.tool, "show", closed], capture_output=True)
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertIn(b"Permission denied", done.stderr)


class Mirror(http.server.SimpleHTTPRequestHandler):
    """A mirror; cut: how many bytes of the package it sends before it hangs up"""
    cut = None

    def log_message(self, *_args):
        pass

    def copyfile(self, source, outputfile):
        if self.cut is not None and self.path.endswith(".tar.xz"):
            outputfile.write(source.read(self.cut))
            self.connection.close()
        else:
            super().copyfile(source, outputfile)


# distribution.py on a machine whose package sources are as told
SCRIPT = """
import sys
from pathlib import Path
sys.path[:0] = map(str, Path(sys.argv[1]).glob("*/"))
import distribution, process
distribution.machine = lambda: ('debian', 'bookworm', {'a.list': sys.argv[2]})
sys.argv[0] = 'distribution.py'
process.guarded(lambda: distribution.get('debian/bookworm', {'debian/bookworm': {'suite': 'bookworm'}}, Path(sys.argv[3])))
"""


class Source(unittest.TestCase):
    """distribution.py, with a small package from a mirror on this machine"""

    # That mirror is asked for it, and not what the machine has for a proxy.
    direct = os.environ | {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}

    @classmethod
    def setUpClass(cls):
        cls.tmp = Path(mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.tmp)
        tree, pool = cls.tmp / "qemu-7.2", cls.tmp / "mirror/pool"
        for name, text in (("VERSION", "7.2.9\n"), ("debian/rules", "#!/usr/bin/make -f\n"),
                           ("debian/source/format", "3.0 (native)\n"),
                           ("debian/control", "Source: qemu\nMaintainer: N <n@localhost>\n\n"
                            "Package: qemu\nArchitecture: all\nDescription: x\n"),
                           ("debian/changelog", "qemu (7.2) bookworm; urgency=low\n\n  * x\n\n"
                            " -- N <n@localhost>  Mon, 01 Jan 2024 00:00:00 +0000\n")):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(text)
        for n in range(1500):
            (tree / f"file{n}").write_bytes(RANDOM.randbytes(4000))
        cls.files = sum(len(f) for _, _, f in os.walk(tree))
        pool.mkdir(parents=True)
        cls.command("dpkg-source", "-b", tree, cwd=pool)
        sources = cls.command("dpkg-scansources", "pool", cwd=pool.parent)
        release = pool.parent / "dists/bookworm"
        (release / "main/source").mkdir(parents=True)
        (release / "main/source/Sources").write_bytes(sources)
        (release / "Release").write_text(
            "Codename: bookworm\nSuite: stable\nComponents: main\nArchitectures: amd64\n"
            "Date: Mon, 01 Jan 2024 00:00:00 UTC\nSHA256:\n"
            f" {hashlib.sha256(sources).hexdigest()} {len(sources)} main/source/Sources\n")
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), lambda *a: Mirror(*a, directory=str(pool.parent)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cls.addClassCleanup(server.shutdown)
        cls.port = server.server_address[1]

    @staticmethod
    def command(*command, **kw):
        return subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              **kw).stdout

    def setUp(self):
        self.place = Path(mkdtemp(dir=self.tmp))
        self.out = self.place / "qemu"
        self.addCleanup(setattr, Mirror, "cut", None)

    def script(self, port=None):
        return [sys.executable, "-c", SCRIPT, PROJECT / "scripts",
                f"deb [trusted=yes] http://127.0.0.1:{port or self.port}/ bookworm main\n", self.out]

    def get(self, port=None, prefix=()):
        command = prefix + tuple(map(str, self.script(port)))
        return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=900, env=self.direct)

    def check_none(self, done, message):
        """It says in a few lines what is wrong, and the directory is not there."""
        self.assertEqual(done.returncode, 1, done.stderr[-2000:])
        last = done.stderr[done.stderr.index("distribution.py: "):]
        self.assertLessEqual(last.count("\n"), 3, last)
        self.assertRegex(last, message)
        self.assertNotIn("Traceback", done.stderr)
        self.assertFalse(self.out.exists())

    def check_whole(self):
        self.assertEqual(sum(len(f) for _, _, f in os.walk(self.out)), self.files)
        self.assertEqual(sorted(p.name for p in self.place.iterdir()), ["qemu", "qemu.apt"])
        self.assertEqual(sorted(p.name for p in (self.place / "qemu.apt").iterdir()), ["files", "lock"])

    def check_next(self):
        done = self.get()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_whole()

    def test_killed(self):
        """distribution.py is killed at random moments"""
        begun = time.monotonic()
        self.check_next()
        takes = time.monotonic() - begun
        for sig in [SIGTERM, SIGKILL] * (10 if OPTIONS.long else 2):
            with self.subTest(sig):
                shutil.rmtree(self.out)
                status = kill_at_random(self.script(), takes, sig, env=self.direct)
                self.assertIn(status, (0, -sig, 128 + sig))
                if self.out.exists():
                    self.assertEqual(sum(len(f) for _, _, f in os.walk(self.out)), self.files)
                self.check_next()

    def test_cut_off(self):
        """the mirror hangs up in the middle of the package"""
        Mirror.cut = 100000
        self.check_none(self.get(), "(?s)was downloaded is kept")
        Mirror.cut = None
        self.check_next()

    def test_no_mirror(self):
        """nobody listens where the mirror should be"""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.check_none(self.get(free.getsockname()[1]), "no package list of bookworm")
        self.check_next()

    def test_silent_mirror(self):
        """a mirror that takes the connection and answers nothing: an end after 30 s, four times"""
        with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
            begun = time.monotonic()
            self.check_none(self.get(silent.getsockname()[1]), "(?s)no package list of bookworm.*run this again")
            self.assertLess(time.monotonic() - begun, 300)
        self.check_next()

    def test_timeout(self):
        """apt is told not to wait for ever for a mirror that answers nothing"""
        with socket.create_server(("127.0.0.1", 0), backlog=100) as silent, \
                subprocess.Popen(list(map(str, self.script(silent.getsockname()[1]))), stderr=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, env=self.direct) as p:
            conf, end = self.place / "qemu.apt/apt.conf", time.monotonic() + 30
            try:
                while not conf.exists() or 'Acquire::http::Timeout "30"' not in conf.read_text():
                    self.assertLess(time.monotonic(), end, f"not in {conf}")
                    time.sleep(0.05)
            finally:
                p.terminate()
        self.assertFalse(self.out.exists())
        self.check_next()

    @needs_mounts
    def test_full_disk(self):
        """the disk is full, at the download or while unpacking"""
        for size in "5m", "9m":
            with self.subTest(size):
                done = self.get(prefix=tuple(mounted(SMALL, self.place, size)))
                self.check_none(done, "(?i)space|failed")
                left = done.stdout.splitlines()
                self.assertIn("qemu.apt/files", left)
                self.assertEqual([path for path in left if re.match(r"qemu(/|$)|.*(unpacked|tmp-extract)", path)], [])
                done = self.get(prefix=tuple(mounted(SMALL, self.place, size, "sh", "-c", AGAIN, "sh")))
                self.assertEqual(done.returncode, 0, done.stderr[-2000:])
                # debian/ and debian/source/ are listed, too
                self.assertEqual(done.stdout.count("\nqemu/"), self.files + 2)

    @needs_mounts
    def test_read_only(self):
        """a directory that cannot be written"""
        self.check_none(self.get(prefix=tuple(mounted(READ_ONLY, self.place))), "Read-only file system")
        self.assertEqual(list(self.place.iterdir()), [])
        self.check_next()


class Build(unittest.TestCase):
    """build.py, on a copy of the project: a QEMU tree with the series, and in the long run the binary"""

    def setUp(self):
        self.tmp = Path(mkdtemp(dir=PROJECT / "build"))
        self.addCleanup(shutil.rmtree, self.tmp)
        for name in subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, check=True, capture_output=True,
                                   text=True).stdout.rstrip("\0").split("\0"):
            (self.tmp / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, self.tmp / name)
        self.place = self.tmp / "build" / OPTIONS.base.replace("/", "-")
        self.place.mkdir(parents=True)
        (self.place / "qemu").symlink_to(OPTIONS.tree)
        for name in "stock", "meson":           # where they were needed
            path = Path(OPTIONS.tree).with_name(name)
            if path.exists():
                (self.place / name).symlink_to(path)

    def build(self, what):
        """The command that a user runs."""
        return [sys.executable, self.tmp / "scripts/build/build.py", "--base", OPTIONS.base, what]

    def patch(self):
        """Of that, what makes the patched tree."""
        return [sys.executable, "-c", "import sys; sys.path.insert(0, sys.argv[1]); import build; "
                f"place = build.Place('{OPTIONS.base}', None)\nwith place.locked():\n    place.make_patched()",
                self.tmp / "scripts/build"]

    def run_command(self, *command):
        return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)

    def there(self):
        return {path.name for path in self.place.iterdir()}

    def digest(self):
        """Names and contents of what the series changes in the patched tree, and how many files there are"""
        patched = self.place / "patched"
        names = subprocess.run(["git", "-C", self.place / "git", "diff", "--name-only", "base", "series"], check=True,
                               capture_output=True, text=True).stdout.split()
        return sum(len(f) for _, _, f in os.walk(patched)), [
            (n, hashlib.sha256((patched / n).read_bytes()).hexdigest()) for n in sorted(names)]

    def test_patched_killed(self):
        """the patched tree: killed at random moments, the next run completes it"""
        there, begun = self.there(), time.monotonic()
        done = self.run_command(*self.patch())
        self.assertEqual(done.returncode, 0, done.stderr)
        takes, wanted = time.monotonic() - begun, self.digest()
        self.assertGreater(len(wanted[1]), 10)
        for n in range(10 if OPTIONS.long else 2):
            copying = OPTIONS.long and n % 2
            if copying:
                shutil.rmtree(self.place / RANDOM.choice(["git", "patched"]))
            else:
                (self.place / "patched/target/ppc/insns-history.c").write_text("stale\n")
            kill_at_random(self.patch(), takes if copying else 2)
            done = self.run_command(*self.patch())
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(self.digest(), wanted)
        self.assertEqual(self.there(), there | {"git", "lock", "patched"})

    @needs_mounts
    def test_patched_full_disk(self):
        """the patched tree: on a full disk, one short message, and nothing half-made"""
        for size, at in ("20m", "committing"), ("150m", "copying"):
            with self.subTest(size):
                done = self.run_command(*mounted(SMALL, self.place, size, *self.build("qemu")))
                said = done.stderr[:2000]
                self.assertEqual(done.returncode, 1, said)
                self.assertRegex(said, rf"\A(--- .*\n)*--- {at} the source.*\n"
                                 r"build\.py: .*(no space left on the disk|Out of diskspace)\n\Z")
                left = [path for path in done.stdout.splitlines() if not path.startswith("git/")]
                self.assertEqual({path.split("/")[0] for path in left}, self.there() | {"git", "lock", "stock"})

    def test_binary_killed(self):
        """the binary: killed at random moments while it is built, the next run completes it"""
        for _ in range(6):
            kill_at_random(self.build("qemu"), 60)
        done = self.run_command(*self.build("demo"))
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        self.assertIn("patched: 19 of 19 loaded", done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", required=True, help="ppc-insns")
    parser.add_argument("--base", help="a base, for the tests of build.py")
    parser.add_argument("--tree", help="its source")
    parser.add_argument("--long", action="store_true", help="what takes minutes, too")
    args = parser.parse_args()
    OPTIONS.tool, OPTIONS.long = os.path.abspath(args.tool), args.long
    if not args.long:       # these do nothing else
        del Source.test_silent_mirror, Build.test_binary_killed
    if args.tree:
        OPTIONS.base, OPTIONS.tree = args.base, os.path.realpath(args.tree)
    else:
        del globals()["Build"]
    tap.main()


if __name__ == "__main__":
    main()
