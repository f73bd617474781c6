#!/usr/bin/env bash
# Makes the .deb and the .rpm from the tree as it is. The same tree gives the
# same bytes: times are that of the last commit, names and ids come from nowhere else.
#
#   systemd/package.sh OUT VERSION ARCH...     ARCH as Go names it: amd64 arm64
set -euo pipefail
cd "$(dirname "$0")/.."
out=$1 version=$2
shift 2
export LC_ALL=C TZ=UTC
umask 022
: "${GO:=go}"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}
export SOURCE_DATE_EPOCH
day=$(date -u -d "@$SOURCE_DATE_EPOCH" +%F)
# devel is no version that a package manager could order.
case $version in
[0-9]* | v[0-9]*) PACKAGE_VERSION=${version#v} ;;
*) PACKAGE_VERSION=0.0.0~$version ;;
esac
export PACKAGE_VERSION PACKAGE_RELEASE=${RELEASE:-1}

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
build() { # ARCH FILE
	CGO_ENABLED=0 GOOS=linux GOARCH=$1 $GO build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$version" -o "$2" ./cmd/crmsyncd
}
build "$($GO env GOHOSTARCH)" "$stage/host" # tells of itself, whatever is built
mkdir -p "$out"

fill() { # ARCH: fills $stage/$ARCH
	local s=$stage/$1 doc man
	local root=$s/root
	doc=$root/usr/share/doc/crmsyncd man=$root/usr/share/man/man8
	mkdir -p "$root/usr/bin" "$root/usr/lib/systemd/system" "$doc" "$man" \
		"$root/usr/share/bash-completion/completions" "$root/usr/share/fish/vendor_completions.d"
	if [ "$1" = "$($GO env GOHOSTARCH)" ]; then cp "$stage/host" "$root/usr/bin/crmsyncd"; else build "$1" "$root/usr/bin/crmsyncd"; fi
	cp systemd/*.service systemd/*.socket systemd/*.timer "$root/usr/lib/systemd/system/"
	"$stage/host" man "$man" --date "$day"
	gzip -9n "$man"/*.8
	"$stage/host" completion bash >"$root/usr/share/bash-completion/completions/crmsyncd"
	"$stage/host" completion fish >"$root/usr/share/fish/vendor_completions.d/crmsyncd.fish"
	"$stage/host" completion zsh >"$s/crmsyncd.zsh"
	cp README.md CHANGELOG.md "$doc/"
	$GO run ./internal/sbom "$root/usr/bin/crmsyncd" "$version" >"$doc/crmsyncd.cdx.json"
	(cd docs && find . \( -name '*.md' -o -path './operations/*' \) -exec cp --parents {} "$doc/" \;)
	mkdir "$doc/examples"
	(cd examples && find . -type f \( -name '*.yaml' -o -path './edge/*' \) -exec cp --parents {} "$doc/examples/" \;)
	cp LICENSE "$s/copyright"
	cp systemd/package/config.yaml systemd/package/secrets.env "$s/"
	cp examples/telli-hubspot-airtable/mapping.yaml "$s/"
	find "$s" -type d -exec chmod 755 {} +
	find "$s" -type f -exec chmod 644 {} +
	chmod 755 "$root/usr/bin/crmsyncd"
	find "$s" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}

for ARCH; do
	fill "$ARCH"
	export ARCH STAGE=$stage/$ARCH
	# The settings of the package must be such that only secrets are missing.
	(cd "$STAGE" && TELLI_SIGNING_SECRET=whsec_$(printf 'only-to-check-the-file!!' | base64) HUBSPOT_TOKEN=x AIRTABLE_TOKEN=x "$stage/host" check --config "$STAGE/config.yaml" >/dev/null)
	for packager in deb rpm; do
		if ! said=$($GO tool -modfile=internal/tools/go.mod nfpm package --config systemd/package/nfpm.yaml --packager "$packager" --target "$out/" 2>&1); then
			echo "$said" >&2
			exit 1
		fi
		sed -n 's/^created package: //p' <<<"$said"
	done
done
