//! The architecture that tensors' shapes imply, and how the tensors differ from it.

use std::collections::{BTreeMap, BTreeSet};

use harness_method::Arch;
use harness_method::synthetic::{Synthetic, clip_state};

use crate::config::{Config, Tower};
use crate::difference::Difference;
use crate::naming::{Joined, block};

/// Channels a head has in most CLIPs.
const HEAD_WIDTH: usize = 64;

/// Heads of published image towers by width: OpenAI's and open_clip's ViT-S to ViT-L, ViT-H, ViT-g, ViT-bigG, ViT-e.
const IMAGE_HEADS: [(usize, usize); 8] =
    [(384, 6), (512, 8), (768, 12), (1024, 16), (1280, 16), (1408, 16), (1664, 16), (1792, 16)];
/// Heads of published text towers by width.
const TEXT_HEADS: [(usize, usize); 5] = [(384, 6), (512, 8), (768, 12), (1024, 16), (1280, 20)];

/// Attention heads, which shapes don't tell. `None`: what a file beside the weights states, else what published towers
/// of the width have, else width / 64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    /// Heads of the image tower.
    pub image: Option<usize>,
    /// Heads of the text tower.
    pub text: Option<usize>,
}

/// Tensors of a CLIP that this method never uses; they may be absent.
const UNUSED: [&str; 4] = ["logit_scale", "visual.proj", "visual.ln_post.weight", "visual.ln_post.bias"];

/// Whether the method computes with the tensor of this name, OpenAI's.
pub(crate) fn is_used(name: &str) -> bool {
    !UNUSED.contains(&name)
}

/// The architecture of these tensors, and what to say about it. `Err` says what doesn't add up.
pub(crate) fn deduce(
    tensors: &BTreeMap<String, Joined>,
    heads: Heads,
    config: Option<&Config>,
) -> Result<(Arch, Vec<String>), Difference> {
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
    let (layers, text_layers) = (layers(tensors, "visual.transformer"), layers(tensors, "transformer"));
    if let Some(config) = config {
        let (image, text) = (&config.image, &config.text);
        let contradiction = [
            ("image", image.width, "width", width),
            ("image", image.layers, "number of blocks", layers),
            ("image", image.patch, "patch", patch),
            ("text", text.width, "width", text_width),
            ("text", text.layers, "number of blocks", text_layers),
        ]
        .into_iter()
        .find_map(|(tower, said, what, found)| config.contradiction(tower, said, what, found));
        contradiction.map_or(Ok(()), Err)?;
    }
    let mut notes = Vec::new();
    let said = config.map(|config| (config.file, &config.image));
    let image_heads = count_heads("image", width, heads.image, &IMAGE_HEADS, said, &mut notes)?;
    let said = config.map(|config| (config.file, &config.text));
    let text_heads = count_heads("text", text_width, heads.text, &TEXT_HEADS, said, &mut notes)?;
    let arch = Arch {
        image_size: grid.saturating_mul(patch),
        patch,
        width,
        layers,
        heads: image_heads,
        embed,
        vocab,
        context,
        text_width,
        text_layers,
        text_heads,
    };
    check(&arch).map_err(|what| Difference::NoArchitecture { what })?;
    Ok((arch, notes))
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

/// Heads as given by hand, else as a file beside the weights says, else as published, else a guess, which is said.
fn count_heads(
    tower: &str,
    width: usize,
    given: Option<usize>,
    published: &[(usize, usize)],
    said: Option<(&str, &Tower)>,
    notes: &mut Vec<String>,
) -> Result<usize, Difference> {
    let key = if tower == "image" { "heads" } else { "text_heads" };
    let said = said.and_then(|(file, tower)| Some((file, tower.heads(width)?)));
    let published = published.iter().find(|(known, _)| *known == width).map(|(_, heads)| *heads);
    match (given, said, published) {
        (Some(given), said, published) => {
            let other = match (said, published) {
                (Some((file, heads)), _) if heads != given => Some(format!("{file} says {heads}")),
                (None, Some(heads)) if heads != given => {
                    Some(format!("published towers of width {width} have {heads}"))
                }
                _ => None,
            };
            let note = |other| format!("the {tower} tower has {given} attention heads, as `{key}` says; {other}");
            notes.extend(other.map(note));
            Ok(given)
        }
        (None, Some((_, heads)), _) | (None, None, Some(heads)) => Ok(heads),
        (None, None, None) if width.is_multiple_of(HEAD_WIDTH) => {
            let heads = width / HEAD_WIDTH;
            notes.push(format!(
                "the {tower} tower's {heads} attention heads are a guess (width {width} / {HEAD_WIDTH}), as no file beside the \
                 weights says how many it has: set `{key}` under [encoder]"
            ));
            Ok(heads)
        }
        (None, None, None) => Err(Difference::NoArchitecture {
            what: format!(
                "the {tower} tower's width {width} is not a multiple of {HEAD_WIDTH}, so its number of attention heads \
                 doesn't follow; state it (`{key}` under [encoder])"
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
            None if !is_used(&name) => {}
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_towers_have_their_published_heads_and_a_guess_is_said() {
        let mut notes = Vec::new();
        let mut image = |width, given| count_heads("image", width, given, &IMAGE_HEADS, None, &mut notes);
        // ViT-B, L, H, g, bigG and e of open_clip: heads of 64, 64, 80, 88, 104 and 112 channels.
        for (width, heads) in [(768, 12), (1024, 16), (1280, 16), (1408, 16), (1664, 16), (1792, 16)] {
            assert_eq!(image(width, None), Ok(heads), "{width}");
        }
        assert_eq!(image(896, None), Ok(14));
        assert_eq!(image(1280, Some(20)), Ok(20));
        assert!(image(100, None).is_err());
        assert_eq!(notes.len(), 2);
        assert!(notes[0].contains("14 attention heads are a guess (width 896 / 64)"), "{notes:?}");
        assert!(notes[1].contains("20 attention heads") && notes[1].contains("have 16"), "{notes:?}");
    }
}
