#!/usr/bin/env bash
# Prints the path of a Prometheus server, which it brings where there is none.
#
#   prometheus.sh
#
# One in PATH is taken as it is. Otherwise Debian's package prometheus is
# unpacked into $ZKWARDEN_CACHE/bin and not installed, for an installed one starts
# a server. The cache defaults to .cache in the repository, and a relative one
# starts there too.
set -euo pipefail

if command -v prometheus; then exit 0; fi

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${ZKWARDEN_CACHE:-.cache}
[[ $cache == /* ]] || cache=$root/$cache
binary=$cache/bin/prometheus

die() {
	echo "prometheus.sh: $*" >&2
	exit 1
}

download() { (cd "$work" && apt-get download -q -o APT::Sandbox::User="$(id -un)" prometheus) >&2; }

mkdir -p "$cache/bin" || die "cannot make $cache/bin; set ZKWARDEN_CACHE to a directory that can be written"
# Tests of several packages may come at once; the first brings it for all.
exec 9>"$binary.lock"
flock 9
if [[ ! -x $binary ]]; then
	command -v apt-get >/dev/null ||
		die "there is no apt to bring prometheus; install it from https://prometheus.io/download/"
	work=$(mktemp -d "$cache/bin/.prometheus.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	echo "prometheus.sh: bringing prometheus into $cache/bin" >&2
	# A new machine has no lists of packages, which only root can fetch.
	download || { [[ $(id -u) -eq 0 ]] && apt-get update -q >&2 && download; } ||
		die "apt cannot bring the package prometheus; as root, try: apt-get update"
	dpkg-deb -x "$work"/prometheus_*.deb "$work/root" || die "cannot unpack the package prometheus"
	mv "$work/root/usr/bin/prometheus" "$binary"
fi
echo "$binary"
