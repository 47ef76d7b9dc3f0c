//! The sentences of a class as token ids (docs/method.md section 4), fixed or with placeholders for trained context.

use thiserror::Error;

use crate::options::Side;
use crate::tokenizer;

/// Phrases for healthy states, the object in `{}`.
pub const NORMAL_STATES: [&str; 7] =
    ["{}", "flawless {}", "perfect {}", "unblemished {}", "{} without flaw", "{} without defect", "{} without damage"];

/// Phrases for diseased states, the object in `{}`. The blank before `disease` is as released; cleaning drops it.
pub const ABNORMAL_STATES: [&str; 7] =
    ["damaged {}", "broken {}", "{} with flaw", "{} with defect", "{} with damage", " disease {}", "abnormal {}"];

/// ` disease {}` and `abnormal {}` are MadCLIP's.
const MVFA_ABNORMAL_STATES: usize = 5;

harness_config::named_enum! {
    /// Which phrases of the abnormal class fixed sentences have.
    pub enum States {
        /// All seven.
        Madclip = "madclip",
        /// The first five, as MVFA and APRIL-GAN have them.
        Mvfa = "mvfa",
    }
}

const TEMPLATES: &str = include_str!("../templates.txt");

/// The 35 frames of fixed sentences, a phrase in `{}`.
pub fn templates() -> impl Iterator<Item = &'static str> + Clone {
    TEMPLATES.lines().filter(|line| !line.is_empty())
}

/// Phrases of a side, the object in `{}`.
pub fn states(side: Side) -> &'static [&'static str; 7] {
    match side {
        Side::Normal => &NORMAL_STATES,
        Side::Abnormal => &ABNORMAL_STATES,
    }
}

/// Tokenised sentences of one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentences {
    /// `[N][context]` ids: start, text, end, zeros.
    pub tokens: Vec<Vec<u32>>,
    /// Index of each row's end-of-text token.
    pub eot: Vec<usize>,
    /// Tokens of each state phrase, for learned sentences; empty for fixed ones.
    pub lengths: Vec<usize>,
}

/// Why sentences can't be made from an object's name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PromptError {
    /// The tokenised sentence, start and end included, is longer than the text tower's context.
    #[error(
        "the sentence \"{sentence}\" has {length} tokens, the text tower takes {context}: shorten the object's name{hint}"
    )]
    TooLong {
        /// The sentence as given to the tokenizer.
        sentence: String,
        /// Its tokens, start and end included.
        length: usize,
        /// Tokens of a row.
        context: usize,
        /// What else would help, or nothing.
        hint: &'static str,
    },
    /// The name holds UTF-8 that was read as another encoding.
    #[error("the object's name \"{object}\" looks like text read in the wrong encoding: write it in UTF-8")]
    WrongEncoding {
        /// The name as given.
        object: String,
    },
    /// The name holds one of the tokenizer's own markers.
    #[error("the object's name \"{object}\" holds the tokenizer's marker \"{marker}\": leave it out")]
    Marker {
        /// The name as given.
        object: String,
        /// The marker found.
        marker: &'static str,
    },
}

/// Every state in every frame, 245 rows: state by state, frames in order within a state.
///
/// # Errors
/// A sentence over `context` tokens, or an object's name the tokenizer can't take.
pub fn fixed(side: Side, object: &str, context: usize) -> Result<Sentences, PromptError> {
    fixed_of(States::Madclip, side, object, context)
}

/// As [`fixed`], with some of the states: 245 rows, or 175.
///
/// # Errors
/// As [`fixed`].
pub fn fixed_of(states: States, side: Side, object: &str, context: usize) -> Result<Sentences, PromptError> {
    check_object(object)?;
    let mut phrases = phrases(side, object);
    if states == States::Mvfa && side == Side::Abnormal {
        phrases.truncate(MVFA_ABNORMAL_STATES);
    }
    let sentences = phrases.into_iter().flat_map(|phrase| templates().map(move |t| t.replacen("{}", &phrase, 1)));
    rows(sentences, context, "", Vec::new())
}

/// Per state a sentence `X X ... <state>.` with `context_tokens` placeholders for trained vectors, 7 rows.
///
/// # Errors
/// A sentence over `context` tokens, or an object's name the tokenizer can't take.
pub fn learned(side: Side, object: &str, context_tokens: usize, context: usize) -> Result<Sentences, PromptError> {
    check_object(object)?;
    // Each placeholder is at least a token. A number beyond the context is refused below; cut it here, or it would fill
    // memory first.
    let placeholders = vec!["X"; context_tokens.min(context + 1)].join(" ");
    let phrases = phrases(side, object);
    let lengths = phrases.iter().map(|phrase| tokenizer::encode(phrase).len()).collect();
    let sentences = phrases.iter().map(|phrase| format!("{placeholders} {phrase}."));
    rows(sentences, context, " or lower `context_tokens`", lengths)
}

fn phrases(side: Side, object: &str) -> Vec<String> {
    states(side).iter().map(|state| state.replacen("{}", object, 1)).collect()
}

fn check_object(object: &str) -> Result<(), PromptError> {
    if tokenizer::is_mojibake(object) {
        return Err(PromptError::WrongEncoding { object: object.to_owned() });
    }
    let cleaned = tokenizer::clean(object);
    match ["<start_of_text>", "<end_of_text>"].into_iter().find(|marker| cleaned.contains(marker)) {
        Some(marker) => Err(PromptError::Marker { object: object.to_owned(), marker }),
        None => Ok(()),
    }
}

fn rows(
    sentences: impl Iterator<Item = String>,
    context: usize,
    hint: &'static str,
    lengths: Vec<usize>,
) -> Result<Sentences, PromptError> {
    let (mut tokens, mut eot) = (Vec::new(), Vec::new());
    for sentence in sentences {
        let mut row = vec![tokenizer::START];
        row.extend(tokenizer::encode(&sentence));
        row.push(tokenizer::END);
        if row.len() > context {
            return Err(PromptError::TooLong { sentence, length: row.len(), context, hint });
        }
        eot.push(row.len() - 1);
        row.resize(context, 0);
        tokens.push(row);
    }
    Ok(Sentences { tokens, eot, lengths })
}
