#!/bin/sh
# Runs a program in an image as a careful cluster would: as process 1 of its own namespaces, as
# user 65532 without a capability, with a read-only root, without a shell, without a network.
# Wants root. Called by `unshare --mount --pid --net --ipc --uts --fork --kill-child`.
#
#   image_room.sh ROOT STATE_OPTIONS COMMAND...
#
# STATE_OPTIONS are mount options of the state's directory, or "none" to leave it read-only.
set -eu
root=$1 state=$2
shift 2

mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o size=64m tmpfs "$root/tmp"
if [ "$state" != none ]; then
  mount -t tmpfs -o "size=64m,$state" tmpfs "$root/var/lib/upload-janitor"
fi
for shell in sh dash bash; do
  if [ -f "$root/usr/bin/$shell" ] && [ ! -L "$root/usr/bin/$shell" ]; then
    mount --bind /dev/null "$root/usr/bin/$shell"
  fi
done
mount -o remount,bind,ro "$root"
# The loopback device, which a new network namespace has, but switched off.
python3 -c '
import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sH14x", b"lo", 0x41))'

# With the environment that the image asks for, which is the rest of the arguments.
exec chroot "$root" setpriv --reuid=65532 --regid=65532 --clear-groups \
  --inh-caps=-all --bounding-set=-all --no-new-privs env -i -C /var/lib/upload-janitor "$@"
