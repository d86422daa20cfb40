#!/usr/bin/env bash
# What the GPU of this machine makes of our training: one command, under eight minutes.
# Arguments are those of benchmarks/gpu.py; PYTHON: an interpreter with the project installed.
set -euo pipefail
cd "$(dirname "$0")/.."
python="${PYTHON:-.venv/bin/python}"
[ -x "$python" ] || python=python3
"$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' ||
  { echo "no CUDA device is visible" >&2; exit 2; }
timm=.cache/timm
# timm is no dependency; without it, or the network, that comparison is left out by name.
[ -d "$timm" ] || timeout 60 "$python" -m pip install -q --no-deps --target "$timm" \
  timm==1.0.31 torchvision==0.28.0 || rm -rf "$timm"
exec timeout 480 "$python" benchmarks/gpu.py --timm "$timm" "$@"
