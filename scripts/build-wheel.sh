#!/usr/bin/env bash
# Builds a wheel that holds the program, so that it can be installed with pip where there is no Rust.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: scripts/build-wheel.sh [--out DIR] [--check]

  --out DIR  where the wheel goes; default: target/wheels
  --check    install it into an empty environment without Rust, and run the quickstart's small version there

Needs cargo and python3 with venv and pip, which fetches maturin. Ends with the wheel's path.
TEXT
}

fail() { echo "build-wheel: $1" >&2; exit 1; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=$root/target/wheels check=
while [ $# -gt 0 ]; do
  case $1 in
    --out) [ $# -gt 1 ] || fail "--out needs a folder"; out=$2; shift 2 ;;
    --check) check=yes; shift ;;
    -h | --help) usage; exit ;;
    *) usage >&2; exit 2 ;;
  esac
done
command -v cargo >/dev/null || fail "cargo is missing: install Rust with rustup"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/build" || fail "python3 can't make an environment: install its venv module"
"$work/build/bin/pip" install --quiet 'maturin>=1.9,<2' || fail "pip can't install maturin"
"$work/build/bin/maturin" build --release --manifest-path "$root/harness/cli/Cargo.toml" --out "$work/wheel"

wheel=$(echo "$work"/wheel/*.whl)
mkdir -p "$out"
cp "$wheel" "$out/"
wheel=$out/$(basename "$wheel")

if [ -n "$check" ]; then
  python3 -m venv "$work/empty"
  "$work/empty/bin/pip" install --quiet --no-index "$wheel"
  # Without cargo, and without the repository.
  cd "$work"
  export PATH="$work/empty/bin:/usr/bin:/bin"
  ! command -v cargo >/dev/null || echo "build-wheel: cargo is in /usr/bin; the environment is not without Rust" >&2
  harness --version
  harness examples study
  harness run study/experiments/quickstart.toml --smoke --cache "$work/cache" >/dev/null
  [ -f reports/quickstart-smoke/report.md ] || fail "the quickstart left no report"
fi
echo "$wheel"
