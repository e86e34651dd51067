#!/usr/bin/env bash
# Makes sure that commands exist on a Debian or Ubuntu machine.
#
#   require.sh COMMAND...
#
# What is missing is installed with apt when the caller is root; otherwise the
# script names the packages and the line to type, and ends with status 1.
set -euo pipefail

missing=()
for command in "$@"; do
	case $command in
	# The race detector links through C, which takes the headers too.
	cc)
		command -v cc >/dev/null && [[ -e /usr/include/stdlib.h ]] || missing+=(gcc libc6-dev)
		;;
	go)
		command -v go >/dev/null || {
			echo "require.sh: Go is missing; install it from https://go.dev/dl/" >&2
			exit 1
		}
		;;
	systemd-analyze) command -v "$command" >/dev/null || missing+=(systemd) ;;
	*) command -v "$command" >/dev/null || missing+=("$command") ;;
	esac
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

type="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
	echo "require.sh: missing: ${missing[*]}; install them as root with: $type" >&2
	exit 1
fi
echo "require.sh: installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
{
	apt-get update -q || echo "require.sh: apt-get update does not work; going on with the lists that are here"
	apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}"
} >&2 || {
	echo "require.sh: apt-get cannot install ${missing[*]}; its messages are above" >&2
	exit 1
}
