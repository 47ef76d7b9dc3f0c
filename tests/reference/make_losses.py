"""Writes the golden cases of the losses that the authors' code does not have: `siglip-scaled` and `cross-entropy`.

    python make_losses.py OUT          (needs torch, numpy and safetensors)

The form of a case is that of docs/method.md section 10. Text is free, so that no tokenizer is needed.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from safetensors.numpy import save_file

import madclip
import synthetic

ARCH = dict(image_size=48, patch=8, width=64, layers=4, heads=2, embed=48, vocab=49408, context=77,
            text_width=32, text_layers=2, text_heads=2)
OPTIONS = dict(image_size=48, taps=[2, 4], activation="gelu", normalize="none", branches="dual", dual_objective=True,
               adapter="linear", adapter_attention="batch", prompts="free", prompt_positions=["end", "front", "middle"],
               prompt_mask="none", context_tokens=8, aggregation="mean")
CASES = {"siglip-scaled": dict(loss="siglip-scaled", aggregation="both"), "cross-entropy": dict(loss="cross-entropy")}
BATCHES = [[0, 4, 1, 5], [2, 6, 3, 7], [7, 0, 5, 2], [1, 3, 4, 6], [6, 1, 0, 4]]
TEST = [8, 9, 10, 11]


def write_case(folder, changes, seed):
    folder.mkdir(parents=True, exist_ok=True)
    options = {**OPTIONS, **changes}
    size = options["image_size"]
    state = {k: torch.from_numpy(np.asarray(v)) for k, v in synthetic.clip_state(ARCH, seed).items()}
    draws = synthetic.uniforms("images", seed, 0, 12 * 3 * size * size)
    pixels = (draws * 256).astype(np.uint8).reshape(12, 3, size, size)
    blobs = synthetic.uniforms("masks", seed, 0, 12 * 9).reshape(12, 3, 3) > 0.6
    masks = np.kron(blobs, np.ones((size // 3, size // 3))).astype(np.uint8)
    labels = np.array([1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0], np.uint8)
    masks[labels == 0] = 0
    images = torch.from_numpy(pixels.astype(np.float32) / 255)
    with torch.no_grad():
        taps = madclip.encode_taps(state, ARCH, images, options["taps"], options["activation"], options["normalize"])
    params = madclip.init_parameters(options, ARCH, None, seed)
    tensors = {"images": pixels, "masks": masks, "labels": labels}
    tensors.update({f"tap.{number}": x[:2].numpy() for number, x in zip(options["taps"], taps)})
    with torch.no_grad():
        tensors["text.initial"] = torch.stack(madclip.text_pair(options, state, ARCH, params, None)).numpy()

    losses, moments = [], {}
    for step, batch in enumerate(BATCHES, 1):
        for p in params.values():
            p.requires_grad_(True).grad = None
        terms = madclip.losses(options, state, ARCH, params, None, [x[batch] for x in taps],
                               torch.from_numpy(labels[batch]).float(), torch.from_numpy(masks[batch]).float())
        sum(terms.values()).backward()
        for p in params.values():
            p.requires_grad_(False)
        grads = {k: p.grad if p.grad is not None else torch.zeros_like(p) for k, p in params.items()}
        if step == 1:
            tensors.update({f"gradient.{k}": g.numpy().copy() for k, g in grads.items()})
        madclip.adam_step(params, grads, moments, step, lr=1e-3)
        losses.append([terms[k].item() for k in ("detection", "focal", "dice")])
    tensors["losses"] = np.array(losses, np.float32)
    tensors.update({f"final.{k}": p.numpy() for k, p in params.items()})
    maps, detection = madclip.scores(options, state, ARCH, params, None, [x[TEST] for x in taps])
    tensors["maps"], tensors["detection"] = maps.numpy(), detection.numpy()

    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, folder / "expected.safetensors")
    lines = ["# Inputs and expected values of one case; docs/method.md section 10 says how to read it.", f"seed = {seed}",
             'object = "Liver"', "has_masks = true", "learning_rate = 1e-3", f"batches = {json.dumps(BATCHES)}",
             f"test = {json.dumps(TEST)}", "", "[arch]"]
    lines += [f"{k} = {json.dumps(v)}" for k, v in ARCH.items()] + ["", "[options]"]
    lines += [f"{k} = {json.dumps(v)}" for k, v in options.items()]
    (folder / "case.toml").write_text("\n".join(lines) + "\n")


def main():
    torch.set_num_threads(1)
    for number, (name, changes) in enumerate(CASES.items()):
        write_case(pathlib.Path(sys.argv[1]) / name, changes, seed=20 + number)


if __name__ == "__main__":
    main()
