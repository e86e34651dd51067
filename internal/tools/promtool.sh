#!/usr/bin/env bash
# Prints the path of promtool, or of another tool of Prometheus, which it brings
# where there is none.
#
#   promtool.sh [promtool|prometheus|amtool]
#
# One in PATH is taken as it is. Otherwise Debian's package is unpacked into
# $ZKWARDEN_CACHE/bin and not installed, for an installed one starts a server. The
# cache defaults to .cache in the repository, and a relative one starts there too.
set -euo pipefail

tool=${1:-promtool}
case $tool in
promtool | prometheus) package=prometheus ;;
amtool) package=prometheus-alertmanager ;;
*)
	echo "promtool.sh: it brings promtool, prometheus and amtool, and no $tool" >&2
	exit 1
	;;
esac

if command -v "$tool"; then exit 0; fi

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${ZKWARDEN_CACHE:-.cache}
[[ $cache == /* ]] || cache=$root/$cache
binary=$cache/bin/$tool

die() {
	echo "promtool.sh: $*" >&2
	exit 1
}

download() { (cd "$work" && apt-get download -q -o APT::Sandbox::User="$(id -un)" "$package") >&2; }

mkdir -p "$cache/bin" || die "cannot make $cache/bin; set ZKWARDEN_CACHE to a directory that can be written"
# Tests of several packages may come at once; the first brings it for all.
exec 9>"$binary.lock"
flock 9
if [[ ! -x $binary ]]; then
	command -v apt-get >/dev/null ||
		die "there is no apt to bring $tool; install it from https://prometheus.io/download/"
	work=$(mktemp -d "$cache/bin/.$tool.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	echo "promtool.sh: bringing $tool into $cache/bin" >&2
	# A new machine has no lists of packages, which only root can fetch.
	download || { [[ $(id -u) -eq 0 ]] && apt-get update -q >&2 && download; } ||
		die "apt cannot bring the package $package; as root, try: apt-get update"
	dpkg-deb -x "$work/${package}"_*.deb "$work/root" || die "cannot unpack the package $package"
	mv "$work/root/usr/bin/$tool" "$binary"
fi
echo "$binary"
