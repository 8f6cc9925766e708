#!/bin/sh
exec "$(dirname "$0")/.build/backend" "$@"
