# The build context is the repository and nothing else. A release passes
# VERSION, REVISION and CREATED; without them the image says that it is none.
FROM golang:1.26 AS build

WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .

ARG VERSION=devel
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
RUN make build VERSION="$VERSION" REVISION="$REVISION" BRANCH=unknown BUILD_DATE="$CREATED" \
    && mkdir /state /scratch

FROM scratch

ARG VERSION=devel
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="zkwarden" \
      org.opencontainers.image.description="ZooKeeper sidecar: Prometheus exporter and tamper-evident audit trail of znode changes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED"

COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/LICENSE /LICENSE
COPY --from=build /src/zkwarden /zkwarden
# The audit directory's default is relative: a volume mounted here keeps it.
COPY --from=build --chown=65532:65532 /state /var/lib/zkwarden
# The command watch keeps the last known state in a temporary file.
COPY --from=build --chown=65532:65532 /scratch /tmp

# Numeric, so that Kubernetes can see that it is not root.
USER 65532:65532
WORKDIR /var/lib/zkwarden
EXPOSE 9141
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s CMD ["/zkwarden", "health"]
ENTRYPOINT ["/zkwarden"]
