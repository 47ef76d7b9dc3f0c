#!/usr/bin/env bash
# Checks a backend on a GPU and measures it: golden cases with an empty and with a warm cache, in every precision;
# encoding, training steps and scores beside PyTorch; a whole small cell beside the built-in backend. One Markdown table
# and one JSON file come out. Nothing is installed, and nothing is written outside the folder for results and a temporary one.
set -uo pipefail

usage() {
  cat <<'TEXT'
Usage: scripts/check-gpu.sh [--program FILE] [--backend NAME] [--out DIR] [--minutes N] [--python FILE]
                            [--reference DIR] [--data DIR --weights FILE] [--dry-run]

  --program FILE   the program, with the plugin beside it; default: both are built here, which needs cargo
  --backend NAME   what is checked; default: cuda
  --out DIR        results and logs; default: check-gpu, here
  --minutes N      no step begins after that many minutes, and none goes on past them; default: 8
  --python FILE    a Python with torch, to measure beside; default: python3; "-" leaves PyTorch out
  --reference DIR  folder of the reference in PyTorch, for training steps and scores
  --data DIR       a dataset in the layout `mvfa` for the whole cell, such as LggMri_AD; default: generated images
  --weights FILE   a CLIP's weights for the whole cell; needed with --data
  --dry-run        go through all of it on the built-in backend, at tiny sizes: what is measured says nothing

Exits with 1 if a check fails, with 2 if there is nothing to check.
TEXT
}

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "check-gpu: $1"
  exit 2
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program= backend=cuda out=check-gpu minutes=8 python=python3 reference= data= weights= dry=
while [ $# -gt 0 ]; do
  case $1 in
    --program | --backend | --out | --minutes | --python | --reference | --data | --weights)
      [ $# -ge 2 ] || fail "$1 needs a value; see --help"
      declare "${1#--}=$2"
      shift 2
      ;;
    --dry-run)
      dry=yes
      shift
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) fail "unknown argument $1; see --help" ;;
  esac
done
[ -z "$data" ] || [ -d "$data" ] || fail "$data is not a folder"
[ -z "$data" ] || [ -f "$weights" ] || fail "--data needs --weights, a file"
case $minutes in '' | *[!0-9]*) fail "--minutes needs a whole number" ;; esac
mkdir -p "$out" || fail "can't create $out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
warm=()
trap '[ ${#warm[@]} = 0 ] || kill "${warm[@]}" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
rows=$out/rows.tsv
: >"$rows"

# ---- What a step is ------------------------------------------------------------------------------------------------

begun=$SECONDS
left() { echo $((minutes * 60 - (SECONDS - begun))); }

# step NAME LIMIT COMMAND...: runs it within LIMIT seconds and what is left; its output is in $out/NAME.txt. Sets `ended` to
# its exit code (124: out of time; 125: there was no time to begin) and `took` to its seconds.
step() {
  local name=$1 limit=$2 from=$SECONDS
  shift 2
  local most
  most=$(left)
  [ "$most" -lt "$limit" ] || most=$limit
  if [ "$most" -lt 5 ]; then
    ended=125 took=0
    : >"$out/$name.txt"
    return
  fi
  say "$(printf '%4d s  %s' $((SECONDS - begun)) "$name")"
  timeout --kill-after=5 "$most" "$@" >"$out/$name.txt" 2>&1
  ended=$? took=$((SECONDS - from))
}

# row WHAT VALUE BAR VERDICT: a line of the table. A verdict is `ok`, `FAIL`, or nothing where there is no bar.
row() { printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "${took:-0}" >>"$rows"; }

# What `ended` says where it is not 0.
why() {
  case $ended in
    124 | 137) echo "out of time after $took s" ;;
    125) echo "no time was left for it" ;;
    *) echo "exit code $ended: $(grep -v '^ok ' "$out/$1.txt" | tail -n 1 | tr '\t' ' ')" ;;
  esac
}

# ---- The machine ---------------------------------------------------------------------------------------------------

if [ -z "$program" ]; then
  command -v cargo >/dev/null || fail "give a program with --program, or install Rust with rustup"
  packages=(-p harness)
  [ -n "$dry" ] || packages+=(-p "harness-backend-$backend")
  cargo build --release --locked --manifest-path "$root/Cargo.toml" "${packages[@]}" || fail "the build failed"
  program=$root/target/release/harness
fi
[ -x "$program" ] || fail "$program is not a program"
program=$(cd "$(dirname "$program")" && pwd)/$(basename "$program")
arch=vit-l14 second=vit-b16 batches="8 32 64 128" rounds=5
if [ -n "$dry" ]; then
  backend=flex arch=tiny second=tiny batches=4 rounds=1
fi
# A toolkit that isn't named is looked for where it usually is.
if [ "$backend" = cuda ] && [ -z "${CUDA_PATH:-}" ]; then
  for folder in /usr/local/cuda /opt/cuda; do
    [ ! -d "$folder/include" ] || export CUDA_PATH=$folder
  done
fi

# caches NAME: what comes after keeps its caches in a folder of that name, which is empty at first.
caches() {
  export HOME=$work/home/$1 XDG_CACHE_HOME=$work/home/$1/cache XDG_CONFIG_HOME=$work/home/$1/config CUDA_CACHE_PATH=$work/home/$1/nv
  mkdir -p "$XDG_CACHE_HOME" "$XDG_CONFIG_HOME" "$CUDA_CACHE_PATH"
}

caches list
step machine 60 bash -c '
  date -u; uname -srm; nproc; grep -m 1 "model name" /proc/cpuinfo
  nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap --format=csv,noheader
  "${CUDA_PATH:-/usr/local/cuda}/bin/nvcc" --version | tail -n 2
  ldconfig -p | grep -E "libnvrtc|libcuda\.so"
  ls -d "${CUDA_PATH:-/usr/local/cuda}/include"'
took=0
card=$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null | head -n 1)
row "card, driver, memory" "${card:-none}" "" ""
row "toolkit" "$("${CUDA_PATH:-/usr/local/cuda}/bin/nvcc" --version 2>/dev/null | grep -o 'release [0-9.]*' || echo none)" "" ""
step list 60 "$program" backends list
line=$(grep "^$backend " "$out/list.txt")
[ -n "$line" ] || fail "there is no backend \`$backend\`: $(tail -n 1 "$out/list.txt")"
case $line in *"no device"*) fail "$line" ;; esac
device=$(echo "$line" | grep -o 'devices [a-z]*:*[0-9]*' | cut -d' ' -f2)
row "backend" "${line%%: *} on $device" "" ""
precisions=$(echo "$line" | grep -o 'precisions [^;]*' | cut -d' ' -f2- | tr -d ',')

torch=
if [ "$python" != - ]; then
  step torch 90 "$python" -c 'import torch; print("torch", torch.__version__, "cuda", torch.version.cuda, torch.cuda.is_available())'
  if [ "$ended" = 0 ]; then
    torch=cuda
    grep -q 'True$' "$out/torch.txt" || torch=cpu
    row "PyTorch" "$(tail -n 1 "$out/torch.txt")" "" ""
  else
    row "PyTorch" "not measured: $(why torch)" "" ""
  fi
fi

# ---- Golden cases --------------------------------------------------------------------------------------------------

# golden PRECISION LIMIT: every quantity of every case, with an empty and with a warm cache where the backend compiles its
# kernels; that is done by one core a case, so as many run at once as there are cores.
golden() {
  local precision=$1 name=golden-$1 cache lines all failed found verdict told=
  step "$name" "$2" "$program" backends check "$backend" --golden "$root/tests/golden" --precision "$precision" --jobs "$(nproc)"
  for cache in "empty cache" "warm cache" ""; do
    lines=$(grep -E '^(ok|FAIL) ' "$out/$name.txt" | if [ -n "$cache" ]; then grep "($cache)$"; else grep -v ' cache)$'; fi)
    [ -n "$lines" ] || continue
    told=yes
    all=$(wc -l <<<"$lines") failed=$(grep -c '^FAIL ' <<<"$lines")
    found="$((all - failed)) of $all quantities" verdict=ok
    [ "$failed" = 0 ] || found="$found; $(grep -m 1 '^FAIL ' <<<"$lines" | tr -s ' \t' ' ')" verdict=FAIL
    [ "$ended" -le 1 ] || found="$found, then $(why "$name")" verdict=FAIL
    row "golden $precision${cache:+, $cache}" "$found" "all" "$verdict"
  done
  [ -n "$told" ] || row "golden $precision" "$(why "$name")" "all" FAIL
}

# Beside the golden cases, what is measured below compiles its kernels, so that nothing is timed cold.
ahead() {
  local name=$1
  shift
  (
    caches "$name"
    exec timeout --kill-after=5 "$(left)" "$@" >"$out/$name-ahead.txt" 2>&1
  ) &
  warm+=($!)
}

# ---- Speed ---------------------------------------------------------------------------------------------------------

# bench NAME ARCH BATCH PRECISION PARTS AGAINST...: a row for each part of each subject.
bench() {
  local name=$1 size=$2 batch=$3 precision=$4 parts=$5 against=()
  shift 5
  local command
  for command in "$@"; do against+=(--against "$command"); done
  step "$name" 120 "$program" bench --backends "$backend" --arch "$size" --batch "$batch" --precision "$precision" \
    --parts "$parts" --rounds "$rounds" "${against[@]}"
  # Out of time, it prints what it has measured.
  if [ "$ended" != 0 ] && ! grep -q '^| *\(encode\|step\|score\) ' "$out/$name.txt"; then
    row "$size, $precision, batch $batch: $parts" "$(why "$name")" "" FAIL
    return
  fi
  # Columns: part, backend, min ms, median ms, images/s, GFLOP, GFLOP/s, share of GEMM, rate to first.
  awk -F'|' -v what="$size, $precision, batch $batch" -v took="$took" -v OFS='\t' '
    function plain(text) { gsub(/^ +| +$/, "", text); return text }
    plain($2) ~ /^(encode|step|score)$/ {
      value = plain($6) " images/s, " plain($5) " ms"
      if (plain($9) != "") value = value ", " plain($9) " of GEMM"
      if (plain($10) != "") value = value ", " plain($10) " times the backend"
      print what ": " plain($2) " by " plain($3), value, "", "", took
    }
    /^Matrix products on / { sub(/^Matrix products on [^ ]*: /, ""); print what ": f32 products", $0, "", "", took }
  ' "$out/$name.txt" >>"$rows"
}

pytorch="$python $root/scripts/compare-pytorch.py --device ${torch:-cpu}"
eager=() compiled=() steps=()
if [ -n "$torch" ]; then
  eager=("$pytorch" "$pytorch --on-device")
  [ -n "$dry" ] || compiled=("$pytorch --compile --on-device")
  [ -z "$reference" ] || steps=("$pytorch --reference $reference")
fi
has() { case " $precisions " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

middle=$(echo "$batches" | awk '{ print $(NF > 1 ? NF - 1 : 1) }')
few=$([ -n "$dry" ] && echo 4 || echo 16)
for precision in bf16 f32 tf32; do
  has "$precision" && ahead "encode-$precision" "$program" bench --backends "$backend" --arch "$arch" --batch "$middle" \
    --precision "$precision" --parts encode --rounds 1
done
ahead train "$program" bench --backends "$backend" --arch "$arch" --batch "$few" --parts step,score --rounds 1
golden f32 240
wait "${warm[@]}"
warm=()

for precision in bf16 f32 tf32; do
  has "$precision" || continue
  caches "encode-$precision"
  bench "encode-$precision" "$arch" "$middle" "$precision" encode "${eager[@]}" "${compiled[@]}"
done
caches train
bench "train" "$arch" "$few" f32 step,score "${steps[@]}"

# ---- The rest of the checks ----------------------------------------------------------------------------------------

for precision in tf32 f16 bf16; do
  has "$precision" && golden "$precision" 120
done

# ---- A whole cell --------------------------------------------------------------------------------------------------

# cell NAME BACKENDS PRECISION
cell() {
  local epochs=20 dataset=Phantom encoder
  [ -z "$dry" ] || epochs=2
  if [ -n "$data" ]; then
    dataset=Real
    printf '[Real]\nroot = "%s"\nlayout = "mvfa"\nobject = "Brain"\nmodality = "as given"\nmasks = true\n' \
      "$(cd "$data" && pwd)" >"$work/datasets.toml"
    encoder=$(printf 'weights = "%s"\nimage_size = 224\ntaps = [3, 6, 9, 12]' "$(realpath "$weights")")
  else
    printf '[Phantom]\nlayout = "phantom"\nobject = "Brain"\nmodality = "generated"\nmasks = true\nphantom = { side = 64, valid = 8, test = 24, seed = 0 }\n' \
      >"$work/datasets.toml"
    encoder=$(printf 'weights = "synthetic"\nseed = 0\nimage_size = 64\ntaps = [1, 2]\n[encoder.arch]\nimage_size = 64\npatch = 8\nwidth = 96\nlayers = 2\nheads = 2\nembed = 32\nvocab = 49408\ncontext = 77\ntext_width = 32\ntext_layers = 1\ntext_heads = 1')
  fi
  {
    printf 'name = "%s"\ndatasets = ["%s"]\nshots = [4]\ndraws = [0]\nseeds = [0]\nbackends = [%s]\nselection = ["last", "best-on-test"]\n' \
      "$1" "$dataset" "$2"
    printf '[train]\nepochs = %s\n[base]\npreset = "released"\n[encoder]\nprecision = "%s"\n%s\n' "$epochs" "$3" "$encoder"
  } >"$work/$1.toml"
  step "$1" 240 "$program" run "$work/$1.toml" --datasets "$work/datasets.toml" --out "$work/$1" --cache "$work/taps"
  if [ "$ended" != 0 ]; then
    row "cell, $3" "$(why "$1")" "" FAIL
    return
  fi
  cp "$work/$1/results.csv" "$out/$1-results.csv"
  if [ -f "$work/$1/tables/backends.md" ]; then cp "$work/$1/tables/backends.md" "$out/$1-backends.md"; fi
  awk -F, -v what="cell, $3" -v took="$took" -v OFS='\t' '
    NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
    {
      score = $(at["image_score"]); metric = $(at["metric"])
      if (metric == "image_auroc" && score == "map-max" || metric == "pixel_auroc" && score ~ /^(""|map-max)?$/)
        print what ": " $(at["backend"]) ", " $(at["selection"]) ", " metric, sprintf("%.4f", $(at["value"])), "", "", took
    }
  ' "$work/$1/results.csv" >>"$rows"
}

caches cell
if [ "$backend" = flex ]; then cell cell '"flex"' f32; else cell cell "\"$backend\", \"flex\"" f32; fi
if has bf16; then cell cell-bf16 "\"$backend\"" bf16; fi

# ---- More sizes, where time is left --------------------------------------------------------------------------------

for batch in $batches; do
  for precision in bf16 f32; do
    caches "encode-$precision"
    has "$precision" && [ "$batch" != "$middle" ] && bench "encode-$precision-$batch" "$arch" "$batch" "$precision" encode "${eager[@]}"
  done
done
if [ "$second" != "$arch" ]; then
  for precision in bf16 f32; do
    caches "encode-$precision"
    has "$precision" && bench "second-$precision" "$second" 64 "$precision" encode "${eager[@]}"
  done
fi

# ---- What comes out ------------------------------------------------------------------------------------------------

{
  echo "# \`$backend\` on $device${card:+, $card}"
  echo
  [ -z "$dry" ] || printf 'A dry run: the sizes are tiny and nothing here is a measurement.\n\n'
  echo "| what | found | wanted | verdict | s |"
  echo "|---|---|---|---|--:|"
  awk -F'\t' '{ for (i = 1; i <= NF; i++) gsub(/\|/, "\\|", $i); printf "| %s | %s | %s | %s | %s |\n", $1, $2, $3, $4, $5 }' "$rows"
  if [ -f "$out/cell-backends.md" ]; then
    echo
    cat "$out/cell-backends.md"
  fi
} >"$out/check-gpu.md"
awk -F'\t' '
  function text(value) { gsub(/\\/, "\\\\", value); gsub(/"/, "\\\"", value); gsub(/[[:cntrl:]]/, " ", value); return "\"" value "\"" }
  { printf "%s  {\"what\": %s, \"found\": %s, \"wanted\": %s, \"verdict\": %s, \"seconds\": %d}", (NR > 1 ? ",\n" : "[\n"), text($1), text($2), text($3), text($4), $5 }
  END { print (NR ? "\n]" : "[]") }' "$rows" >"$out/check-gpu.json"
rm "$rows"
cat "$out/check-gpu.md"
! grep -q '"verdict": "FAIL"' "$out/check-gpu.json"
