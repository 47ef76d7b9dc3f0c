//! Encoders of other families, told by the names of their tensors, so that a file that can't be read is called by name.

use crate::tensor::View;

/// A family: what to call it, and what its files have. A mark is a tensor's name, or its beginning where the mark
/// ends in a dot; anything may stand before it, up to a dot. One of the alternatives must be there with all its marks.
struct Family {
    name: &'static str,
    /// Why it can't be read, and the way out.
    why: &'static str,
    marks: &'static [&'static [&'static str]],
}

const TOWER: &str = "it has no text tower";
const TOWERS: &str = "its towers are built otherwise";
const TEXT: &str = "its text tower is not CLIP's";

/// Families that have a tensor by which CLIPs are known.
const BESIDE: &[Family] = &[
    Family {
        name: "a LongCLIP",
        why: "its text positions from 20 on are in `positional_embedding_res`, which is not read",
        marks: &[&["positional_embedding_res"]],
    },
    Family {
        name: "a ResNet CLIP (RN50 and its like)",
        why: "it has no blocks of a vision transformer to take taps from",
        marks: &[&["visual.layer1."], &["visual.attnpool."]],
    },
    Family {
        name: "a Chinese-CLIP",
        why: TEXT,
        marks: &[&["bert.embeddings.word_embeddings.weight"], &["text_model.embeddings.word_embeddings.weight"]],
    },
    Family { name: "an AltCLIP", why: TEXT, marks: &[&["text_model.roberta."]] },
    Family {
        name: "a CLIP with a text tower of Hugging Face (BERT, RoBERTa, NLLB or T5; UniMed-CLIP has one)",
        why: TEXT,
        marks: &[
            &["visual.conv1.weight", "text.transformer.embeddings."],
            &["visual.conv1.weight", "text.transformer.encoder."],
            &["visual.conv1.weight", "text.transformer.shared."],
            &["visual.conv1.weight", "text_encoder.embeddings.word_embeddings.weight"],
            &["visual.conv1.weight", "text_encoder.transformer.embeddings."],
        ],
    },
    Family {
        name: "a SigLIP",
        why: TOWERS,
        marks: &[
            &["vision_model.head.probe"],
            &["vision_model.head.attention.in_proj_weight"],
            &["text_model.head.weight"],
            &["vision_model.embeddings.patch_embedding.bias"],
        ],
    },
    Family {
        name: "a CoCa",
        why: "its text tower reads a token of its own (`cls_emb`)",
        marks: &[&["text_decoder.resblocks."], &["text.cls_emb"]],
    },
];

/// Families without one; the first that fits is named.
const OTHERS: &[Family] = &[
    Family {
        name: "a SAM (MedSAM is one)",
        why: TOWER,
        marks: &[
            &["mask_decoder."],
            &["sam_mask_decoder."],
            &["image_encoder.pos_embed"],
            &["image_encoder.blocks.0.attn.rel_pos_h"],
            &["vision_encoder.layers.0.attn.rel_pos_h"],
        ],
    },
    Family {
        name: "a MobileCLIP",
        why: TOWERS,
        marks: &[
            &["image_encoder.model.patch_embed."],
            &["image_encoder.model.stem."],
            &["text_encoder.embedding_layer.weight"],
            &["visual.trunk.stem.0."],
        ],
    },
    Family {
        name: "an EVA-CLIP (EVA-02)",
        why: TOWERS,
        marks: &[
            &["visual.cls_token", "visual.pos_embed"],
            &["visual.blocks.0.attn.q_proj.weight"],
            &["visual.blocks.0.attn.q_bias"],
            &["visual.trunk.blocks.0.attn.q_proj.weight"],
            &["visual.trunk.blocks.0.mlp.fc1_g.weight"],
        ],
    },
    Family { name: "a CoCa", why: TOWERS, marks: &[&["text_decoder.resblocks."], &["text.cls_emb"]] },
    Family {
        name: "a BiomedCLIP, or another CLIP with timm's image tower and BERT's text tower",
        why: TOWERS,
        marks: &[&["visual.trunk.", "text.transformer.embeddings."], &["visual.trunk.", "text.transformer.encoder."]],
    },
    Family {
        name: "a SigLIP",
        why: TOWERS,
        marks: &[&["visual.trunk.attn_pool.latent"], &["vision_model.head.probe"], &["text_model.head.weight"]],
    },
    Family { name: "a CLIP with a ConvNeXt", why: TOWERS, marks: &[&["visual.trunk.stages."]] },
    Family { name: "a CLIP with timm's image tower", why: TOWERS, marks: &[&["visual.trunk."]] },
    Family { name: "a ResNet CLIP", why: TOWERS, marks: &[&["visual.layer1."], &["visual.attnpool."]] },
    Family {
        name: "a BLIP or an ALBEF",
        why: TOWERS,
        marks: &[&["visual_encoder.blocks."], &["visual_encoder.cls_token"]],
    },
    Family { name: "an ImageBind", why: TOWERS, marks: &[&["modality_trunks."]] },
    Family {
        name: "an EVA or BEiT image tower",
        why: TOWER,
        marks: &[
            &["blocks.0.attn.inner_attn_ln.weight"],
            &["blocks.0.attn.q_bias"],
            &["rope.freqs_cos"],
            &["blocks.0.attn.q_proj.weight", "blocks.0.mlp.fc1_g.weight"],
        ],
    },
    Family { name: "a masked autoencoder (MAE)", why: TOWER, marks: &[&["decoder_embed.weight"]] },
    Family { name: "a DINOv2 image tower", why: TOWER, marks: &[&["encoder.layer.0.layer_scale1.lambda1"]] },
    Family {
        name: "a DINOv3 image tower",
        why: TOWER,
        marks: &[
            &["storage_tokens"],
            &["rope_embed.periods"],
            &["layer.0.layer_scale1.lambda1"],
            &["layer.0.attention.q_proj.weight", "embeddings.register_tokens"],
        ],
    },
    Family {
        name: "a DINOv2 image tower",
        why: TOWER,
        marks: &[
            &["mask_token", "cls_token", "patch_embed.proj.weight"],
            &["cls_token", "blocks.0.ls1.gamma"],
            &["register_tokens"],
        ],
    },
    Family {
        name: "a vision transformer with timm's names (ViT, DeiT, DINO, UNI)",
        why: TOWER,
        marks: &[&["pos_embed", "patch_embed.proj.weight"], &["cls_token", "patch_embed.proj.weight"]],
    },
    Family {
        name: "a vision transformer with transformers' names",
        why: TOWER,
        marks: &[&["embeddings.patch_embeddings.projection.weight"]],
    },
    Family {
        name: "CLIP's image tower alone",
        why: TOWER,
        marks: &[
            &["class_embedding", "conv1.weight", "ln_pre.weight"],
            &["embeddings.class_embedding", "pre_layrnorm.weight"],
        ],
    },
    Family {
        name: "a Swin transformer",
        why: TOWER,
        marks: &[&["layers.0.blocks.0.attn.relative_position_bias_table"]],
    },
    Family { name: "a ConvNeXt", why: TOWER, marks: &[&["stages.0."]] },
    Family { name: "a ResNet", why: TOWER, marks: &[&["layer1.0.conv1.weight"], &["conv1.weight", "fc.weight"]] },
    Family {
        name: "CLIP's text tower alone",
        why: "it has no image tower",
        marks: &[
            &["token_embedding.weight", "transformer.resblocks."],
            &["text_model.embeddings.token_embedding.weight", "text_model.encoder."],
        ],
    },
];

/// What to do about an encoder that is not read.
const READ: &str = "only CLIPs with a vision transformer and CLIP's text tower are read: OpenAI's ViT files, open_clip's ViT \
                    files of the same build, transformers' CLIPModel";

/// Says which other family a file with a CLIP's tensors is of.
pub(crate) fn beside(tensors: &[(String, View)]) -> Option<String> {
    let family = BESIDE.iter().find(|family| family.fits(tensors))?;
    // Both have the same names; SigLIP 2 reads Gemma's 256,000 tokens.
    let second = family.name == "a SigLIP"
        && tensors
            .iter()
            .any(|(name, view)| name.ends_with("token_embedding.weight") && view.shape().first() == Some(&256_000));
    Some(sentence(if second { "a SigLIP 2" } else { family.name }, family.why))
}

/// Says what family a file without a CLIP's tensors is of.
pub(crate) fn other(tensors: &[(String, View)]) -> Option<String> {
    // A CLIP that lacks the tensor by which CLIPs are known is not a part of one.
    let towers = tensors.iter().any(|(name, _)| is(name, "visual.class_embedding") || is(name, "visual.ln_pre."))
        || tensors.iter().any(|(name, _)| is(name, "vision_model.embeddings."));
    let parts = |family: &&Family| !(towers && family.name.starts_with("CLIP's "));
    let family = OTHERS.iter().filter(parts).find(|family| family.fits(tensors))?;
    // Where nothing but the tables is there, DINOv2 shows in its 37 x 37 positions.
    let shape = |end: &str| tensors.iter().find(|(name, _)| is(name, end)).map(|(_, view)| view.shape().to_vec());
    let positions = shape("pos_embed").is_some_and(|shape| shape.len() == 3 && shape[1] == 37 * 37 + 1);
    let dino = positions && family.name.starts_with("a vision transformer with timm's");
    Some(sentence(if dino { "a DINOv2 image tower" } else { family.name }, family.why))
}

/// Of a CLIP in which no tensor of a text tower is.
pub(crate) fn without_text() -> String {
    sentence("CLIP's image tower alone", TOWER)
}

fn sentence(name: &str, why: &str) -> String {
    format!("it is {name}: {why}; {READ}")
}

impl Family {
    fn fits(&self, tensors: &[(String, View)]) -> bool {
        let has = |mark: &&str| tensors.iter().any(|(name, _)| is(name, mark));
        self.marks.iter().any(|all| all.iter().all(has))
    }
}

/// Whether a name is `mark` or begins with it, whatever stands before.
fn is(name: &str, mark: &str) -> bool {
    let begins = |rest: &str| if mark.ends_with('.') { rest.starts_with(mark) } else { rest == mark };
    begins(name) || name.match_indices('.').any(|(at, _)| begins(&name[at + 1..]))
}
