#!/usr/bin/env bash
# Fills the folder from which Containerfile is built, builds the image where
# there is podman, buildah or docker, and says what is missing where there is none.
#
#   systemd/container.sh OUT VERSION
set -euo pipefail
cd "$(dirname "$0")/.."
out=$1 version=$2
umask 022
: "${GO:=go}"
certificates=
for file in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
	if [ -f "$file" ]; then certificates=$file; fi
done
[ -n "$certificates" ] || { echo "container: install ca-certificates first" >&2; exit 1; }

rm -rf "$out"
mkdir -p "$out/root/usr/bin" "$out/root/etc/ssl/certs" "$out/root/tmp" "$out/root/var/lib" "$out/state/crmsyncd"
chmod 1777 "$out/root/tmp"
chmod 700 "$out/state/crmsyncd"
CGO_ENABLED=0 GOOS=linux $GO build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$version" -o "$out/root/usr/bin/crmsyncd" ./cmd/crmsyncd
cp "$certificates" "$out/root/etc/ssl/certs/ca-certificates.crt"
cp systemd/Containerfile "$out/Containerfile"

# What the image holds must do alone: no library, no shell, no file of this machine.
if [ "$(id -u)" = 0 ] && [ "$($GO env GOARCH)" = "$($GO env GOHOSTARCH)" ]; then
	said=$(chroot --userspec=65532:65532 "$out/root" /usr/bin/crmsyncd version)
	[[ $said == "crmsyncd $version "* ]] || { echo "container: the file alone says \"$said\"" >&2; exit 1; }
fi
for tool in podman buildah docker; do
	if command -v "$tool" >/dev/null; then
		# docker gives modes and owners of the format that HEALTHCHECK needs by itself.
		format=--format=docker
		if [ "$tool" = docker ]; then format=; fi
		"$tool" build ${format:+"$format"} -t "crmsyncd:$version" "$out"
		exit
	fi
done
echo "$out is filled; podman build --format docker -t crmsyncd $out makes the image (there is no podman, buildah or docker here)"
