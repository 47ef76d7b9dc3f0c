//! The architecture that tensors' shapes imply, and how the tensors differ from it.

use std::collections::{BTreeMap, BTreeSet};

use harness_method::Arch;
use harness_method::synthetic::{Synthetic, clip_state};

use crate::difference::Difference;
use crate::naming::{Joined, block};

/// Channels a head has in every published CLIP.
const HEAD_WIDTH: usize = 64;

/// Attention heads, which shapes don't tell. `None`: what a transformers folder states, else width / 64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    /// Heads of the image tower.
    pub image: Option<usize>,
    /// Heads of the text tower.
    pub text: Option<usize>,
}

/// Tensors of a CLIP that this method never uses; they may be absent.
const UNUSED: [&str; 4] = ["logit_scale", "visual.proj", "visual.ln_post.weight", "visual.ln_post.bias"];

/// The architecture of these tensors. `Err` says what doesn't add up.
pub(crate) fn deduce(tensors: &BTreeMap<String, Joined>, heads: Heads) -> Result<Arch, Difference> {
    let [width, channels, patch, patch_columns] = dimensions(tensors, "visual.conv1.weight")?;
    if channels != 3 || patch_columns != patch {
        return Err(Difference::Misshapen {
            name: "visual.conv1.weight".to_owned(),
            expected: vec![width, 3, patch, patch],
            found: vec![width, channels, patch, patch_columns],
        });
    }
    let [rows, columns] = dimensions(tensors, "visual.positional_embedding")?;
    let grid = (rows - 1).isqrt();
    if grid == 0 || grid * grid + 1 != rows {
        return Err(Difference::Misshapen {
            name: "visual.positional_embedding".to_owned(),
            expected: vec![grid * grid + 1, width],
            found: vec![rows, columns],
        });
    }
    let [vocab, text_width] = dimensions(tensors, "token_embedding.weight")?;
    let [context, _] = dimensions(tensors, "positional_embedding")?;
    let [_, embed] = dimensions(tensors, "text_projection")?;
    let arch = Arch {
        image_size: grid.saturating_mul(patch),
        patch,
        width,
        layers: layers(tensors, "visual.transformer"),
        heads: count_heads("image", width, heads.image)?,
        embed,
        vocab,
        context,
        text_width,
        text_layers: layers(tensors, "transformer"),
        text_heads: count_heads("text", text_width, heads.text)?,
    };
    check(&arch).map_err(|what| Difference::NoArchitecture { what })?;
    Ok(arch)
}

/// The dimensions of a tensor that shapes are read from.
fn dimensions<const N: usize>(tensors: &BTreeMap<String, Joined>, name: &str) -> Result<[usize; N], Difference> {
    let Some(tensor) = tensors.get(name) else {
        return Err(Difference::Missing { name: name.to_owned(), expected: None });
    };
    let found = tensor.shape();
    <[usize; N]>::try_from(found.as_slice()).ok().filter(|shape| !shape.contains(&0)).ok_or_else(|| {
        Difference::NoArchitecture {
            what: format!("tensor `{name}` has shape {found:?}; it should have {N} dimensions, none of them zero"),
        }
    })
}

fn count_heads(tower: &str, width: usize, stated: Option<usize>) -> Result<usize, Difference> {
    match stated {
        Some(heads) => Ok(heads),
        None if width.is_multiple_of(HEAD_WIDTH) => Ok(width / HEAD_WIDTH),
        None => Err(Difference::NoArchitecture {
            what: format!(
                "the {tower} tower's width {width} is not a multiple of {HEAD_WIDTH}, so its number of attention heads \
                 doesn't follow; state it"
            ),
        }),
    }
}

/// Distinct blocks; a gap among their numbers shows as missing tensors.
fn layers(tensors: &BTreeMap<String, Joined>, tower: &str) -> usize {
    let numbers = tensors.keys().filter_map(|name| block(name)).filter(|(t, ..)| *t == tower).map(|(_, n, _)| n);
    numbers.collect::<BTreeSet<_>>().len()
}

/// Whether an architecture can be at all. `Err` says why not.
pub(crate) fn check(arch: &Arch) -> Result<(), String> {
    let Arch { image_size, patch, width, layers, heads, embed, vocab, context, text_width, text_layers, text_heads } =
        *arch;
    let sizes = [image_size, patch, width, layers, heads, embed, vocab, context, text_width, text_layers, text_heads];
    if sizes.contains(&0) {
        return Err(format!("an architecture has no sizes of zero: {arch:?}"));
    }
    // Far beyond any CLIP, and small enough that no product of sizes overflows.
    if let Some(size) = sizes.iter().find(|size| **size > 1 << 20) {
        return Err(format!("no CLIP has a size of {size}: {arch:?}"));
    }
    if patch > image_size {
        return Err(format!("an image of {image_size} pixels has no room for a patch of {patch}"));
    }
    for (tower, width, heads) in [("image", width, heads), ("text", text_width, text_heads)] {
        if !width.is_multiple_of(heads) {
            return Err(format!(
                "{heads} attention heads don't divide the {tower} tower's width {width}; state the number of heads"
            ));
        }
    }
    Ok(())
}

/// What differs from the architecture, in canonical order, and the names that don't belong to it.
pub(crate) fn compare(arch: &Arch, tensors: &BTreeMap<String, Joined>) -> (Vec<Difference>, Vec<String>) {
    let mut differences = Vec::new();
    let mut known = BTreeSet::new();
    for Synthetic { name, shape } in clip_state(arch) {
        match tensors.get(&name).map(|tensor| (tensor.shape(), tensor.dtype())) {
            None if UNUSED.contains(&name.as_str()) => {}
            None => differences.push(Difference::Missing { name: name.clone(), expected: Some(shape) }),
            // A scalar that some save as one element.
            Some((found, _)) if name == "logit_scale" && found.iter().all(|d| *d == 1) => {}
            Some((found, _)) if found != shape => {
                differences.push(Difference::Misshapen { name: name.clone(), expected: shape, found });
            }
            Some((_, found)) if !found.is_float() => {
                differences.push(Difference::NotFloat { name: name.clone(), found });
            }
            Some(_) => {}
        }
        known.insert(name);
    }
    let stray = tensors.keys().filter(|name| !known.contains(*name)).cloned().collect();
    (differences, stray)
}
