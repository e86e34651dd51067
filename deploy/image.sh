#!/usr/bin/env bash
# Builds the images for amd64 and arm64 with buildah, without a Docker engine and
# without any other image, and looks at what came of it. The native one is run.
#
#   image.sh [ARCHIVE]      writes the image of this machine's platform, for docker load
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
archive=${1:+$(realpath "$1")}
limit=$((25 * 1024 * 1024))
certificates=/etc/ssl/certs/ca-certificates.crt
work=$(mktemp -d)
native=$(go env GOARCH)

# A store of our own, and neither namespaces nor overlays, which containers lack.
store() { buildah --root "$work/store" --runroot "$work/run" --storage-driver vfs "$@"; }
die() {
	echo "image.sh: $*" >&2
	exit 1
}
cleanup() {
	store rm --all >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap cleanup EXIT

[[ -r $certificates ]] || die "there is no $certificates; install ca-certificates"
version=$(git -C "$root" describe --tags --always --dirty)
revision=$(git -C "$root" rev-parse HEAD)
created=$(TZ=UTC git -C "$root" show -s --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ HEAD)

look() { # ARCH TEMPLATE WANT
	local got
	got=$(store inspect --type image --format "$2" "zkwarden:$1")
	[[ $got == "$3" ]] || die "$1: $2 is $got, want $3"
}

for arch in amd64 arm64; do
	context=$work/$arch
	mkdir -p "$context/state" "$context/scratch"
	cp "$root/LICENSE" "$certificates" "$context"
	(cd "$root" && CGO_ENABLED=0 GOARCH=$arch go build -buildvcs=false -trimpath \
		-ldflags "-s -w -X github.com/prometheus/common/version.Version=$version -X github.com/prometheus/common/version.Revision=$revision" \
		-o "$context/zkwarden" .)
	# HEALTHCHECK is of Docker's format alone.
	store build --quiet --format docker --isolation chroot --platform "linux/$arch" --target prebuilt \
		--build-arg "VERSION=$version" --build-arg "REVISION=$revision" --build-arg "CREATED=$created" \
		--tag "zkwarden:$arch" --file "$root/Dockerfile" "$context" >/dev/null

	look "$arch" '{{.Docker.Config.User}}' 65532:65532
	look "$arch" '{{.Docker.Config.WorkingDir}}' /var/lib/zkwarden
	look "$arch" '{{.Docker.Config.Entrypoint}}' '[/zkwarden]'
	look "$arch" '{{.Docker.Config.Healthcheck.Test}}' '[CMD /zkwarden health]'
	look "$arch" '{{.Docker.Architecture}}' "$arch"
	look "$arch" '{{index .Docker.Config.Labels "org.opencontainers.image.version"}}' "$version"
	look "$arch" '{{index .Docker.Config.Labels "org.opencontainers.image.revision"}}' "$revision"
	size=$(store images --json "zkwarden:$arch" | grep -o '"size": *"[^"]*"' | head -n1)
	bytes=$(du -sb --apparent-size "$context" | cut -f1)
	echo "linux/$arch: ${size#*: }, $bytes bytes of files"
	[[ $bytes -le $limit ]] || die "$arch: $bytes bytes are more than $limit"
done

# What the image does when it is run: as its user, in its own root, until it says
# that it is healthy. There is no ZooKeeper, which is no matter of health.
container=$(store from "zkwarden:$native")
run() { store run --isolation chroot "$container" -- "$@"; }
run /zkwarden --version | head -n1
listen=127.0.0.1:$((20000 + RANDOM % 10000))
run /zkwarden run --web.listen-address="$listen" --zookeeper.address=127.0.0.1:1 >"$work/log" 2>&1 &
healthy=false
for _ in $(seq 60); do
	if run /zkwarden health --web.listen-address="$listen" 2>"$work/health"; then
		healthy=true
		break
	fi
	sleep 0.5
done
kill $!
wait $! || true
$healthy || die "not healthy: $(cat "$work/health" "$work/log")"
echo "linux/$native: runs as its user, and its health check says that it is well"

if [[ -n $archive ]]; then
	store push --quiet "zkwarden:$native" "docker-archive:$archive:zkwarden:devel"
	echo "wrote $archive; load it with: docker load -i $archive"
fi
