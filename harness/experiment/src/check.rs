//! Rules that values must keep on their own or among each other, without knowledge of the world. Each gives a name of
//! the setting and a sentence; where that setting stands in the file is the caller's business.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;

use harness_method::options::{Adapter, Prompts};
use harness_method::{Arch, Options, tokenizer};
use toml::Spanned;

use harness_config::Findings;
use harness_config::start;

/// Largest side of an image, in pixels. Far above what CLIPs see; keeps token counts in range.
const MAX_IMAGE: usize = 4096;

/// Heads of a `transformer` adapter (docs/method.md section 2).
const ADAPTER_HEADS: usize = 8;

/// A setting's name and what is wrong with it.
pub(crate) type Complaint = (&'static str, String);

/// What keeps a name from being a folder on every system, or `None` if it is fine.
pub(crate) fn name(name: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() {
        Some("is empty; give it a name")
    } else if name.len() > 100 {
        Some("is longer than 100 characters; shorten it")
    } else if !name.chars().all(plain) {
        Some("can't be a folder's name; use letters, digits, `-`, `_` and `.` alone")
    } else if name.starts_with(['.', '-']) || name.ends_with('.') {
        Some("can't be a folder's name; begin with a letter, digit or `_`, and don't end with `.`")
    } else {
        None
    }
}

/// An axis of the matrix: at least one element, none twice.
pub(crate) fn axis<T: Eq + Hash + Display>(
    key: &str,
    list: Option<&Spanned<Vec<Spanned<T>>>>,
    findings: &mut Findings,
) {
    let Some(list) = list else { return };
    if list.get_ref().is_empty() {
        findings.add(start(list), format!("`{key}` is empty; give at least one value"));
    }
    let mut seen = HashMap::with_capacity(list.get_ref().len());
    for (i, item) in list.get_ref().iter().enumerate() {
        if let Some(first) = seen.insert(item.get_ref(), i + 1) {
            let message = format!("`{key}` has `{}` twice, first as element {first}; remove one", item.get_ref());
            findings.add(start(item), message);
        }
    }
}

/// Sizes that no CLIP has.
pub(crate) fn arch(arch: &Arch) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let limits = [
        ("image_size", arch.image_size, MAX_IMAGE),
        ("patch", arch.patch, MAX_IMAGE),
        ("width", arch.width, 1 << 14),
        ("layers", arch.layers, 1 << 10),
        ("heads", arch.heads, 1 << 14),
        ("embed", arch.embed, 1 << 14),
        ("vocab", arch.vocab, 1 << 20),
        ("context", arch.context, 1 << 12),
        ("text_width", arch.text_width, 1 << 14),
        ("text_layers", arch.text_layers, 1 << 10),
        ("text_heads", arch.text_heads, 1 << 14),
    ];
    for (key, size, limit) in limits {
        if !(1..=limit).contains(&size) {
            complaints.push((key, format!("`{key}` is {size}; write a number from 1 to {limit}")));
        }
    }
    if !complaints.is_empty() {
        return complaints;
    }
    for (heads, count, width_key, width) in
        [("heads", arch.heads, "width", arch.width), ("text_heads", arch.text_heads, "text_width", arch.text_width)]
    {
        if !width.is_multiple_of(count) {
            let message = format!("{count} `{heads}` don't divide `{width_key}` {width}; choose a divisor of it");
            complaints.push((heads, message));
        }
    }
    if arch.image_size < arch.patch {
        let message = format!(
            "`image_size` {} is smaller than `patch` {}; choose at least one patch a side",
            arch.image_size, arch.patch
        );
        complaints.push(("image_size", message));
    }
    complaints
}

/// Options that the architecture can't take, or that contradict each other. `arch` has passed [`arch`].
pub(crate) fn options(options: &Options, arch: &Arch) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut complain = |key, message| complaints.push((key, message));
    let size = options.image_size;
    if size < arch.patch {
        let message = format!(
            "`image_size` {size} is smaller than the encoder's patch of {} pixels; choose at least {}",
            arch.patch, arch.patch
        );
        complain("image_size", message);
    } else if size > MAX_IMAGE {
        complain("image_size", format!("`image_size` {size} is too large; choose at most {MAX_IMAGE}"));
    }
    if let Some(message) = taps(&options.taps, arch.layers) {
        complain("taps", message);
    }
    if options.adapter == Adapter::Transformer && !arch.width.is_multiple_of(ADAPTER_HEADS) {
        let message = format!(
            "`adapter = \"transformer\"` has {ADAPTER_HEADS} heads, which don't divide the encoder's width {}; use \
             `linear` or `conv`",
            arch.width
        );
        complain("adapter", message);
    }
    let learned = !options.prompts.learned_sides().is_empty();
    if learned && options.prompt_positions.is_empty() {
        let message = "`prompt_positions` is empty, but learned prompts need one; name some of `end`, `front`, \
                       `middle`, or use `prompts = \"fixed\"`";
        complain("prompt_positions", message.to_owned());
    }
    for (i, position) in options.prompt_positions.iter().enumerate() {
        if options.prompt_positions[..i].contains(position) {
            complain("prompt_positions", format!("`prompt_positions` has `{}` twice; remove one", position.name()));
        }
    }
    if learned && options.context_tokens == 0 {
        let message = "`context_tokens` is 0, but learned prompts need at least one; choose 1 or more, or use \
                       `prompts = \"fixed\"`";
        complain("context_tokens", message.to_owned());
    }
    let entries = tokenizer::END as usize + 1;
    if options.prompts != Prompts::Free && arch.vocab < entries {
        let message = format!(
            "`prompts` needs a vocabulary of {entries} entries, and the encoder has {}; use such an encoder, or \
             `prompts = \"free\"`",
            arch.vocab
        );
        complain("prompts", message);
    }
    complaints
}

fn taps(taps: &[usize], layers: usize) -> Option<String> {
    let Some(last) = taps.last() else {
        return Some(format!("`taps` is empty; name some of the encoder's blocks 1 to {layers}"));
    };
    let text = taps.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let outside: Vec<_> = taps.iter().filter(|tap| !(1..=layers).contains(*tap)).map(ToString::to_string).collect();
    if !outside.is_empty() {
        let outside = outside.join(", ");
        return Some(format!(
            "`taps` [{text}] names block {outside}, but the encoder has blocks 1 to {layers}; choose among those"
        ));
    }
    if let Some(pair) = taps.windows(2).find(|pair| pair[0] == pair[1]) {
        return Some(format!("`taps` has {} twice; remove one", pair[0]));
    }
    if taps.windows(2).any(|pair| pair[0] > pair[1]) {
        let mut sorted = taps.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let sorted = sorted.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return Some(format!("`taps` [{text}] doesn't ascend up to {last}; write [{sorted}]"));
    }
    None
}
