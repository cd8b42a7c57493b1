#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt: save on a stock QEMU, restore on a patched one, and migrate between the two.

    check_libvirt.py --tool ppc-insns --stock QEMU --patched QEMU

Runs libvirt daemons of its own, as a user without rights and with all files in a temporary directory; nothing of the
system's libvirt is touched. Prints TAP; skips everything, with a reason, where libvirt is not there.
"""
import argparse
import os
import pwd
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import mkdtemp

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "migration-compat"))

import harness          # noqa: E402

DOMAIN = """
<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>guest</name><memory unit='MiB'>256</memory><vcpu>1</vcpu>
  <os><type arch='ppc64' machine='{machine}'>hvm</type></os>
  <cpu mode='custom' match='exact'><model>{cpu}</model></cpu>
  <features>{features}</features>
  <devices>
    <emulator>{emulator}</emulator>
    <serial type='file'><source path='{console}'/>
      <target type='spapr-vio-serial' port='0'><model name='spapr-vty'/></target>
      <address type='spapr-vio' reg='0x71000000'/></serial>
    <controller type='usb' model='none'/><memballoon model='none'/>
    <nvram><address type='spapr-vio' reg='0x71000001'/></nvram>
  </devices>
  <qemu:commandline>
    <qemu:arg value='-bios'/><qemu:arg value='{guest}'/><qemu:arg value='-L'/><qemu:arg value='{firmware}'/>
  </qemu:commandline>
</domain>
"""

GUESTS = (("pseries-2.6", "POWER7", ""), ("pseries-2.6", "POWER8", "<htm state='off'/>"), ("pseries-2.7", "POWER8", "<htm state='off'/>"))
FORMATS = ("raw", "gzip", "bzip2", "xz", "lzop")


class Failure(Exception):
    """A command did not do what it should; the text says which, and what it said."""


def drop_rights():
    """For the child: not root, because libvirt runs a private session only for other users."""
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)


class Daemon:
    """A libvirtd with its own directories, host UUID and format of save files"""

    def __init__(self, work, name, save_format):
        self.home = work / name
        self.console = self.home / "console"
        config = self.home / "config/libvirt"
        config.mkdir(parents=True)
        (self.home / "run").mkdir()
        (config / "qemu.conf").write_text(f'save_image_format = "{save_format}"\nstdio_handler = "file"\nsecurity_driver = "none"\n')
        uuid = subprocess.run(["cat", "/proc/sys/kernel/random/uuid"], capture_output=True, text=True, check=True).stdout.strip()
        (config / "libvirtd.conf").write_text(f'host_uuid = "{uuid}"\n')
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home / "config"),
                    "XDG_RUNTIME_DIR": str(self.home / "run"), "XDG_CACHE_HOME": str(self.home / "cache"),
                    "XDG_DATA_HOME": str(self.home / "data")}
        give_away(self.home)
        self.log = open(self.home / "log", "w", encoding="utf-8")
        self.process = subprocess.Popen(["libvirtd", "--config", str(config / "libvirtd.conf")], env=self.env, preexec_fn=drop_rights,
                                        stdout=self.log, stderr=self.log, cwd=self.home)
        self.uri = f"qemu+unix:///session?socket={self.home}/run/libvirt/libvirt-sock"
        for _ in range(300):
            if (self.home / "run/libvirt/libvirt-sock").exists():
                break
            if self.process.poll() is not None:
                raise Failure("libvirtd ended: " + (self.home / "log").read_text())
            time.sleep(0.1)

    def virsh(self, *arguments):
        done = subprocess.run(["virsh", "-c", self.uri, *map(str, arguments)], env=self.env, preexec_fn=drop_rights, cwd=self.home,
                              capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            raise Failure(f"virsh {' '.join(map(str, arguments))}: {done.stderr.strip()}")
        return done.stdout

    def lines(self):
        return self.console.read_bytes().count(b"\n") if self.console.exists() else 0

    def goes_on(self):
        """The guest reports on its console: it runs."""
        before = self.lines()
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self.lines() >= before + 5:
                return
            time.sleep(0.1)
        raise Failure("the guest does not go on:\n" + self.logs())

    def logs(self):
        return "\n".join(path.read_text(errors="replace")[-2000:] for path in self.home.rglob("*.log"))

    def close(self):
        subprocess.run(["virsh", "-c", self.uri, "destroy", "guest"], env=self.env, preexec_fn=drop_rights, capture_output=True,
                       check=False)
        self.process.terminate()
        self.process.wait()
        self.log.close()


def give_away(path):
    """All of PATH to who runs libvirtd."""
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "nobody", str(path)], check=True)


def within_reach(program, copy):
    """PROGRAM's path, or that of a copy if who runs libvirtd cannot get at it."""
    program = os.path.abspath(program)
    if subprocess.run(["test", "-x", program], preexec_fn=drop_rights, cwd="/", check=False).returncode:
        shutil.copy(program, copy)
        os.chmod(copy, 0o755)
        return str(copy)
    return program


PACKAGES = ("libvirt-daemon", "libvirt-clients", "libvirt-daemon-driver-qemu")


def missing(install):
    """Why this cannot run, or nothing"""
    there = all(shutil.which(program) for program in ("libvirtd", "virsh"))
    if not there and install and os.geteuid() == 0 and shutil.which("apt-get"):
        print("# installing", *PACKAGES, flush=True)
        for command in ["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]:
            subprocess.run(["apt-get", "-qq", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
                           env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
        there = all(shutil.which(program) for program in ("libvirtd", "virsh"))
    return "" if there else f"libvirt is not installed (Debian: {' '.join(PACKAGES)})"


class Check:
    """One test: a guest, a format of save files"""

    def __init__(self, options, work, number):
        self.options = options
        self.work = work / str(number)
        self.work.mkdir()
        give_away(self.work)

    def tool(self, *arguments, status=0, **more):
        done = subprocess.run([self.options.tool, *map(str, arguments)], capture_output=True, timeout=120, check=False, **more)
        if done.returncode != status:
            raise Failure(f"ppc-insns {' '.join(map(str, arguments))}: exit status {done.returncode}: "
                          f"{done.stdout.decode()[-1500:]}{done.stderr.decode()}")
        return done.stdout

    def domain(self, daemon, emulator, machine, cpu, features):
        path = daemon.home / "domain.xml"
        path.write_text(DOMAIN.format(machine=machine, cpu=cpu, features=features, emulator=emulator, console=daemon.console,
                                      guest=self.options.guest, firmware=self.options.firmware))
        return path

    def save_and_restore(self, machine, cpu, features, save_format):
        daemon = Daemon(self.work, "one", save_format)
        try:
            daemon.virsh("create", self.domain(daemon, self.options.stock, machine, cpu, features))
            daemon.goes_on()
            saved = daemon.home / "saved"
            daemon.virsh("save", "guest", saved)
            shown = self.tool("show", saved).decode()
            if "libvirt save file" not in shown or f"machine: {machine}" not in shown:
                raise Failure("show does not say what it is:\n" + shown)
            options = f"{machine},cap-htm=off" if features else machine
            self.tool("check", "--with-series", "--to", "7.2", "--machine", options, "--cpu", cpu, saved)
            rewritten = daemon.home / "rewritten"
            with open(saved, "rb") as stdin:
                rewritten.write_bytes(self.tool("rewrite", "--to", "7.2", stdin=stdin))
            xml = daemon.home / "new.xml"
            xml.write_text(daemon.virsh("save-image-dumpxml", rewritten).replace(self.options.stock, self.options.patched))
            give_away(daemon.home)
            daemon.virsh("restore", "--xml", xml, rewritten)
            daemon.goes_on()
            if self.options.patched not in daemon.virsh("dumpxml", "guest"):
                raise Failure("it is not the patched QEMU that runs")
        finally:
            daemon.close()

    def migrate(self, machine, cpu, features):
        """From the stock QEMU to the patched one, and back."""
        one = Daemon(self.work, "one", "raw")
        try:
            two = Daemon(self.work, "two", "raw")
        except Failure:
            one.close()
            raise
        try:
            one.virsh("create", self.domain(one, self.options.stock, machine, cpu, features))
            one.goes_on()
            for source, target, emulator in (one, two, self.options.patched), (two, one, self.options.stock):
                xml = self.domain(target, emulator, machine, cpu, features)
                uuid = source.virsh("domuuid", "guest").strip()
                xml.write_text(xml.read_text().replace("<name>guest</name>", f"<name>guest</name><uuid>{uuid}</uuid>"))
                shutil.copy(xml, source.home / "target.xml")
                give_away(source.home)
                socket = target.home / "migration"
                source.virsh("migrate", "--live", "--unsafe", "--xml", source.home / "target.xml", "--migrateuri", f"unix://{socket}",
                             "guest", target.uri)
                target.goes_on()
        finally:
            one.close()
            two.close()


def main():
    p = argparse.ArgumentParser(description="Try ppc-insns and the series with libvirt.")
    p.add_argument("--tool", required=True)
    p.add_argument("--stock", required=True)
    p.add_argument("--patched", required=True)
    p.add_argument("--install", action="store_true", help="libvirt's packages, if they are missing")
    options = p.parse_args()
    why = missing(options.install)
    if why:
        print(f"1..0 # SKIP {why}")
        return 0
    work = Path(mkdtemp(prefix="ppc-insns-libvirt-"))
    status = 0
    try:
        os.chmod(work, 0o755)
        options.tool = os.path.abspath(options.tool)
        options.stock = within_reach(options.stock, work / "stock-qemu")
        options.patched = within_reach(options.patched, work / "patched-qemu")
        firmware = work / "firmware"
        shutil.copytree(harness.firmware(), firmware)
        options.firmware = firmware
        options.guest = firmware / "guest.bin"
        tests = [(f"virsh save ({form}), show, check, rewrite, restore: {' '.join(guest[:2])}", "save_and_restore", (*guest, form))
                 for number, guest in enumerate(GUESTS) for form in (FORMATS if not number else FORMATS[:2])
                 if form == "raw" or shutil.which(form)]
        tests += [(f"virsh migrate, stock to patched and back: {' '.join(guest[:2])}", "migrate", guest) for guest in GUESTS]
        print(f"1..{len(tests)}", flush=True)
        for number, (name, method, arguments) in enumerate(tests, 1):
            try:
                getattr(Check(options, work, number), method)(*arguments)
                print(f"ok {number} - {name}", flush=True)
            except (Failure, subprocess.TimeoutExpired) as failure:
                status = 1
                print(f"not ok {number} - {name}", flush=True)
                print("\n".join("# " + line for line in str(failure).splitlines()), flush=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
