#!/bin/sh
# PYTHON is an interpreter with the packages of clients/python/requirements.txt.
here=$(dirname "$0")
export PYTHONPATH="$here/../../python/src"
exec "${PYTHON:-python3}" "$here/backend.py" "$@"
