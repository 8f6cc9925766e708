#!/bin/sh
# Puts the pinned official client beside the page, so that the page needs no other server.
set -eu
cd "$(dirname "$0")"
npm ci --ignore-scripts --no-audit --no-fund --silent
cp node_modules/socket.io-client/dist/socket.io.min.js public/socket.io.min.js
