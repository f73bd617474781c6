#!/usr/bin/env bash
# Boots a real systemd as process 1 of namespaces of its own, over a throw-away
# view of this machine's files: whatever is installed, started or broken inside
# is gone afterwards, and nothing outside changes.
#
#   namespace.sh can           whether this machine lets us; says why not
#   namespace.sh up DIR        boot; returns once systemd runs
#   namespace.sh exec DIR CMD  run a command inside
#   namespace.sh down DIR      halt, unmount, remove
#
# Files below DIR/root are seen inside as /.
set -euo pipefail
self=$(realpath "$0")
verb=$1
init=$(command -v /usr/lib/systemd/systemd || command -v /lib/systemd/systemd || true)
group=crmsyncd-test

# The cgroup hierarchies of this machine, as "mount point|file system|options|our path".
hierarchies() {
	local _ controllers path
	while IFS=: read -r _ controllers path; do
		case $controllers in
		"") if [ -f /sys/fs/cgroup/cgroup.controllers ]; then echo ".|cgroup2||$path"; else echo "unified|cgroup2||$path"; fi ;;
		name=systemd) echo "systemd|cgroup|none,name=systemd|$path" ;;
		memory | pids | cpu | cpuacct | blkio | devices | freezer) echo "$controllers|cgroup|$controllers|$path" ;;
		esac
	done </proc/self/cgroup
}
groups() { # our own group in each of them, outside
	hierarchies | while IFS='|' read -r at _ _ path; do
		if [ -d "/sys/fs/cgroup/$at" ]; then echo "/sys/fs/cgroup/$at$path/$group-$(basename "$1")"; fi
	done
}

case $verb in
can)
	[ "$(id -u)" = 0 ] || { echo "needs root"; exit 1; }
	for tool in "${init:-systemd}" systemctl ip nsenter dbus-daemon dpkg curl; do
		command -v "$tool" >/dev/null || { echo "needs systemd, dbus, iproute2, util-linux, dpkg and curl; there is no $tool"; exit 1; }
	done
	[ -w /sys/fs/cgroup ] || [ -w /sys/fs/cgroup/systemd ] || { echo "cgroups cannot be written"; exit 1; }
	try=$(mktemp -d)
	if ! unshare --mount --pid --fork --net --cgroup sh -c "mount -t tmpfs t '$try' && mkdir '$try/u' '$try/w' '$try/r' && mount -t overlay o -o 'lowerdir=/,upperdir=$try/u,workdir=$try/w' '$try/r' && mount -t proc p '$try/r/proc'" 2>/dev/null; then
		rmdir "$try"
		echo "namespaces or overlay mounts are not allowed here"
		exit 1
	fi
	rmdir "$try"
	;;
inner) # process 1 of the new namespaces
	r=$2/root
	mount --make-rprivate /
	mount --bind "$r" "$r"
	mount -t proc proc "$r/proc"
	# Kernel settings are the machine's: nothing inside may change them.
	mount --bind "$r/proc/sys" "$r/proc/sys"
	mount -o remount,bind,ro "$r/proc/sys"
	mount -t sysfs -o ro sysfs "$r/sys"
	mount -t tmpfs -o mode=755 tmpfs "$r/dev"
	for d in null zero full random urandom tty; do
		: >"$r/dev/$d"
		mount --bind "/dev/$d" "$r/dev/$d"
	done
	mkdir -p "$r/dev/pts" "$r/dev/shm"
	mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$r/dev/pts"
	ln -s pts/ptmx "$r/dev/ptmx"
	ln -s /proc/self/fd "$r/dev/fd"
	: >"$r/dev/console"
	: >"$2/console"
	mount --bind "$2/console" "$r/dev/console"
	mount -t tmpfs -o mode=1777 tmpfs "$r/dev/shm"
	mount -t tmpfs -o mode=755 tmpfs "$r/run"
	mount -t tmpfs -o mode=1777 tmpfs "$r/tmp"
	# Each hierarchy begins at our own group, so that limits bite inside.
	mount -t tmpfs -o mode=755 tmpfs "$r/sys/fs/cgroup"
	hierarchies | while IFS='|' read -r at type options _; do
		mkdir -p "$r/sys/fs/cgroup/$at"
		mount -t "$type" ${options:+-o "$options"} cgroup "$r/sys/fs/cgroup/$at" || rmdir "$r/sys/fs/cgroup/$at" || true
	done
	ip link set lo up
	hostname crmsyncd-test
	cd "$r"
	mkdir -p .old
	pivot_root . .old
	umount -l /.old
	# LoadCredential= wants shared propagation.
	mount --make-rshared /
	exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb "$init" --system --unit=multi-user.target --show-status=0 </dev/null >/dev/console 2>&1
	;;
up)
	mkdir -p "$2"
	d=$(realpath "$2")
	mount -t tmpfs -o size=1g tmpfs "$d"
	mkdir "$d/upper" "$d/work" "$d/root"
	mount -t overlay overlay -o "lowerdir=/,upperdir=$d/upper,workdir=$d/work" "$d/root"
	# A bare system: none of this machine's own services, timers and mounts.
	units=$d/root/etc/systemd/system
	rm -rf "$units"/*.wants
	: >"$d/root/etc/fstab"
	for u in systemd-sysctl.service systemd-remount-fs.service systemd-modules-load.service systemd-udevd.service systemd-timesyncd.service \
		systemd-pstore.service systemd-sysusers.service systemd-logind.service getty@tty1.service console-getty.service e2scrub_reap.service \
		sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount \
		getty.target apt-daily.timer apt-daily-upgrade.timer fstrim.timer man-db.timer dpkg-db-backup.timer e2scrub_all.timer proc-sys-fs-binfmt_misc.automount; do
		ln -sf /dev/null "$units/$u"
	done
	(
		for g in $(groups "$d"); do
			mkdir -p "$g" && echo "$BASHPID" >"$g/cgroup.procs" || true
		done
		exec unshare --mount --pid --uts --ipc --net --cgroup --fork --kill-child "$self" inner "$d"
	) >"$d/boot" 2>&1 </dev/null &
	outer=$!
	for _ in $(seq 600); do
		sleep 0.1
		p=$(cat "/proc/$outer/task/$outer/children" 2>/dev/null || true)
		p=${p%% *}
		if [ -z "$p" ] || [ "$(cat "/proc/$p/comm" 2>/dev/null)" != systemd ]; then continue; fi
		echo "$p" >"$d/pid"
		case $("$self" exec "$d" systemctl is-system-running 2>/dev/null || true) in
		running | degraded) exit 0 ;;
		esac
	done
	echo "systemd did not come up:" >&2
	cat "$d/boot" "$d/console" >&2 || true
	exit 1
	;;
exec)
	d=$2
	shift 2
	exec nsenter -t "$(cat "$d/pid")" -m -u -i -n -p -C env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb "$@"
	;;
down)
	d=$(realpath "$2")
	p=$(cat "$d/pid" 2>/dev/null || true)
	if [ -n "$p" ] && [ -d "/proc/$p" ]; then
		kill -s RTMIN+3 "$p" 2>/dev/null || true # systemd's "halt"
		for _ in $(seq 300); do
			[ -d "/proc/$p" ] || break
			sleep 0.1
		done
		kill -KILL "$p" 2>/dev/null || true
		sleep 0.3
	fi
	for g in $(groups "$d"); do
		if [ -d "$g" ]; then find "$g" -depth -type d -exec rmdir {} \; 2>/dev/null || true; fi
	done
	umount "$d/root" 2>/dev/null || umount -l "$d/root" || true
	umount "$d" 2>/dev/null || umount -l "$d" || true
	rmdir "$d" 2>/dev/null || true
	;;
esac
