#!/usr/bin/env python3
"""PyTorch's side of `harness bench --against`: the same encoder, and the reference's training step, timed here.

    harness bench --backends flex --threads 2 --against "python3 scripts/compare-pytorch.py [--reference DIR]"

Needs torch and numpy. Encoding is plain PyTorch with fused attention. With --reference, a folder that holds
`madclip_reference.py` and what it imports, training steps and scores are the reference's; without it they are left out.

Standard input: a line of JSON (`arch`, `options`, `images`, `threads`), then lines `encode`, `step` or `score`.
Standard output: a line with a name, then for each a line with seconds, or `-` for what is not done.
"""

import argparse
import json
import sys
import time

import torch
import torch.nn.functional as F


class Encoder:
    """A ViT as CLIP has it, weights drawn at random; gives the outputs of the blocks in `taps`."""

    def __init__(self, arch, options):
        self.heads, self.patch, self.taps = arch["heads"], arch["patch"], options["taps"]
        self.gelu = options["activation"] == "gelu"
        width, tokens = arch["width"], (options["image_size"] // arch["patch"]) ** 2 + 1

        def normal(*shape):
            return torch.randn(*shape) * shape[-1] ** -0.5

        self.conv = torch.randn(width, 3, self.patch, self.patch) * (3 * self.patch**2) ** -0.5
        self.first, self.positions = normal(1, 1, width), normal(tokens, width)
        self.norm = torch.ones(width), torch.zeros(width)
        self.blocks = [
            [(normal(rows * width, columns * width), normal(rows * width)) for rows, columns in ((3, 1), (1, 1), (4, 1), (1, 4))]
            for _ in range(max(self.taps))
        ]

    def __call__(self, pixels):
        x = F.conv2d(pixels.float() / 255, self.conv, stride=self.patch).flatten(2).transpose(1, 2)
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
                out.append(x.clone())
        return out


class Method:
    """The reference's training step and scores on taps drawn at random."""

    def __init__(self, reference, arch, options, images):
        sys.path.insert(0, reference)
        import madclip_reference
        import synthetic

        self.madclip, self.options, self.arch, self.step_number, self.moments = madclip_reference, options, arch, 0, {}
        self.state = {name: torch.as_tensor(value) for name, value in synthetic.clip_state(arch, 0).items()}
        tokens, size = (options["image_size"] // arch["patch"]) ** 2 + 1, options["image_size"]
        # Sentences decide no time: seven a class, end of text at the sixteenth token, as with the learned ones.
        sentence = torch.full((7, arch["context"]), 0)
        sentence[:, :15], sentence[:, 15] = 343, arch["vocab"] - 1
        self.prompts = {side: dict(tokens=sentence, fixed=sentence, lengths=[2] * 7) for side in ("normal", "abnormal")}
        self.parameters = madclip_reference.init_parameters(options, arch, self.prompts, 0)
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
    reference = parser.parse_args().reference
    given = json.loads(sys.stdin.readline())
    arch, options, images = given["arch"], given["options"], given["images"]
    if given["threads"]:
        torch.set_num_threads(given["threads"])
    encoder = Encoder(arch, options)
    pixels = torch.randint(0, 256, (images, 3, options["image_size"], options["image_size"]), dtype=torch.uint8)
    method = Method(reference, arch, options, images) if reference else None

    def encode():
        with torch.no_grad():
            encoder(pixels)

    work = {"encode": encode}
    if method:
        work |= {"step": method.step, "score": method.score}
    print(f"pytorch {torch.__version__}", flush=True)
    for line in sys.stdin:
        do = work.get(line.strip())
        if do is None:
            print("-", flush=True)
            continue
        start = time.perf_counter()
        do()
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
