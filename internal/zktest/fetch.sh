#!/bin/sh
# Brings ZooKeeper into the cache: all jars of one server in one directory.
#
#   fetch.sh [VERSION...]      default: 3.9.5
#
# Prints one directory for each version to stdout, everything else to stderr.
# The directories are $ZKWARDEN_CACHE/zookeeper/VERSION; the cache defaults to
# .cache in the repository, and a relative one starts there too. What is in the
# cache needs neither network nor Maven. The jars come through Maven; where it
# reaches nothing, Debian's package takes the place of the default version, so
# the printed directory, not the argument, says which version it is.
set -eu

default=3.9.5
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${ZKWARDEN_CACHE:-.cache}
case $cache in
/*) ;;
*) cache=$root/$cache ;;
esac
store=$cache/zookeeper

say() { echo "fetch.sh: $*" >&2; }
die() {
	say "$*"
	exit 1
}

# install PACKAGE... asks apt for packages, or says what to type.
install() {
	if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
		die "missing: $*; install them with: sudo apt-get update && sudo apt-get install -y --no-install-recommends $*"
	fi
	say "installing $*"
	apt-get update -q >&2 || say "apt-get update does not work; going on with the lists that are here"
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
		-o DPkg::Lock::Timeout=300 "$@" >&2 ||
		die "apt-get cannot install $*; try: apt-get update && apt-get install -y --no-install-recommends $*"
}

# need_java makes sure that the server's virtual machine is there, even when the jars are cached.
need_java() {
	if [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ]; then return; fi
	command -v java >/dev/null 2>&1 || install default-jre-headless
}

# from_maven VERSION DIR fills DIR. The Prometheus provider is taken from a
# release that speaks the same dialect as the server: simpleclient 0.6 in 3.6,
# 0.9 in 3.7 to 3.9. Not every release of it can be had everywhere.
from_maven() {
	command -v mvn >/dev/null 2>&1 || install maven
	case $1 in
	3.[45].*) set -- "$1" "$2" ;;
	3.6.*) set -- "$1" "$2" -Pprometheus -Dprovider.version=3.6.3 ;;
	*) set -- "$1" "$2" -Pprometheus -Dprovider.version=3.9.4 ;;
	esac
	version=$1 dir=$2
	shift 2
	mvn -q -B -f "$here/pom.xml" "-Dzookeeper.version=$version" "$@" \
		dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$dir" >&2
}

# debian_version prints the upstream version of Debian's package, nothing if there is none.
debian_version() {
	apt-cache show --no-all-versions libzookeeper-java 2>/dev/null |
		sed -n 's/^Version: \([0-9.]*\).*/\1/p'
}

# from_debian DIR unpacks the library's package and those that it depends on, without installing them.
from_debian() {
	mkdir "$1/packages" "$1/root"
	packages=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts \
		--no-breaks --no-replaces --no-enhances libzookeeper-java |
		grep -E '^lib[a-z0-9.+-]*-java$' | sort -u)
	# shellcheck disable=SC2086 # a list of package names
	(cd "$1/packages" && apt-get download -q $packages >&2) || return 1
	for deb in "$1"/packages/*.deb; do
		dpkg-deb -x "$deb" "$1/root" || return 1
	done
	for jar in "$1"/root/usr/share/java/*.jar; do
		case ${jar##*/} in
		slf4j-api.jar | slf4j-simple.jar) ;;
		slf4j-* | *log4j* | logback-* | jcl-over-* | jul-to-* | zookeeper-[0-9]* | *-[0-9]*.[0-9]*.jar) continue ;;
		esac
		# Links between packages are absolute; they end inside the unpacked tree.
		target=$(readlink "$jar" || echo "${jar##*/}")
		case $target in
		/*) target=$1/root$target ;;
		*) target=$1/root/usr/share/java/$target ;;
		esac
		if [ -f "$target" ]; then cp "$target" "$1/${jar##*/}"; fi
	done
	rm -rf "$1/packages" "$1/root"
	[ -f "$1/zookeeper.jar" ]
}

# keep DIR VERSION puts a filled directory into its place; the first of two wins.
keep() {
	chmod 755 "$1"
	mv -T "$1" "$store/$2" 2>/dev/null || [ -d "$store/$2" ] || die "cannot move $1 to $store/$2"
}

# fetch VERSION prints the directory of its jars.
fetch() {
	if [ -d "$store/$1" ]; then
		echo "$store/$1"
		return
	fi
	say "bringing ZooKeeper $1 into $store"
	if from_maven "$1" "$work/maven"; then
		keep "$work/maven" "$1"
		echo "$store/$1"
		return
	fi
	[ "$1" = "$default" ] || die "Maven cannot bring ZooKeeper $1, its messages are above"
	command -v apt-cache >/dev/null 2>&1 || die "Maven cannot bring ZooKeeper $1, and there is no apt to bring Debian's"
	instead=$(debian_version)
	if [ -z "$instead" ] && [ "$(id -u)" -eq 0 ] && apt-get update -q >&2; then instead=$(debian_version); fi
	[ -n "$instead" ] || die "Maven cannot bring ZooKeeper $1, and apt knows no libzookeeper-java; try: apt-get update"
	say "Maven cannot bring ZooKeeper $1; taking Debian's package, version $instead, in its place"
	if [ ! -d "$store/$instead" ]; then
		mkdir "$work/debian"
		from_debian "$work/debian" || die "apt cannot bring ZooKeeper $instead, its messages are above"
		keep "$work/debian" "$instead"
	fi
	echo "$store/$instead"
}

mkdir -p "$store" || die "cannot make $store; set ZKWARDEN_CACHE to a directory that can be written"
need_java
# One at a time: Maven's own cache is not made for two writers. Without flock the rename alone decides.
if command -v flock >/dev/null 2>&1; then
	exec 9>"$store/.lock"
	flock 9
fi
work=$(mktemp -d "$store/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
for version in "${@:-$default}"; do
	case $version in
	*[!0-9A-Za-z.-]*) die "not a version: $version" ;;
	[0-9]*.[0-9]*.[0-9]*) ;;
	*) die "not a version: $version" ;;
	esac
	fetch "$version"
	rm -rf "${work:?}"/*
done
