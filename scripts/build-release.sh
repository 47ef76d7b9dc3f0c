#!/usr/bin/env bash
# Builds an archive for people without Rust: the program, the plugins that need no library beside a driver, completions,
# manual pages, examples and documents.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: scripts/build-release.sh [--out DIR] [--plugins LIST]

  --out DIR       where the archive goes; default: target/release-archive
  --plugins LIST  plugins to build, separated by commas; default: cuda,wgpu; "" for none

Needs cargo. A plugin takes about ten minutes of two processors. Ends with the archive's path.
TEXT
}

fail() { echo "build-release: $1" >&2; exit 1; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=$root/target/release-archive plugins=cuda,wgpu
while [ $# -gt 0 ]; do
  case $1 in
    --out) [ $# -gt 1 ] || fail "--out needs a folder"; out=$2; shift 2 ;;
    --plugins) [ $# -gt 1 ] || fail "--plugins needs a list"; plugins=$2; shift 2 ;;
    -h | --help) usage; exit ;;
    *) usage >&2; exit 2 ;;
  esac
done
command -v cargo >/dev/null || fail "cargo is missing: install Rust with rustup"

cd "$root"
cargo build --release --locked --bin harness
target=$(cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
host=$(rustc -vV | sed -n 's/^host: //p')
name=harness-$("$target/release/harness" --version | cut -d' ' -f2)-$host

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
folder=$work/$name
mkdir -p "$folder"
cp "$target/release/harness" "$folder/"
for plugin in ${plugins//,/ }; do
  # By itself: built together with others, a plugin would get their features too.
  cargo build --release --locked -p "harness-backend-$plugin"
  library=$(find "$target/release" -maxdepth 1 -name "libharness_backend_$plugin.*" ! -name '*.d' | head -1)
  [ -n "$library" ] || fail "no library of the plugin $plugin in $target/release"
  cp "$library" "$folder/"
done
strip "$folder"/harness "$folder"/*.so 2>/dev/null || strip "$folder/harness"

"$folder/harness" examples "$folder" 2>/dev/null
"$folder/harness" man "$folder/man/man1" 2>/dev/null
mkdir -p "$folder/completions"
for shell in bash zsh fish; do "$folder/harness" completions $shell >"$folder/completions/harness.$shell"; done
cp README.md CHANGELOG.md LICENSE-* "$folder/"
find docs -maxdepth 1 -name "*.md" -exec cp {} "$folder/docs/" \;

mkdir -p "$out"
# The same bytes for the same files.
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -C "$work" -cJf "$out/$name.tar.xz" "$name"
echo "$out/$name.tar.xz"
