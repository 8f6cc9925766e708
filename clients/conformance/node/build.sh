#!/bin/sh
set -eu
cd "$(dirname "$0")/../../node"
[ -d node_modules ] || npm ci --no-audit --no-fund --loglevel=error # builds dist, too
npm run build --silent
