# What every image has, however its binary came to be.
FROM scratch AS base

ARG VERSION=devel
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="zkwarden" \
      org.opencontainers.image.description="ZooKeeper sidecar: Prometheus exporter and tamper-evident audit trail of znode changes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED"

# Numeric, so that Kubernetes can see that it is not root.
USER 65532:65532
WORKDIR /var/lib/zkwarden
EXPOSE 9141
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s CMD ["/zkwarden", "health"]
ENTRYPOINT ["/zkwarden"]

# The image of a binary that is there already: --target prebuilt, with a context
# that deploy/image.sh prepares. It needs no other image.
FROM base AS prebuilt
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY LICENSE zkwarden /
COPY --chown=65532:65532 state /var/lib/zkwarden
COPY --chown=65532:65532 scratch /tmp

# Go builds for any platform on any other, without emulation.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG TARGETOS
ARG TARGETARCH
RUN GOOS="$TARGETOS" GOARCH="$TARGETARCH" make build VERSION="$VERSION" REVISION="$REVISION" BRANCH=unknown BUILD_DATE="$CREATED" \
    && mkdir /state /scratch

# The default: the build context is the repository and nothing else. A release
# passes VERSION, REVISION and CREATED; without them the image says that it is none.
FROM base
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/LICENSE /src/zkwarden /
# The audit directory's default is relative: a volume mounted here keeps it.
COPY --from=build --chown=65532:65532 /state /var/lib/zkwarden
# The command watch keeps the last known state in a temporary file.
COPY --from=build --chown=65532:65532 /scratch /tmp
