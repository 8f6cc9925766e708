#!/usr/bin/env bash
# Makes what a release publishes, in dist/: for each platform an archive with the binary and what one
# needs to run it, a bill of materials (CycloneDX), and SHA256SUMS over all of it. The same commit and
# the same Go give the same bytes, wherever and whenever it runs. SIGN_KEY=FILE, a private key of OpenSSH,
# signs SHA256SUMS.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(sed -n 's/^const version = "\(.*\)"$/\1/p' cmd/sio-edge/main.go)
platforms=${PLATFORMS:-"linux/amd64 linux/arm64 darwin/arm64"}
out=${OUT:-dist}
time=$(git log -1 --format=%ct)
if [ -n "$(git status --porcelain)" ] && [ -z "${DIRTY:-}" ]; then
	echo "release: commit first (DIRTY=1 to try it out)" >&2
	exit 1
fi

rm -rf "$out"
mkdir -p "$out"
for platform in $platforms; do
	os=${platform%/*} arch=${platform#*/} name=sio-edge-$version-$os-$arch
	echo "$name"
	mkdir -p "$out/$name"
	CGO_ENABLED=0 GOOS=$os GOARCH=$arch GOFLAGS= go build -trimpath -buildvcs=true -ldflags='-s -w -buildid=' -o "$out/$name/sio-edge" ./cmd/sio-edge
	GOFLAGS= go run ./tools/sbom "$out/$name/sio-edge" "$version" > "$out/$name.cdx.json"
	cp README.md SECURITY.md "$out/$name/"
	mkdir "$out/$name/docs" && cp docs/*.md "$out/$name/docs/"
	cp -r deploy/systemd deploy/prometheus deploy/grafana "$out/$name/"
	tar --sort=name --mtime="@$time" --owner=0 --group=0 --numeric-owner --mode='u=rwX,go=rX' --format=ustar -C "$out" -cf - "$name" | gzip -9n > "$out/$name.tar.gz"
	rm -r "${out:?}/$name"
done
cp deploy/docker/Dockerfile "$out/sio-edge-$version.Dockerfile"
tar --sort=name --mtime="@$time" --owner=0 --group=0 --numeric-owner --format=ustar -C deploy/helm -cf - sio-edge | gzip -9n > "$out/sio-edge-$version-helm.tgz"
(cd "$out" && sha256sum -- * > SHA256SUMS && cat SHA256SUMS)
if [ -n "${SIGN_KEY:-}" ]; then
	ssh-keygen -q -Y sign -f "$SIGN_KEY" -n sio-edge-release "$out/SHA256SUMS"
fi
