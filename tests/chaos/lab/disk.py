"""A node's disk: an ext4 image on a loop device, which can fill up, lose power and be replaced.

A loss of power is the file system's own shutdown: from that instant nothing reaches the disk that
had not been synced. After the next mount a node finds what a real power cut would have left.
"""

import fcntl
import os
import struct
from pathlib import Path

from tests.chaos.lab.shell import sh
from tests.servers import wait_until

FS_IOC_SHUTDOWN = (2 << 30) | (4 << 16) | (ord("X") << 8) | 125
NO_LOG_FLUSH = 2
BALLOON_CHUNKS_BYTES = (1 << 20, 1 << 12, 512)


class Disk:
    """A disk of `size_mib`, mounted at a directory."""

    def __init__(self, image, mount_point, size_mib=128):
        self.image, self.mount_point, self.size_mib = Path(image), Path(mount_point), size_mib
        self._loop = None
        self._balloon = self.mount_point / "balloon"

    def create(self):
        """Make the image and mount it."""
        self.mount_point.mkdir(parents=True)
        with self.image.open("wb") as file:
            file.truncate(self.size_mib << 20)
        self._loop = sh("losetup", "-f", "--show", str(self.image))
        self._format()

    def _format(self):
        sh("mkfs.ext4", "-q", "-F", self._loop)
        self.mount()

    def mount(self):
        """Mount it again."""
        sh("mount", "-t", "ext4", self._loop, str(self.mount_point))

    def unmount(self):
        """Unmount it; the node's processes must be gone."""
        wait_until(self._try_unmount, seconds=10, what=f"{self.mount_point} can be unmounted")
        busy = Path("/sys/fs/ext4") / Path(self._loop).name
        wait_until(lambda: not busy.exists(), seconds=10, what=f"{self._loop} is free")

    def _try_unmount(self):
        sh("umount", str(self.mount_point), check=False)
        return not os.path.ismount(self.mount_point)

    def cut_power(self):
        """Let nothing more reach the disk."""
        fd = os.open(self.mount_point, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, FS_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(fd)

    def fill(self):
        """Take all the room there is."""
        with self._balloon.open("wb", buffering=0) as file:
            for size_bytes in BALLOON_CHUNKS_BYTES:
                try:
                    while True:
                        file.write(bytes(size_bytes))
                except OSError:
                    continue

    def free(self):
        """Give the room back."""
        self._balloon.unlink(missing_ok=True)

    def wipe(self):
        """Replace it by an empty one."""
        self.unmount()
        self._format()

    def destroy(self):
        """Unmount it and remove the image."""
        if os.path.ismount(self.mount_point):
            sh("umount", "-l", str(self.mount_point), check=False)
        if self._loop:
            sh("losetup", "-d", self._loop, check=False)
        self.image.unlink(missing_ok=True)
