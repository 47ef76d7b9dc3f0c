"""Writes the cases `subspace` and `subspace-few` (docs/methods.md) with NumPy alone: an image tower by docs/method.md, section 1,
and a singular value decomposition in place of an eigendecomposition. Images, masks and labels are those of `memory-bank`.

    pip install numpy safetensors
    python3 tests/golden/methods/subspace/make.py
"""

import math
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

HERE = Path(__file__).resolve().parent.parent
SIDE, PATCH, WIDTH, LAYERS, HEADS, EMBED, SEED = 48, 8, 64, 4, 2, 48, 103
GRID = SIDE // PATCH
GAMMA, MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1


def normal(name, shape, std, mean=0.0):
    """Values of a named stream (docs/method.md section 5)."""
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = ((state ^ byte) * 0x100000001B3) & MASK
    state = (state + SEED * GAMMA) & MASK
    n = math.prod(shape)
    with np.errstate(over="ignore"):
        z = np.uint64(state) + np.arange(1, 12 * n + 1, dtype=np.uint64) * np.uint64(GAMMA)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    u = (z >> np.uint64(11)).astype(np.float64) * 2.0**-53
    values = mean + std * (u.reshape(n, 12).sum(1) - 6.0)
    return values.astype(np.float32).astype(np.float64).reshape(shape)


def layer_norm(x, name):
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return x * normal(f"{name}.weight", [WIDTH], 0.1, 1.0) + normal(f"{name}.bias", [WIDTH], 0.02)


def linear(x, name, rows, columns):
    separator = "" if name.endswith("_") else "."
    weight = normal(f"{name}{separator}weight", [rows, columns], columns**-0.5)
    return x @ weight.T + normal(f"{name}{separator}bias", [rows], 0.02)


def gelu(x):
    return 0.5 * x * (1.0 + np.vectorize(math.erf)(x / math.sqrt(2.0)))


def taps(images):
    """The output of each block, [n, tokens, width]."""
    n = len(images)
    patches = (images / 255.0).reshape(n, 3, GRID, PATCH, GRID, PATCH).transpose(0, 2, 4, 1, 3, 5)
    conv = normal("visual.conv1.weight", [WIDTH, 3, PATCH, PATCH], (3 * PATCH * PATCH) ** -0.5)
    x = patches.reshape(n, GRID * GRID, -1) @ conv.reshape(WIDTH, -1).T
    first = np.broadcast_to(normal("visual.class_embedding", [WIDTH], WIDTH**-0.5), (n, 1, WIDTH))
    x = np.concatenate([first, x], 1) + normal("visual.positional_embedding", [1 + GRID * GRID, WIDTH], WIDTH**-0.5)
    x = layer_norm(x, "visual.ln_pre")
    found = []
    for block in range(LAYERS):
        name = f"visual.transformer.resblocks.{block}"
        qkv = linear(layer_norm(x, f"{name}.ln_1"), f"{name}.attn.in_proj_", 3 * WIDTH, WIDTH)
        q, k, v = qkv.reshape(n, -1, 3, HEADS, WIDTH // HEADS).transpose(2, 0, 3, 1, 4)
        weights = q @ k.transpose(0, 1, 3, 2) / math.sqrt(WIDTH // HEADS)
        weights = np.exp(weights - weights.max(-1, keepdims=True))
        mixed = (weights / weights.sum(-1, keepdims=True)) @ v
        x = x + linear(mixed.transpose(0, 2, 1, 3).reshape(n, -1, WIDTH), f"{name}.attn.out_proj", WIDTH, WIDTH)
        hidden = gelu(linear(layer_norm(x, f"{name}.ln_2"), f"{name}.mlp.c_fc", 4 * WIDTH, WIDTH))
        x = x + linear(hidden, f"{name}.mlp.c_proj", WIDTH, 4 * WIDTH)
        found.append(x)
    return found


def upsampled(grid):
    """Bilinear with aligned corners, [S, S]."""
    at = np.arange(SIDE) * (GRID - 1) / (SIDE - 1)
    low = np.minimum(at.astype(int), GRID - 2)
    weight = at - low
    along = grid[low] * (1 - weight)[:, None] + grid[low + 1] * weight[:, None]
    return along[:, low] * (1 - weight) + along[:, low + 1] * weight


def write(name, from_taps, used, normal_supports, explained):
    source = load_file(HERE / "memory-bank/expected.safetensors")
    images, test = source["images"], [8, 9, 10, 11]
    found = taps(images)
    norm = np.linalg.norm
    close = max(norm(tap[:2] - source[f"tap.{i}"]) / norm(tap[:2]) for i, tap in enumerate(found, 1))
    assert close < 1e-5, f"the tower is off by {close}"
    tokens = np.mean([found[i][:, 1:] for i in used], 0)
    support = tokens[normal_supports].reshape(-1, WIDTH)
    mean = support.mean(0)
    _, singular, directions = np.linalg.svd(support - mean, full_matrices=False)
    share = np.cumsum(singular**2) / np.sum(singular**2)
    assert np.abs(share - explained).min() > 1e-5, "too near to tell"
    kept = directions[: int(np.argmax(share >= explained)) + 1]
    rest = tokens[test] - mean
    rest = rest - rest @ kept.T @ kept
    grids = (rest**2).sum(-1)
    expected = {
        **{key: source[key] for key in ("images", "masks", "labels")},
        "subspace.mean": mean,
        "subspace.count": np.array([len(kept)]),
        "grids.0": grids.reshape(-1, 1, GRID, GRID),
        "maps": np.stack([upsampled(grid.reshape(GRID, GRID)) for grid in grids]),
        "detection": grids.max(-1),
    }
    types = {key: value if value.dtype == np.uint8 else value.astype(np.float32) for key, value in expected.items()}
    save_file({key: np.ascontiguousarray(value) for key, value in types.items()}, HERE / name / "expected.safetensors")
    (HERE / name / "case.toml").write_text(
        f"""# Inputs and expected values of one case, written by subspace/make.py.
method = "subspace"
seed = {SEED}
object = "Liver"
has_masks = true
abnormal = [0, 1, 2, 3]
normal = {normal_supports}
test = {test}
links = ["identity"]

[arch]
image_size = {SIDE}
patch = {PATCH}
width = {WIDTH}
layers = {LAYERS}
heads = {HEADS}
embed = {EMBED}
vocab = 49408
context = 77
text_width = 32
text_layers = 2
text_heads = 2

[options]
image_size = {SIDE}
taps = [1, 2, 3, 4]
activation = "gelu"
normalize = "none"
from_taps = "{from_taps}"
explained_variance = {explained}
variants = "none"
"""
    )
    print(f"{name}: {len(kept)} of {min(support.shape)} components, tower to {close:.1e}, scores {grids.max(-1)}")


# More tokens than channels, and fewer.
write("subspace", "middle", [1, 2], [4, 5, 6, 7], 0.9)
write("subspace-few", "all", [0, 1, 2, 3], [4], 0.99)
