"""MadCLIP in plain PyTorch: the executable form of docs/method.md, written for reading, not for speed.

Everything is f32 on the CPU. Shapes: B images, L = grid*grid patch tokens, W tower width, E embedding.
Option names and values are those of docs/method.md, hence of an experiment file.
"""

import math

import torch
import torch.nn.functional as F

import synthetic

NORMAL_STATES = ["{}", "flawless {}", "perfect {}", "unblemished {}", "{} without flaw",
                 "{} without defect", "{} without damage"]
ABNORMAL_STATES = ["damaged {}", "broken {}", "{} with flaw", "{} with defect", "{} with damage",
                   " disease {}", "abnormal {}"]
IMAGE_STATS = {"none": ((0.0,) * 3, (1.0,) * 3),
               "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
               "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))}


def activation(kind, x):
    return x * torch.sigmoid(1.702 * x) if kind == "quick_gelu" else F.gelu(x)


def block(state, prefix, x, heads, act, mask=None):
    """One pre-norm residual attention block. x: [B, T, W]."""
    def p(name):
        return state[f"{prefix}.{name}"]

    batch, tokens, width = x.shape
    h = F.layer_norm(x, (width,), p("ln_1.weight"), p("ln_1.bias"))
    q, k, v = F.linear(h, p("attn.in_proj_weight"), p("attn.in_proj_bias")).chunk(3, dim=-1)
    q, k, v = (t.view(batch, tokens, heads, -1).transpose(1, 2) for t in (q, k, v))
    logits = q @ k.transpose(-1, -2) / math.sqrt(width // heads)
    if mask is not None:
        logits = logits + mask
    h = (logits.softmax(-1) @ v).transpose(1, 2).reshape(batch, tokens, width)
    x = x + F.linear(h, p("attn.out_proj.weight"), p("attn.out_proj.bias"))
    h = F.layer_norm(x, (width,), p("ln_2.weight"), p("ln_2.bias"))
    h = activation(act, F.linear(h, p("mlp.c_fc.weight"), p("mlp.c_fc.bias")))
    return x + F.linear(h, p("mlp.c_proj.weight"), p("mlp.c_proj.bias"))


def resize_positions(table, grid):
    """Position table [1+g*g, W] to another grid: bicubic with antialiasing, class row untouched."""
    old = int(math.sqrt(table.shape[0] - 1))
    if old == grid:
        return table
    patches = table[1:].reshape(1, old, old, -1).permute(0, 3, 1, 2)
    patches = F.interpolate(patches, (grid, grid), mode="bicubic", antialias=True, align_corners=False)
    return torch.cat([table[:1], patches.permute(0, 2, 3, 1).reshape(grid * grid, -1)])


def encode_taps(state, arch, images, taps, act, normalize):
    """images [B, 3, S, S] in 0..1 -> one [B, 1+L, W] per tap (1-based block number), class token first."""
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in IMAGE_STATS[normalize])
    x = F.conv2d((images - mean) / std, state["visual.conv1.weight"], stride=arch["patch"])
    grid = x.shape[-1]
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat([state["visual.class_embedding"].expand(len(x), 1, -1), x], dim=1)
    x = x + resize_positions(state["visual.positional_embedding"], grid)
    x = F.layer_norm(x, (arch["width"],), state["visual.ln_pre.weight"], state["visual.ln_pre.bias"])
    out = []
    for i in range(max(taps)):
        x = block(state, f"visual.transformer.resblocks.{i}", x, arch["heads"], act)
        if i + 1 in taps:
            out.append(x)
    return out


def encode_text(state, arch, embedded, eot, act, causal):
    """embedded [N, context, W_t] (token vectors without positions), eot [N] -> [N, E], not normalised."""
    x = embedded + state["positional_embedding"]
    mask = torch.full((x.shape[1],) * 2, float("-inf")).triu(1) if causal else None
    for i in range(arch["text_layers"]):
        x = block(state, f"transformer.resblocks.{i}", x, arch["text_heads"], act, mask)
    x = F.layer_norm(x, (x.shape[-1],), state["ln_final.weight"], state["ln_final.bias"])
    return x[torch.arange(len(x)), eot] @ state["text_projection"]


def fixed_text(state, arch, tokens, act):
    """Ensemble of fixed sentences: normalise each, average, normalise. tokens [N, context] -> [E]."""
    embedded = state["token_embedding.weight"][tokens]
    features = F.normalize(encode_text(state, arch, embedded, tokens.argmax(-1), act, causal=True), dim=-1)
    return F.normalize(features.mean(0), dim=-1)


def learned_text(state, arch, tokens, lengths, context, act, causal):
    """Learned prompts of one class. tokens [P, context] of "X X ... X <phrase>.", lengths [P] tokens of
    the phrase, context {position: [P, n, W_t]} -> [E]. Features are averaged before the one normalisation."""
    embedded = state["token_embedding.weight"][tokens]
    rows = []
    for position in context:
        for p, length in enumerate(lengths):
            ctx = context[position][p]
            n = len(ctx)
            start, rest = embedded[p, :1], embedded[p, 1 + n:]
            cut = {"end": [start, ctx, rest],
                   "front": [start, rest[:length], ctx, rest[length:]],
                   "middle": [start, ctx[: n // 2], rest[:length], ctx[n // 2:], rest[length:]]}[position]
            rows.append(torch.cat(cut))
    eot = tokens.argmax(-1).repeat(len(context))
    features = encode_text(state, arch, torch.stack(rows), eot, act, causal).mean(0)
    return features / features.norm()


# ---- adapters ------------------------------------------------------------------------------------------

def adapter_shapes(kind, width, embed):
    """Trainable tensors of one adapter (one tap, one branch): name -> (shape, fan_in or None for constants)."""
    heads = {"det.weight": ((embed, width), width), "seg.weight": ((embed, width), width)}
    if kind == "linear":
        return {"shared.weight": ((width, width), width), **heads}
    if kind == "conv":
        return {"shared.weight": ((width, width), width), "shared.bias": ((width,), width), **heads}
    attention = {"attn.in_proj.weight": ((3 * width, width), None), "attn.in_proj.bias": ((3 * width,), 0.0),
                 "attn.out_proj.weight": ((width, width), width), "attn.out_proj.bias": ((width,), 0.0),
                 "ff1.weight": ((width, width), width), "ff1.bias": ((width,), width),
                 "ff2.weight": ((width, width), width), "ff2.bias": ((width,), width),
                 "norm1.weight": ((width,), 1.0), "norm1.bias": ((width,), 0.0),
                 "norm2.weight": ((width,), 1.0), "norm2.bias": ((width,), 0.0)}
    return {**attention, **heads}


def init_parameters(options, arch, prompts, seed):
    """Every trainable tensor, by name (docs/method.md section 5)."""
    params = {}
    for branch in branches(options):
        for tap in options["taps"]:
            for name, (shape, fan_in) in adapter_shapes(options["adapter"], arch["width"], arch["embed"]).items():
                key = f"{branch}.{tap}.{name}"
                if isinstance(fan_in, float):
                    params[key] = torch.full(shape, fan_in)
                else:  # in_proj is Xavier-uniform over (W, 3W), the rest 1/sqrt(fan_in)
                    bound = math.sqrt(6 / (4 * arch["width"])) if fan_in is None else fan_in**-0.5
                    params[key] = torch.from_numpy(synthetic.uniform(key, seed, shape, bound))
    for side in learned_sides(options):
        for position in options["prompt_positions"]:
            key = f"prompt.{side}.{position}"
            shape = (len(prompts[side]["tokens"]), options["context_tokens"], arch["text_width"])
            params[key] = torch.from_numpy(synthetic.normal(key, seed, shape, 0.0, 0.02))
    if options["prompts"] == "free":
        for side in ("normal", "abnormal"):
            key = f"text.{side}"
            params[key] = torch.from_numpy(synthetic.normal(key, seed, (arch["embed"],), 0.0, arch["embed"] ** -0.5))
    if options["loss"] == "siglip-scaled":  # SigLIP's own initial values
        params["loss.temperature"] = torch.tensor([math.log(10)])
        params["loss.bias"] = torch.tensor([-10.0])
    return params


def branches(options):
    return {"dual": ["normal", "abnormal"], "single": ["shared"]}.get(options["branches"], [options["branches"]])


def learned_sides(options):
    return {"fixed": [], "free": [], "learned-abnormal": ["abnormal"], "learned": ["normal", "abnormal"]}[options["prompts"]]


def channel_norm(x):
    """Zero mean, unit (biased) variance over the channels of each token; no scale, no shift."""
    return F.layer_norm(x, (x.shape[-1],), eps=1e-5)


def adapter(options, params, prefix, x):
    """x [B, 1+L, W] -> (det, seg), each [B, 1+L, E]."""
    def p(name):
        return params[f"{prefix}.{name}"]

    kind = options["adapter"]
    if kind == "linear":
        x = channel_norm(F.leaky_relu(F.linear(x, p("shared.weight"))))
    elif kind == "conv":
        x = F.leaky_relu(channel_norm(F.linear(x, p("shared.weight"), p("shared.bias"))))
    else:
        x = transformer_layer(p, x, over_batch=options["adapter_attention"] == "batch")
    return F.leaky_relu(F.linear(x, p("det.weight"))), F.leaky_relu(F.linear(x, p("seg.weight")))


def transformer_layer(p, x, over_batch, heads=8):
    """Post-norm encoder layer, ReLU, no dropout. over_batch: tokens attend to the same token of other images."""
    if over_batch:
        x = x.transpose(0, 1)
    a, t, width = x.shape
    q, k, v = F.linear(x, p("attn.in_proj.weight"), p("attn.in_proj.bias")).chunk(3, dim=-1)
    q, k, v = (z.reshape(a, t, heads, -1).transpose(1, 2) for z in (q, k, v))
    h = ((q @ k.transpose(-1, -2) / math.sqrt(width // heads)).softmax(-1) @ v).transpose(1, 2).reshape(a, t, width)
    x = F.layer_norm(x + F.linear(h, p("attn.out_proj.weight"), p("attn.out_proj.bias")), (width,),
                     p("norm1.weight"), p("norm1.bias"))
    h = F.linear(F.relu(F.linear(x, p("ff1.weight"), p("ff1.bias"))), p("ff2.weight"), p("ff2.bias"))
    x = F.layer_norm(x + h, (width,), p("norm2.weight"), p("norm2.bias"))
    return x.transpose(0, 1) if over_batch else x


# ---- similarity, loss, scores ----------------------------------------------------------------------------

def similarities(options, params, taps, text):
    """taps: list of [B, 1+L, W]; text (t_n, t_ab), each [E] -> (det, seg): lists of [B, L, 2]."""
    t_n, t_ab = text
    det, seg = [], []
    for number, x in zip(options["taps"], taps):
        outs = {b: adapter(options, params, f"{b}.{number}", x) for b in branches(options)}
        for which, store in ((0, det), (1, seg)):
            f = {b: F.normalize(out[which][:, 1:], dim=-1, eps=0) for b, out in outs.items()}
            s = {}
            for side, same, other in (("normal", t_n, t_ab), ("abnormal", t_ab, t_n)):
                x_side = f.get(side, f.get("shared"))
                if x_side is not None:
                    s[side] = x_side @ same - (x_side @ other if options["dual_objective"] else 0.0)
            s_n = s["normal"] if "normal" in s else -s["abnormal"]
            s_ab = s["abnormal"] if "abnormal" in s else -s["normal"]
            store.append(torch.stack([s_n, s_ab], dim=-1))
    return det, seg


def aggregate(options, x):
    """Over the tokens, dimension 1."""
    mean, peak = x.mean(1), x.amax(1)
    return {"mean": mean, "max": peak, "both": 0.5 * mean + 0.5 * peak}[options["aggregation"]]


def detection_loss(options, params, det, labels):
    """Sum over taps. labels [B], 1 = abnormal."""
    total = 0.0
    for s in det:
        sign = torch.stack([1 - 2 * labels, 2 * labels - 1], dim=-1).unsqueeze(1)
        if options["loss"] == "siglip":
            total = total - aggregate(options, F.logsigmoid(sign * s)).sum(-1).mean()
        elif options["loss"] == "siglip-scaled":
            s = params["loss.temperature"].exp() * s + params["loss.bias"]
            total = total - aggregate(options, F.logsigmoid(sign * s)).sum(-1).mean()
        elif options["loss"] == "cross-entropy":
            of_label = (100 * s).log_softmax(-1).gather(-1, labels.long()[:, None, None].expand(-1, s.shape[1], 1))
            total = total - aggregate(options, of_label).mean()
        else:
            p = s.softmax(-1)
            p_n, p_ab = aggregate(options, p[..., 0]), aggregate(options, p[..., 1])
            total = total + F.binary_cross_entropy_with_logits(1 - p_n, labels)
            total = total + F.binary_cross_entropy_with_logits(p_ab, labels)
    return total


def probability_map(options, s):
    """[B, L, 2] -> [B, 2, S, S]: similarities upsampled, then softmax over the two classes."""
    grid = math.isqrt(s.shape[1])
    s = s.transpose(1, 2).reshape(len(s), 2, grid, grid)
    size = options["image_size"]
    return F.interpolate(s, (size, size), mode="bilinear", align_corners=True).softmax(1)


def segmentation_losses(options, seg, masks):
    """(focal, dice), each summed over taps. masks [B, S, S] of 0 and 1."""
    focal = dice = 0.0
    for s in seg:
        p = probability_map(options, s)
        hot = torch.stack([1 - masks, masks], dim=1).clamp(1e-5, 1 - 1e-5)
        pt = (hot * p).sum(1) + 1e-5
        focal = focal - ((1 - pt) ** 2 * pt.log()).mean()
        a, m = p[:, 1].flatten(1), masks.flatten(1)
        dice = dice + 1 - ((2 * (a * m).sum(1) + 1) / (a.sum(1) + m.sum(1) + 1)).mean()
    return focal, dice


def text_pair(options, state, arch, params, prompts):
    """(t_n, t_ab) from prompts = {side: {"tokens", "lengths", "fixed"}}."""
    if options["prompts"] == "free":
        return [F.normalize(params[f"text.{side}"], dim=0) for side in ("normal", "abnormal")]
    pair = []
    for side in ("normal", "abnormal"):
        if side in learned_sides(options):
            context = {pos: params[f"prompt.{side}.{pos}"] for pos in options["prompt_positions"]}
            pair.append(learned_text(state, arch, prompts[side]["tokens"], prompts[side]["lengths"], context,
                                     options["activation"], options["prompt_mask"] == "causal"))
        else:
            pair.append(fixed_text(state, arch, prompts[side]["fixed"], options["activation"]))
    return pair


def losses(options, state, arch, params, prompts, taps, labels, masks):
    """{"detection", "focal", "dice"}; masks is None for image-level data, and then the last two are 0."""
    det, seg = similarities(options, params, taps, text_pair(options, state, arch, params, prompts))
    terms = {"detection": detection_loss(options, params, det, labels), "focal": torch.zeros(()), "dice": torch.zeros(())}
    if masks is not None:
        terms["focal"], terms["dice"] = segmentation_losses(options, seg, masks)
    return terms


def adam_step(params, grads, moments, step, lr, betas=(0.5, 0.999), eps=1e-8):
    """In place; `step` counts from 1."""
    for name, g in grads.items():
        m, v = moments.setdefault(name, (torch.zeros_like(g), torch.zeros_like(g)))
        m.mul_(betas[0]).add_(g, alpha=1 - betas[0])
        v.mul_(betas[1]).addcmul_(g, g, value=1 - betas[1])
        denom = (v.sqrt() / math.sqrt(1 - betas[1] ** step)).add_(eps)
        params[name].sub_(lr / (1 - betas[0] ** step) * m / denom)


def scores(options, state, arch, params, prompts, taps):
    """(maps [B, S, S], detection [B]): both summed over taps."""
    with torch.no_grad():
        det, seg = similarities(options, params, taps, text_pair(options, state, arch, params, prompts))
        maps = sum(probability_map(options, s)[:, 1] for s in seg)
        return maps, sum(aggregate(options, s.softmax(-1)[..., 1]) for s in det)
