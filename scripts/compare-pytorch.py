#!/usr/bin/env python3
"""PyTorch's side of `harness bench --against`: the same encoder, and the reference's training step, timed here.

    harness bench --backends flex --threads 2 --against "python3 scripts/compare-pytorch.py [--reference DIR]"
    harness bench --backends cuda --precision bf16 --against "python3 scripts/compare-pytorch.py --device cuda --compile"

Needs torch and numpy. Encoding is plain PyTorch with fused attention, in the precision that is asked for; images come from the
processor's memory and taps go there in f32, as a backend's do, unless --on-device leaves both where they are computed. With
--reference, a folder that holds `madclip_reference.py` and what it imports, training steps and scores are the reference's;
without it they are left out.

Standard input: a line of JSON (`arch`, `options`, `images`, `precision`, `threads`), then lines `encode`, `step` or `score`.
Standard output: a line with a name, then for each a line with seconds, or `-` for what is not done.
"""

import argparse
import json
import sys
import time

import torch
import torch.nn.functional as F


TYPES = {"f32": torch.float32, "tf32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


class Encoder:
    """A ViT as CLIP has it, weights drawn at random; gives the outputs of the blocks in `taps`."""

    def __init__(self, arch, options, dtype):
        self.heads, self.patch, self.taps = arch["heads"], arch["patch"], options["taps"]
        self.gelu = options["activation"] == "gelu"
        width, tokens = arch["width"], (options["image_size"] // arch["patch"]) ** 2 + 1

        def normal(*shape):
            return (torch.randn(*shape) * shape[-1] ** -0.5).to(dtype)

        self.conv = (torch.randn(width, 3, self.patch, self.patch) * (3 * self.patch**2) ** -0.5).to(dtype)
        self.first, self.positions = normal(1, 1, width), normal(tokens, width)
        self.norm = torch.ones(width, dtype=dtype), torch.zeros(width, dtype=dtype)
        self.blocks = [
            [(normal(rows * width, columns * width), normal(rows * width)) for rows, columns in ((3, 1), (1, 1), (4, 1), (1, 4))]
            for _ in range(max(self.taps))
        ]

    def __call__(self, pixels):
        x = F.conv2d((pixels.float() / 255).to(self.conv.dtype), self.conv, stride=self.patch).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(len(x), 1, -1), x], dim=1) + self.positions
        shape = x.shape[-1:]
        x, out = F.layer_norm(x, shape, *self.norm), []
        for number, (qkv, project, widen, narrow) in enumerate(self.blocks, 1):
            batch, tokens, width = x.shape
            parts = F.linear(F.layer_norm(x, shape, *self.norm), *qkv)
            q, k, v = parts.view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, tokens, width)
            x = x + F.linear(mixed, *project)
            h = F.linear(F.layer_norm(x, shape, *self.norm), *widen)
            h = F.gelu(h) if self.gelu else h * torch.sigmoid(1.702 * h)
            x = x + F.linear(h, *narrow)
            if number in self.taps:
                out.append(x.float() if x.dtype != torch.float32 else x.clone())
        return out


class Method:
    """The reference's training step and scores on taps drawn at random."""

    def __init__(self, reference, arch, options, images, device):
        sys.path.insert(0, reference)
        import madclip_reference
        import synthetic

        self.madclip, self.options, self.arch, self.step_number, self.moments = madclip_reference, options, arch, 0, {}
        self.state = {name: torch.as_tensor(value).to(device) for name, value in synthetic.clip_state(arch, 0).items()}
        tokens, size = (options["image_size"] // arch["patch"]) ** 2 + 1, options["image_size"]
        # Sentences decide no time: seven a class, end of text at the sixteenth token, as with the learned ones.
        sentence = torch.full((7, arch["context"]), 0)
        sentence[:, :15], sentence[:, 15] = 343, arch["vocab"] - 1
        self.prompts = {side: dict(tokens=sentence, fixed=sentence, lengths=[2] * 7) for side in ("normal", "abnormal")}
        parameters = madclip_reference.init_parameters(options, arch, self.prompts, 0)
        self.parameters = {name: value.to(device) for name, value in parameters.items()}
        self.taps = [3.4 * torch.rand(images, tokens, arch["width"]) - 1.7 for _ in options["taps"]]
        self.labels = (torch.arange(images) % 2).float()
        self.masks = torch.zeros(images, size, size)
        self.masks[1::2, size // 4 : size // 2, size // 4 : size // 2] = 1

    def step(self):
        self.step_number += 1
        for parameter in self.parameters.values():
            parameter.requires_grad_(True).grad = None
        given = (self.options, self.state, self.arch, self.parameters, self.prompts, self.taps, self.labels, self.masks)
        loss = sum(self.madclip.losses(*given).values())
        loss.backward()
        loss.item()
        for parameter in self.parameters.values():
            parameter.requires_grad_(False)
        gradients = {name: p.grad for name, p in self.parameters.items() if p.grad is not None}
        self.madclip.adam_step(self.parameters, gradients, self.moments, self.step_number, 1e-3)

    def score(self):
        self.madclip.scores(self.options, self.state, self.arch, self.parameters, self.prompts, self.taps)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", help="folder of the reference in PyTorch")
    parser.add_argument("--device", default="cpu", help="PyTorch's name of the device: cpu, cuda, cuda:1")
    parser.add_argument("--compile", action="store_true", help="encode with torch.compile")
    parser.add_argument("--on-device", action="store_true", help="leave images and taps on the device")
    asked = parser.parse_args()
    given = json.loads(sys.stdin.readline())
    arch, options, images, precision = given["arch"], given["options"], given["images"], given["precision"]
    device = torch.device(asked.device)
    if given["threads"]:
        torch.set_num_threads(given["threads"])
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    pixels = torch.randint(0, 256, (images, 3, options["image_size"], options["image_size"]), dtype=torch.uint8)
    # What follows makes its tensors there, the reference's own included.
    torch.set_default_device(device)
    encoder = Encoder(arch, options, TYPES[precision])
    encoder = torch.compile(encoder) if asked.compile else encoder
    method = Method(asked.reference, arch, options, images, device) if asked.reference else None
    if asked.on_device:
        pixels = pixels.to(device)

    def encode():
        with torch.no_grad():
            taps = encoder(pixels.to(device))
            if not asked.on_device:
                [tap.cpu() for tap in taps]

    def wait():
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    work = {"encode": encode}
    if method:
        work |= {"step": method.step, "score": method.score}
    kind = [word for word, is_so in (("compiled", asked.compile), ("on device", asked.on_device)) if is_so]
    print(" ".join(["pytorch", torch.__version__, *kind]), flush=True)
    for line in sys.stdin:
        do = work.get(line.strip())
        if do is None:
            print("-", flush=True)
            continue
        wait()
        start = time.perf_counter()
        do()
        wait()
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
