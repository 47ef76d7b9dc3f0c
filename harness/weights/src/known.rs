//! Published files by the SHA-256 of their bytes.

use sha2::{Digest, Sha256};

/// OpenAI's files. The hashes stand in the addresses that its code fetches them from
/// (https://github.com/openai/CLIP, `clip/clip.py`).
const FILES: [(&str, &str); 9] = [
    ("afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762", "OpenAI RN50"),
    ("8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599", "OpenAI RN101"),
    ("7e526bd135e493cef0776de27d5f42653e6b4c8bf9e0f653bb11773263205fdd", "OpenAI RN50x4"),
    ("52378b407f34354e150460fe41077663dd5b39c54cd0bfd2b27167a4a06ec9aa", "OpenAI RN50x16"),
    ("be1cfb55d75a9666199fb2206c106743da0f6468c9d327f3e0d0a543a9919d9c", "OpenAI RN50x64"),
    ("40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af", "OpenAI ViT-B/32"),
    ("5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f", "OpenAI ViT-B/16"),
    ("b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836", "OpenAI ViT-L/14"),
    ("3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02", "OpenAI ViT-L/14@336px"),
];

/// None of them is smaller, so that the hash of a smaller file need not be made.
const SMALLEST: usize = 200_000_000;

/// The name of the published file that has these bytes.
pub(crate) fn name(bytes: &[u8]) -> Option<&'static str> {
    if bytes.len() < SMALLEST { None } else { of_hash(&hash(bytes)) }
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn of_hash(hash: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == hash).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_the_hash_of_all_its_bytes() {
        assert_eq!(of_hash(FILES[8].0), Some("OpenAI ViT-L/14@336px"));
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash(b"abc"), abc);
        assert_eq!(name(b"abc"), None);
        for (hash, name) in FILES {
            assert!(hash.len() == 64 && hash.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')), "{name}");
        }
    }
}
