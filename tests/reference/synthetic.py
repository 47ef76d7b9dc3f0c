"""Seeded tensors that every language can reproduce bit for bit (docs/method.md section 5).

A tensor is a pure function of (name, seed, shape): no file, no library's random generator.
"""

import numpy as np

GAMMA = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def fnv1a64(name: str) -> int:
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return h


def uniforms(name: str, seed: int, start: int, count: int) -> np.ndarray:
    """Draws start..start+count of the SplitMix64 stream of (name, seed), as f64 in [0, 1)."""
    state = (fnv1a64(name) + seed * GAMMA) & MASK
    with np.errstate(over="ignore"):
        z = np.uint64(state) + np.arange(start + 1, start + count + 1, dtype=np.uint64) * np.uint64(GAMMA)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def uniform(name: str, seed: int, shape, bound: float) -> np.ndarray:
    """U(-bound, bound): element i is (2 u_i - 1) * bound, rounded once to f32."""
    n = int(np.prod(shape))
    return ((2.0 * uniforms(name, seed, 0, n) - 1.0) * bound).astype(np.float32).reshape(shape)


def normal(name: str, seed: int, shape, mean: float, std: float, chunk: int = 1 << 20) -> np.ndarray:
    """Element i is mean + std * (((u_12i + u_12i+1) + ...) - 6), summed left to right in f64."""
    n = int(np.prod(shape))
    out = np.empty(n, np.float32)
    for lo in range(0, n, chunk):
        hi = min(n, lo + chunk)
        u = uniforms(name, seed, 12 * lo, 12 * (hi - lo)).reshape(-1, 12)
        total = u[:, 0].copy()
        for k in range(1, 12):
            total += u[:, k]
        out[lo:hi] = mean + std * (total - 6.0)
    return out.reshape(shape)


def permutation(name: str, seed: int, n: int) -> np.ndarray:
    """Fisher-Yates from the end: for i = n-1 .. 1, swap i with floor(u * (i + 1)), one draw each."""
    order, u = np.arange(n), uniforms(name, seed, 0, max(n - 1, 0))
    for k, i in enumerate(range(n - 1, 0, -1)):
        j = int(u[k] * (i + 1))
        order[i], order[j] = order[j], order[i]
    return order


def clip_state(arch: dict, seed: int) -> dict:
    """An untrained CLIP in OpenAI's tensor names, for an `arch` as in docs/method.md section 1."""
    shapes = {
        "visual.class_embedding": (arch["width"],),
        "visual.positional_embedding": ((arch["image_size"] // arch["patch"]) ** 2 + 1, arch["width"]),
        "visual.conv1.weight": (arch["width"], 3, arch["patch"], arch["patch"]),
        "visual.proj": (arch["width"], arch["embed"]),
        "token_embedding.weight": (arch["vocab"], arch["text_width"]),
        "positional_embedding": (arch["context"], arch["text_width"]),
        "text_projection": (arch["text_width"], arch["embed"]),
    }
    for name, width in [("visual.ln_pre", arch["width"]), ("visual.ln_post", arch["width"]),
                        ("ln_final", arch["text_width"])]:
        shapes[f"{name}.weight"] = shapes[f"{name}.bias"] = (width,)
    for prefix, width, layers in [("visual.transformer", arch["width"], arch["layers"]),
                                  ("transformer", arch["text_width"], arch["text_layers"])]:
        for i in range(layers):
            block = f"{prefix}.resblocks.{i}"
            for ln in ("ln_1", "ln_2"):
                shapes[f"{block}.{ln}.weight"] = shapes[f"{block}.{ln}.bias"] = (width,)
            for name, rows, cols in [("attn.in_proj", 3 * width, width), ("attn.out_proj", width, width),
                                     ("mlp.c_fc", 4 * width, width), ("mlp.c_proj", width, 4 * width)]:
                joint = "_" if name == "attn.in_proj" else "."
                shapes[f"{block}.{name}{joint}weight"] = (rows, cols)
                shapes[f"{block}.{name}{joint}bias"] = (rows,)
    state = {name: normal(name, seed, shape, *moments(name, shape)) for name, shape in shapes.items()}
    state["logit_scale"] = np.float32(np.log(1 / 0.07))
    return state


def moments(name: str, shape) -> tuple:
    """(mean, std) of a tensor of `clip_state`."""
    layer_norm = "ln_" in name
    if layer_norm and name.endswith("weight"):
        return 1.0, 0.1
    if layer_norm or name.endswith("bias"):
        return 0.0, 0.02
    if name in ("token_embedding.weight", "positional_embedding"):
        return 0.0, 0.02 if name[0] == "t" else 0.01
    if name in ("visual.proj", "text_projection"):
        return 0.0, shape[0] ** -0.5
    fan_in = shape[-1] if name != "visual.conv1.weight" else 3 * shape[-1] ** 2
    return 0.0, fan_in**-0.5
