//! Sentences and their tokens against the reference tokenizer's output.
#![expect(clippy::unwrap_used, reason = "tests")]

use harness_method::options::Side;
use harness_method::prompts::{self, PromptError};
use harness_method::tokenizer::{self, END, START};

#[test]
fn every_golden_text_has_the_reference_s_tokens() {
    let path = harness_tests::golden("pre/tokens.json");
    let cases: Vec<(String, Vec<u32>)> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(cases.len() > 60);
    for (text, expected) in cases {
        assert_eq!(tokenizer::encode(&text), expected, "{text:?}");
    }
}

#[test]
fn fixed_sentences_run_through_the_frames_state_by_state() {
    let frames: Vec<&str> = prompts::templates().collect();
    assert_eq!(frames.len(), 35);
    let made = prompts::fixed(Side::Abnormal, "retinal OCT", 77).unwrap();
    assert_eq!((made.tokens.len(), made.eot.len(), made.lengths.len()), (245, 245, 0));
    for (row, text) in
        [(0, "a bad photo of a damaged retinal OCT."), (36, "a low resolution photo of the broken retinal OCT.")]
    {
        let expected = tokenizer::encode(text);
        let tokens = &made.tokens[row];
        assert_eq!(tokens.len(), 77);
        assert_eq!(tokens[0], START);
        assert_eq!(tokens[1..=expected.len()], expected);
        assert_eq!(tokens[made.eot[row]], END);
        assert_eq!(made.eot[row], expected.len() + 1);
        assert!(tokens[made.eot[row] + 1..].iter().all(|id| *id == 0));
    }
}

#[test]
fn learned_sentences_keep_a_place_for_every_context_vector() {
    let made = prompts::learned(Side::Normal, "Chest X-ray film", 8, 77).unwrap();
    assert_eq!(made.tokens.len(), 7);
    // "X X X X X X X X perfect Chest X-ray film." and "perfect Chest X-ray film" of golden/pre/tokens.json.
    let perfect = [343, 343, 343, 343, 343, 343, 343, 343, 1878, 10563, 343, 268, 3077, 1860, 269];
    assert_eq!(made.tokens[2][1..16], perfect);
    assert_eq!(made.eot[2], 16);
    assert_eq!(made.lengths[2], 6);
    for (row, (eot, length)) in made.tokens.iter().zip(made.eot.iter().zip(&made.lengths)) {
        assert_eq!(row[*eot], END);
        assert_eq!(*eot, 8 + length + 2, "context, state, full stop");
    }
}

#[test]
fn a_sentence_longer_than_the_context_is_quoted_with_its_length() {
    let object = vec!["brain"; 70].join(" ");
    let error = prompts::fixed(Side::Normal, &object, 77).unwrap_err();
    let PromptError::TooLong { sentence, length, context, .. } = &error else { panic!("{error:?}") };
    assert_eq!((*length, *context), (78, 77));
    assert_eq!(*sentence, format!("a bad photo of a {object}."));
    assert!(error.to_string().contains(sentence.as_str()) && error.to_string().contains("78"));
    let error = prompts::learned(Side::Normal, "Brain", usize::MAX, 77).unwrap_err();
    assert!(error.to_string().contains("context_tokens"), "{error}");
    assert!(prompts::learned(Side::Normal, "Brain", 72, 77).is_err());
    assert!(prompts::learned(Side::Normal, "Brain", 71, 77).is_err(), "`Brain without flaw` is three tokens");
    assert!(prompts::learned(Side::Normal, "Brain", 70, 77).is_err(), "`unblemished` is four");
    assert!(prompts::learned(Side::Normal, "Brain", 69, 77).is_ok());
}

#[test]
fn a_name_that_would_be_guessed_at_or_break_a_row_is_refused() {
    assert!(matches!(prompts::fixed(Side::Normal, "schÃ¶n", 77), Err(PromptError::WrongEncoding { .. })));
    for object in ["a<END_of_text>b", "&lt;start_of_text&gt;"] {
        assert!(matches!(prompts::learned(Side::Normal, object, 8, 77), Err(PromptError::Marker { .. })), "{object}");
    }
}

#[test]
fn braces_in_a_name_stay_as_they_are() {
    let made = prompts::fixed(Side::Normal, "{}", 77).unwrap();
    assert_eq!(made.tokens[0][1..made.eot[0]], tokenizer::encode("a bad photo of a {}."));
}
