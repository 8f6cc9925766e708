#!/bin/sh
exec node "$(dirname "$0")/backend.mjs" "$@"
