//! An untrained CLIP that needs no file: `weights = "synthetic"` (docs/method.md section 5, `clip_state`).

use crate::{Arch, streams};

/// A tensor of a synthetic CLIP before it has values.
#[derive(Clone, Debug, PartialEq)]
pub struct Synthetic {
    /// OpenAI's name.
    pub name: String,
    /// Row-major shape; empty for a scalar.
    pub shape: Vec<usize>,
}

impl Synthetic {
    /// Values under a seed, row-major.
    pub fn values(&self, seed: u64) -> Vec<f32> {
        if self.name == "logit_scale" {
            return vec![(1.0f64 / 0.07).ln() as f32];
        }
        let (mean, std) = moments(&self.name, &self.shape);
        streams::normal(&self.name, seed, self.shape.iter().product(), mean, std)
    }
}

/// Every tensor of a CLIP of this architecture, in OpenAI's names.
pub fn clip_state(arch: &Arch) -> Vec<Synthetic> {
    let mut all = Vec::new();
    let mut add = |name: &str, shape: &[usize]| all.push(Synthetic { name: name.to_owned(), shape: shape.to_vec() });
    add("visual.class_embedding", &[arch.width]);
    add("visual.positional_embedding", &[arch.tokens(arch.image_size), arch.width]);
    add("visual.conv1.weight", &[arch.width, 3, arch.patch, arch.patch]);
    add("visual.proj", &[arch.width, arch.embed]);
    add("token_embedding.weight", &[arch.vocab, arch.text_width]);
    add("positional_embedding", &[arch.context, arch.text_width]);
    add("text_projection", &[arch.text_width, arch.embed]);
    for (name, width) in [("visual.ln_pre", arch.width), ("visual.ln_post", arch.width), ("ln_final", arch.text_width)]
    {
        add(&format!("{name}.weight"), &[width]);
        add(&format!("{name}.bias"), &[width]);
    }
    for (tower, width, layers) in
        [("visual.transformer", arch.width, arch.layers), ("transformer", arch.text_width, arch.text_layers)]
    {
        for i in 0..layers {
            let block = format!("{tower}.resblocks.{i}");
            for norm in ["ln_1", "ln_2"] {
                add(&format!("{block}.{norm}.weight"), &[width]);
                add(&format!("{block}.{norm}.bias"), &[width]);
            }
            for (name, rows, columns) in [
                ("attn.in_proj_", 3 * width, width),
                ("attn.out_proj.", width, width),
                ("mlp.c_fc.", 4 * width, width),
                ("mlp.c_proj.", width, 4 * width),
            ] {
                add(&format!("{block}.{name}weight"), &[rows, columns]);
                add(&format!("{block}.{name}bias"), &[rows]);
            }
        }
    }
    add("logit_scale", &[]);
    all
}

/// (mean, deviation) of a tensor, chosen so that activations keep a sane scale through the towers.
fn moments(name: &str, shape: &[usize]) -> (f64, f64) {
    let layer_norm = name.contains("ln_");
    if layer_norm && name.ends_with("weight") {
        return (1.0, 0.1);
    }
    if layer_norm || name.ends_with("bias") {
        return (0.0, 0.02);
    }
    match name {
        "token_embedding.weight" => (0.0, 0.02),
        "positional_embedding" => (0.0, 0.01),
        "visual.proj" | "text_projection" => (0.0, (shape[0] as f64).powf(-0.5)),
        "visual.conv1.weight" => (0.0, ((3 * shape[3] * shape[3]) as f64).powf(-0.5)),
        _ => (0.0, (shape[shape.len() - 1] as f64).powf(-0.5)),
    }
}
